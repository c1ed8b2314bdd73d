/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* endpoint.c -- what a socket is connected to, in words.  */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "process/private.h"

union address
{
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
  struct sockaddr_storage storage;
};

static bool
print_local (const struct sockaddr_un *un, size_t len, char *text,
             size_t room)
{
  int path_len = (int) (len - offsetof (struct sockaddr_un, sun_path));
  bool is_abstract = path_len > 0 && un->sun_path[0] == '\0';

  if (len <= offsetof (struct sockaddr_un, sun_path))
    return false;               /* not bound */
  if (is_abstract)
    snprintf (text, room, "'@%.*s'", path_len - 1, un->sun_path + 1);
  else
    snprintf (text, room, "'%.*s'", (int) strnlen (un->sun_path, path_len),
              un->sun_path);
  return true;
}

/* An address in words.  False if it says nothing.  */
static bool
print_address (const union address *a, size_t len, char *text, size_t room)
{
  char host[INET6_ADDRSTRLEN];

  switch (a->any.sa_family)
    {
    case AF_UNIX:
      return print_local (&a->un, len, text, room);
    case AF_INET:
      inet_ntop (AF_INET, &a->in.sin_addr, host, sizeof host);
      snprintf (text, room, "%s:%u", host, ntohs (a->in.sin_port));
      return a->in.sin_port != 0;
    case AF_INET6:
      inet_ntop (AF_INET6, &a->in6.sin6_addr, host, sizeof host);
      snprintf (text, room, "[%s]:%u", host, ntohs (a->in6.sin6_port));
      return a->in6.sin6_port != 0;
    default:
      return false;
    }
}

void
cs_endpoint_describe (int fd, char *text, size_t len)
{
  union address address;
  socklen_t address_len = sizeof address;
  char name[160];
  int listening = 0;
  socklen_t option_len = sizeof listening;

  *text = '\0';
  if (getpeername (fd, &address.any, &address_len) == 0)
    {
      if (print_address (&address, address_len, name, sizeof name))
        snprintf (text, len, "connected to %s", name);
      else
        snprintf (text, len, "connected");
      return;
    }
  getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &option_len);
  address_len = sizeof address;
  if (getsockname (fd, &address.any, &address_len) == 0
      && print_address (&address, address_len, name, sizeof name))
    snprintf (text, len, "%s %s", listening ? "listening on" : "bound to",
              name);
}
