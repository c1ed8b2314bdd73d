/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* maps.h -- what this process has mapped, as the kernel tells.  */
#ifndef CS_MAPS_H
#define CS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_mapping
{
  uintptr_t start, end;
  uintptr_t off;                /* in the file */
  const char *prot;             /* "rwxp", with a minus for what is not */
  const char *path;             /* "" if it is of no file; "[heap]" */
  const char *name;             /* the same without directories */
};

/* Call VISIT for each mapping, in order; what it is given is lent for that
   call.  BUF of LEN bytes must hold a line, 4,200 bytes.  Takes no memory and
   no lock: fit for a signal's handler.  Without /proc there are none.  */
typedef void cs_maps_visit (void *closure, const struct cs_mapping *mapping);
void cs_maps_each (char *buf, size_t len, cs_maps_visit *visit,
                   void *closure);

/* Write to TEXT, of LEN bytes, which mapping is the first one that has a part
   of [START, END): its path, or "[anonymous]", and its addresses.  False, with
   "another mapping", if none is found.  For messages.  */
bool cs_maps_find (uint64_t start, uint64_t end, char *text, size_t len);

#endif
