/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* err.c -- error records.  */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "err.h"

/* Make control characters in TEXT, which has room for LEN bytes, visible:
   names come from files that may be damaged, and a text has one line.  */
static void
make_visible (char *text, size_t len)
{
  char copy[sizeof ((struct cs_err *) NULL)->text];
  size_t used = 0;
  const char *c = text;

  while (*c && (unsigned char) *c >= 0x20 && *c != 0x7f)
    c++;
  if (!*c)
    return;
  snprintf (copy, sizeof copy, "%s", text);
  for (c = copy; *c && used + 4 < len; c++)
    if ((unsigned char) *c < 0x20 || *c == 0x7f)
      used += (size_t) sprintf (text + used, "\\%03o", (unsigned char) *c);
    else
      text[used++] = *c;
  text[used] = '\0';
}

static void
set_text (struct cs_err *err, int code, const char *format, va_list ap)
{
  err->code = -code;
  err->advice[0] = '\0';
  vsnprintf (err->text, sizeof err->text, format, ap);
  make_visible (err->text, sizeof err->text);
}

int
cs_err_set (struct cs_err *err, int code, const char *format, ...)
{
  va_list ap;

  if (err)
    {
      va_start (ap, format);
      set_text (err, code, format, ap);
      va_end (ap);
    }
  return -code;
}

/* What the user can do about ERRNUM, whatever failed by it; NULL: it depends.  */
static const char *
advice_for (int errnum)
{
  switch (errnum)
    {
    case EMFILE:
      return "raise the limit of open files: ulimit -n";
    case ENFILE:
      return "the whole system has no descriptors left: end other programs,"
             " or raise fs.file-max (sysctl)";
    case EFBIG:
      return "raise the limit of the length of files: ulimit -f";
    case ENOSPC:
      return "make room on the file system, and try again";
    case EDQUOT:
      return "make room within your quota, and try again";
    default:
      return NULL;
    }
}

int
cs_err_sys (struct cs_err *err, int errnum, const char *format, ...)
{
  va_list ap;
  size_t len;

  if (err)
    {
      va_start (ap, format);
      set_text (err, errnum, format, ap);
      va_end (ap);
      len = strlen (err->text);
      snprintf (err->text + len, sizeof err->text - len, ": %s",
                strerror (errnum));
      if (advice_for (errnum))
        cs_err_advise (err, "%s", advice_for (errnum));
    }
  return -errnum;
}

int
cs_err_prefix (struct cs_err *err, const char *format, ...)
{
  char text[sizeof err->text];
  va_list ap;
  size_t len;

  if (!err)
    return -CS_E_REFUSED;
  memcpy (text, err->text, sizeof text);
  va_start (ap, format);
  vsnprintf (err->text, sizeof err->text, format, ap);
  va_end (ap);
  make_visible (err->text, sizeof err->text);
  len = strlen (err->text);
  snprintf (err->text + len, sizeof err->text - len, ": %s", text);
  return err->code;
}

int
cs_err_advise (struct cs_err *err, const char *format, ...)
{
  va_list ap;

  if (!err)
    return -CS_E_REFUSED;
  va_start (ap, format);
  vsnprintf (err->advice, sizeof err->advice, format, ap);
  va_end (ap);
  make_visible (err->advice, sizeof err->advice);
  return err->code;
}

int
cs_err_advise_space (struct cs_err *err)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    cs_err_advise (err, "raise the limit of address space: ulimit -v");
  return err ? err->code : -CS_E_REFUSED;
}

int
cs_err_status (int code)
{
  if (code == 0)
    return 0;
  if (code <= -CS_E_REFUSED && code >= -CS_E_INCOMPATIBLE)
    return -code - CS_E_REFUSED + 1;
  return 1;
}
