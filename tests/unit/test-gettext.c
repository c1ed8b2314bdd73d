/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* test-gettext.c -- message domains that outlive their process.  */

#include <libintl.h>

#include "process-fixture.h"

static void
set_domains (void)
{
  begin ();
  CHECK (!strcmp (cs_gettext_set_domain (NULL), "messages"));
  CHECK (cs_gettext_bind ("nobody", NULL));
  CHECK (cs_process.image->nr_domains == 0 && !cs_process.image->domain);
  CHECK (!strcmp (cs_gettext_bind ("one", "/first"), "/first"));
  CHECK (!strcmp (cs_gettext_bind ("one", "/second"), "/second"));
  CHECK (!strcmp (cs_gettext_bind_codeset ("one", "UTF-8"), "UTF-8"));
  CHECK (!strcmp (cs_gettext_bind_codeset ("two", "EUC-JP"), "EUC-JP"));
  CHECK (!strcmp (cs_gettext_set_domain ("two"), "two"));
  CHECK (cs_process.image->nr_domains == 2);
  save_and_leave ();
}

static void
find_domains (void)
{
  resume ();
  CHECK (!strcmp (textdomain (NULL), "two"));
  CHECK (!strcmp (bindtextdomain ("one", NULL), "/second"));
  CHECK (!strcmp (bind_textdomain_codeset ("one", NULL), "UTF-8"));
  CHECK (!strcmp (bind_textdomain_codeset ("two", NULL), "EUC-JP"));
  CHECK (!strcmp (cs_gettext_set_domain (""), "messages"));
  save_and_leave ();
}

static void
find_default (void)
{
  resume ();
  CHECK (!strcmp (textdomain (NULL), "messages"));
  CHECK (!strcmp (bindtextdomain ("one", NULL), "/second"));
}

static void
domains (void)
{
  CHECK (in_child (set_domains) == 0);
  CHECK (in_child (find_domains) == 0);
  CHECK (in_child (find_default) == 0);
}

static void
too_many (void)
{
  char name[32];

  begin ();
  for (int i = 0; i < CS_PROCESS_DOMAINS_MAX + 5; i++)
    {
      snprintf (name, sizeof name, "domain-%d", i);
      CHECK (!strcmp (cs_gettext_bind (name, "/x"), "/x"));
    }
  CHECK (cs_process.image->nr_domains == CS_PROCESS_DOMAINS_MAX);
  CHECK (!cs_gettext_bind ("", "/x") && !cs_gettext_bind (NULL, "/x"));
}

static const struct test_case cases[] = {
  { "the current domain, folders and encodings are set again", domains },
  { "more domains than can be remembered", too_many },
};

int
main (void)
{
  return run_cases (cases, sizeof cases / sizeof *cases);
}
