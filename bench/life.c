/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* life.c -- run a command, then write and sync so many bytes: what a life with
   a save cannot do without (bench/run).

   Usage: life FILE BYTES COMMAND [ARGUMENT...]  */

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int
main (int argc, char **argv)
{
  size_t len = argc > 3 ? strtoul (argv[2], NULL, 10) : 0;
  char *bytes = calloc (len + 1, 1);
  int status, fd;
  pid_t pid;

  if (argc < 4 || !bytes
      || posix_spawnp (&pid, argv[3], NULL, NULL, argv + 3, environ) != 0
      || waitpid (pid, &status, 0) != pid || status != 0)
    return 1;
  fd = open (argv[1], O_RDWR | O_CREAT, 0600);
  return fd < 0 || pwrite (fd, bytes, len, 0) != (ssize_t) len
         || fdatasync (fd) != 0;
}
