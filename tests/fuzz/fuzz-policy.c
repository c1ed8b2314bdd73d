/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz-policy.c -- the text of a policy.

   Input: the text.  */

#include "intern/policy.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

/* One error: "file:line:column: text", on one line.  */
static void
report (void *closure, const char *text)
{
  unsigned line, column;

  REQUIRE (sscanf (text, "a.pol:%u:%u: ", &line, &column) == 2 && line >= 1
           && column >= 1 && !strchr (text, '\n'));
  ++*(unsigned *) closure;
}

static void
visit_replacement (void *closure, const char *name, const char *place)
{
  (void) closure;
  REQUIRE (name[0] && strncmp (place, "a.pol:", 6) == 0);
}

static void
ask (struct cs_policy *policy)
{
  static const char *const libraries[] = {
    "libguile-3.0.so.1", "libgc.so.1", "libc.so.6", "ext.so", ""
  };
  static const char *const symbols[] = {
    "scm_cons", "malloc", "GC_malloc", "x", "[", "\\"
  };
  unsigned unused = 0, line;

  REQUIRE (cs_policy_add_extension (policy, "ext.so") == 0);
  for (size_t l = 0; l < sizeof libraries / sizeof *libraries; l++)
    {
      cs_policy_role (policy, libraries[l]);
      for (size_t s = 0; s < sizeof symbols / sizeof *symbols; s++)
        {
          line = 0;
          REQUIRE (!cs_policy_interns (policy, libraries[l], symbols[s],
                                       CS_SYMBOL_FUNCTION, &line)
                   || line >= 1);
          cs_policy_interns (policy, libraries[l], symbols[s],
                             CS_SYMBOL_DATA, NULL);
          cs_policy_replacement (policy, libraries[l], symbols[s]);
        }
    }
  cs_policy_files_rule (policy, "/var/log/a");
  cs_policy_files_rule (policy, "");
  cs_policy_each_replacement (policy, visit_replacement, NULL);
  REQUIRE (cs_policy_unused (policy, report, &unused) == unused);
}

/* What a policy says it was parsed from can be parsed again.  */
static void
parse_again (const struct cs_policy *policy)
{
  struct cs_policy *again = NULL;
  size_t len;
  const char *text = cs_policy_text (policy, &len);

  REQUIRE (cs_policy_parse ("a.pol", text, len, NULL, NULL, &again, NULL)
           == 0);
  cs_policy_free (again);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  struct cs_policy *policy = NULL;
  struct cs_err err = CS_ERR_INIT;
  unsigned errors = 0;
  int r = cs_policy_parse ("a.pol", (const char *) data, len, report,
                           &errors, &policy, &err);

  fuzz_answer (r, &err);
  REQUIRE ((r == 0) == (errors == 0));
  if (r == 0)
    {
      fuzz_accepted++;
      ask (policy);
      parse_again (policy);
    }
  cs_policy_free (policy);
  return 0;
}

void
fuzz_seeds (fuzz_seed *seed, void *closure)
{
  static const char small[] =
    "policy 1\n"
    "persist libguile-3.0.so* libgc.so.?\n"
    "restart extensions   # a comment\n"
    "rebind libm.so.6\n"
    "optional intern function scm_* [a-c]* in persistent\n"
    "skip data environ\n"
    "intern any * in rebound extensions\n"
    "replace malloc with store:malloc in libguile*\n"
    "files reopen-at-end /var/log/* *.log\n"
    "files fail *\n";

  seed (closure, "small", small, sizeof small - 1, true);
  seed (closure, "least", "policy 1\n", 9, true);
  seed (closure, "built-in", cs_policy_builtin, cs_policy_builtin_len, true);
}
