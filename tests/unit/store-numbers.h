/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store-numbers.h -- commits whose text is their generation's number.  */
#ifndef STORE_NUMBERS_H
#define STORE_NUMBERS_H

#include <inttypes.h>

#include "store-fixture.h"

static inline void
say_number (struct cs_store *store, uint64_t number)
{
  char text[16];

  snprintf (text, sizeof text, "%" PRIu64, number);
  say (store, text);
}

static inline void
commit_number (struct cs_store *store, uint64_t number)
{
  say_number (store, number);
  commit_ok (store);
  CHECK (store->superblock.generation == number);
}

#endif
