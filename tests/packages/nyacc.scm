;; SPDX-License-Identifier: LGPL-3.0-or-later
;; nyacc.scm -- grammars made and used, C parsed and printed.
;; package: nyacc
;; needs: (use-modules (nyacc lalr))
;;; load
(use-modules (nyacc lalr) (nyacc lex) (nyacc parse) (nyacc lang c99 parser) (nyacc lang c99 pprint))
(define spec
  (lalr-spec
   (prec< (left "+" "-") (left "*" "/"))
   (start expr)
   (grammar
    (expr (expr "+" expr ($$ (+ $1 $3))) (expr "-" expr ($$ (- $1 $3)))
          (expr "*" expr ($$ (* $1 $3))) ($fixed ($$ (string->number $1)))
          ("(" expr ")" ($$ $2))))))
(define machine (make-lalr-machine spec))
(define mtab (assq-ref machine 'mtab))
(define parse (make-lalr-parser machine))
(define gen-lexer (make-lexer-generator mtab))
(define (value text) (with-input-from-string text (lambda () (parse (gen-lexer)))))
(define (tree text) (with-input-from-string text parse-c99))
(define kept (tree "int f (int a) { return a + 1; }"))
;;; run
(write (value "1+2*(3-4)"))
(write (equal? kept (tree "int f (int a) { return a + 1; }")))
(pretty-print-c99 kept)
