/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* imported-user.c -- a library that needs those, by a longer way too.  */
/* after: imported-now */
/* flags: -L@OUT@ -Wl,--no-as-needed -l:imported-now@SUFFIX@.so -Wl,-rpath-link,@OUT@ -Wl,--allow-shlib-undefined */

extern int imported_user;
int imported_user = 1;
