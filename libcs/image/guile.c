/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guile.c -- checking what a store keeps of its interpreter.  */

#include "image/sections.h"
#include "intern/section.h"

/* An immediate, or the address of an object.  */
static bool
value_fits (const struct cs_section *s, struct cs_field field, uint64_t value)
{
  return value == 0 || (value & 7) != 0
         || cs_field_in_region (s, field, value, 1);
}

static bool
values_fit (const struct cs_section *s, const struct cs_guile_disk *g)
{
#define VALUE(member) value_fits (s, CS_FIELD (g, member, 0), g->member)
  for (size_t i = 0; i < 3; i++)
    if (!value_fits (s, CS_FIELD (g, ports.standard[i], i),
                     g->ports.standard[i]))
      return false;
  return VALUE (dynamic_state) && VALUE (modules) && VALUE (main_thread)
         && VALUE (ports.rules) && VALUE (ports.default_rule)
         && VALUE (ports.held) && VALUE (module.park)
         && VALUE (module.answer_signals) && VALUE (module.before_checkpoint)
         && VALUE (module.after_resume) && VALUE (module.resumed)
         && VALUE (module.srfi_modules) && VALUE (module.srfi_18_is_ready)
         && VALUE (module.workers) && VALUE (module.follow)
         && VALUE (module.keep_readline) && VALUE (module.restart_readline)
         && VALUE (loading.in_progress) && VALUE (loading.excursion)
         && VALUE (loading.abandon);
#undef VALUE
}

/* What is not of Guile's types.  */
static bool
addresses_fit (const struct cs_section *s, const struct cs_guile_disk *g)
{
  const struct cs_environment_disk *e = &g->environment;

  for (uint32_t i = 0; i < g->api.nr; i++)
    if (!cs_field_in_region (s, CS_FIELD (g, api.addrs[i], i),
                             g->api.addrs[i], 1))
      return false;
  return (g->pointers.table == 0
          || cs_field_in_use (s, CS_FIELD (g, pointers.table, 0),
                              g->pointers.table, 1, 0, 1))
         && (e->setting_len == 0
             || cs_field_in_use (s, CS_FIELD (g, environment.setting, 0),
                                 e->setting, e->setting_len, 0, 1))
         && (g->ports.lost == 0
             || cs_field_in_use (s, CS_FIELD (g, ports.lost, 0),
                                 g->ports.lost, 1, 0, 1));
}

struct cs_guile_disk *
cs_image_guile (const struct cs_store *store, struct cs_err *err)
{
  static const struct cs_section_kind kind = {
    "guile", CS_GUILE_MAGIC, CS_GUILE_VERSION, sizeof (struct cs_guile_disk)
  };
  struct cs_section s;
  struct cs_guile_disk *g;

  if (!cs_section_open (&s, store, &kind, err))
    return NULL;
  g = s.start;
  return cs_field_between (&s, CS_FIELD (g, api.nr, 0), g->api.nr, 0,
                           CS_GUILE_FUNCTIONS_MAX)
         && values_fit (&s, g) && addresses_fit (&s, g) ? g : NULL;
}
