/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* gettext.c -- message domains that the program has set.

   libc remembers the current domain, and for each domain the folder of its
   catalogues and their encoding.  So does the store, and each process is told
   again.  Translations themselves are looked up anew: they follow the new
   process's locale.  */

#include <libintl.h>
#include <string.h>

#include "process/private.h"

/* The entry for DOMAIN, new if there is none; NULL if there is no room, or no
   such domain.  */
static struct cs_domain_disk *
entry (const char *domain)
{
  struct cs_process_disk *image = cs_process.image;
  uint32_t name = domain ? cs_process_string (domain) : 0;

  for (uint32_t i = 0; i < image->nr_domains; i++)
    if (image->domains[i].name == name)
      return &image->domains[i];
  if (name == 0 || image->nr_domains == CS_PROCESS_DOMAINS_MAX)
    return NULL;
  image->domains[image->nr_domains].name = name;
  return &image->domains[image->nr_domains++];
}

/* A null second argument asks only.  */
char *
cs_gettext_bind (const char *domain, const char *folder)
{
  char *result = bindtextdomain (domain, folder);
  struct cs_domain_disk *e = result && folder ? entry (domain) : NULL;

  if (e)
    e->folder = cs_process_string (folder);
  return result;
}

char *
cs_gettext_bind_codeset (const char *domain, const char *codeset)
{
  char *result = bind_textdomain_codeset (domain, codeset);
  struct cs_domain_disk *e = result && codeset ? entry (domain) : NULL;

  if (e)
    e->codeset = cs_process_string (codeset);
  return result;
}

/* "" stands for libc's own default.  */
char *
cs_gettext_set_domain (const char *domain)
{
  char *result = textdomain (domain);

  if (result && domain)
    cs_process.image->domain = cs_process_string (domain);
  return result;
}

void
cs_gettext_resume (void)
{
  const struct cs_process_disk *image = cs_process.image;
  const char *strings = image->strings;

  for (uint32_t i = 0; i < image->nr_domains; i++)
    {
      const struct cs_domain_disk *e = &image->domains[i];

      if (e->folder)
        bindtextdomain (strings + e->name, strings + e->folder);
      if (e->codeset)
        bind_textdomain_codeset (strings + e->name, strings + e->codeset);
    }
  if (image->domain)
    textdomain (strings + image->domain);
}
