/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scenarios.h -- what is done to a store while power may fail.  */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "trace.h"

struct scenario
{
  const char *proves;
  void (*play) (struct trace *trace, int variant);
  int variants;                 /* it is played for 0 up to this number */
  const char *path;             /* the store that is looked at */
  bool history;                 /* its older generations stay */
};

extern const struct scenario scenarios[];
extern const size_t nr_scenarios;

/* In a process of its own, recorded into TRACE, which has been adopted: open
   the store at PATH for writing, and go on with it.  */
void recover (struct trace *trace, const char *path);

#endif
