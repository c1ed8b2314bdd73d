/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* closures.c -- as a libffi with static trampolines: what is not zero in a
   closure's first word is taken for one that it has already (libffi 3.4,
   src/tramp.c, ffi_tramp_is_present).  */

int ffi_prep_closure_loc (void **closure, void *cif, void *fun, void *data,
                          void *code);

int
ffi_prep_closure_loc (void **closure, void *cif, void *fun, void *data,
                      void *code)
{
  (void) cif;
  (void) data;
  if (closure[0])
    return 3;
  closure[0] = code;
  closure[1] = fun;
  return 0;
}
