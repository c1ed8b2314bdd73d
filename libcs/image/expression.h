/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* expression.h -- an object named by a binding and a way from there.

     EXPRESSION  ::=  START ACCESSOR...          separated by blanks
     START       ::=  NAME                       in module (guile-user)
                  |   (MODULE NAME...) NAME
                  |   0xADDRESS                  of an object
     ACCESSOR    ::=  car | cdr | cadr ...       of pairs
                  |   [N]                        of a list, vector, struct
                  |   value                      of a variable, an atomic box
                  |   NAME                       a field of a record

   It is evaluated on the image: nothing is run.  */
#ifndef CS_EXPRESSION_H
#define CS_EXPRESSION_H

#include "image/graph.h"

/* The value of TEXT.  -CS_E_REFUSED if it has none: the message says which
   part, and what it met.  */
int cs_expression_value (const struct cs_graph *graph, const char *text,
                         uint64_t *value, struct cs_err *err);

#endif
