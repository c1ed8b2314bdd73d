/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* err.h -- how every part of libcs says what went wrong.

   A function that can fail returns 0, or a negative code: -errno for what
   the system refused, -CS_E_... for what libcs refuses.  If the reason is
   worth reading it also takes a `struct cs_err *` as its last parameter,
   which the function that knows most fills exactly once.  Outer layers pass
   it on, or put the object's name in front with cs_err_prefix().

   The text is one line in lower case without a full stop, of the form
   "cannot map 'foo.store': address range in use by libfoo.so.1"; control
   characters in the names that it quotes are made visible (\012).  The
   command's name is put before it by the command, never by the library.  */
#ifndef CS_ERR_H
#define CS_ERR_H

#include <stddef.h>

/* Codes above any errno.  Each stands for one exit status of the commands
   (coldstore(7), EXIT STATUS).  */
enum
{
  CS_E_REFUSED = 4097,          /* status 1: refused, or a check found something */
  CS_E_MISUSE = 4098,           /* status 2: command line or policy is wrong */
  CS_E_HELD = 4099,             /* status 3: another process holds the store */
  CS_E_DAMAGED = 4100,          /* status 4: store, backup or table is damaged */
  CS_E_INCOMPATIBLE = 4101      /* status 5: machine, version, library, symbol */
};

/* Storage for one error; the caller owns it.  Start with CS_ERR_INIT.  */
struct cs_err
{
  int code;                     /* 0, -errno or -CS_E_...  */
  char text[768];               /* what failed, on what, why */
  char advice[384];             /* what the user can do; may be empty */
};

#define CS_ERR_INIT { 0, "", "" }

/* Fill ERR (which may be NULL) and return -CODE, so that failing is one
   line: `return cs_err_set (err, CS_E_DAMAGED, ...)`.  */
int cs_err_set (struct cs_err *err, int code, const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

/* The same for a system call that failed with ERRNUM; ": strerror" is added
   to the text, and the advice says what to do about want of descriptors or of
   room.  Returns -ERRNUM.  */
int cs_err_sys (struct cs_err *err, int errnum, const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

/* Put a prefix and ": " before the text of ERR.  Returns ERR's code.  Without
   an ERR to look at (NULL) this and the next two return -CS_E_REFUSED: where
   the code matters, have one.  */
int cs_err_prefix (struct cs_err *err, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* Set the advice: one sentence that tells the user what to do.  Returns
   ERR's code.  */
int cs_err_advise (struct cs_err *err, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* What failed may have been for want of address space: if this process has a
   limit of it, advise to raise that.  Returns ERR's code.  */
int cs_err_advise_space (struct cs_err *err);

/* The exit status (1 to 5) that the negative CODE stands for; 0 for 0.  */
int cs_err_status (int code);

#endif
