#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# locale.bats -- the locale is the new process's; text comes out as it does
# from plain guile in that locale.

load helper

setup_file ()
{
  pristine
  # The file system's names of the locales this file uses.
  export UTF8=C.UTF-8
  LC_ALL=$UTF8 guile -c '(exit (string=? (port-encoding (current-output-port)) "UTF-8"))' ||
    export UTF8=
}

setup ()
{
  [ -n "$UTF8" ] || skip "no C.UTF-8 locale"
  store_new
}

# Run with LC_ALL=$1: guile with EXPR, then the store with EXPR; the bytes
# of stdout must agree.
same_bytes ()
{
  local locale=$1 expr=$2

  LC_ALL=$locale bounded guile -c "$expr" < /dev/null > want 2> want.err
  LC_ALL=$locale bounded cs-run "$STORE" -c "$expr" < /dev/null > got 2> got.err
  cmp want got && cmp want.err got.err
}

text='(display "caf\u00e9 \u03bb \u20ac \U01f600\n")'

@test "text is written in the locale of each process, C first" {
  same_bytes C "$text"
  same_bytes "$UTF8" "$text"
  same_bytes C "$text"
}

@test "text is written in the locale of each process, UTF-8 first" {
  same_bytes "$UTF8" "$text"
  same_bytes C "$text"
  same_bytes "$UTF8" "$text"
}

@test "a string made in UTF-8 is written in C, and the reverse" {
  LC_ALL=$UTF8 persist '(define s (string #\c (integer->char 233) (integer->char 955)))'
  LC_ALL=C bounded cs-run "$STORE" -c '(display s)' < /dev/null > got
  [ "$(cat got)" = 'c??' ]
  LC_ALL=$UTF8 bounded cs-run "$STORE" -c '(display s)' < /dev/null > got
  [ "$(od -An -tx1 < got)" = ' 63 c3 a9 ce bb' ]
  LC_ALL=C persist '(define t (string (integer->char 8364)))'
  LC_ALL=$UTF8 bounded cs-run "$STORE" -c '(display t)' < /dev/null > got
  [ "$(od -An -tx1 < got)" = ' e2 82 ac' ]
}

@test "LANG alone is followed too, and LC_ALL wins" {
  unset LC_ALL
  LANG=C persist "$text"
  LANG=$UTF8 bounded cs-run "$STORE" -c "$text" < /dev/null > got
  LANG=$UTF8 bounded guile -c "$text" < /dev/null > want
  cmp want got
  LANG=$UTF8 LC_ALL=C bounded cs-run "$STORE" -c "$text" < /dev/null > got
  LANG=$UTF8 LC_ALL=C bounded guile -c "$text" < /dev/null > want
  cmp want got
}

@test "a locale that does not exist is what it is for guile" {
  LC_ALL=xx_YY.UTF-8 bounded guile -c "$text" < /dev/null > want 2> want.err
  LC_ALL=xx_YY.UTF-8 bounded cs-run "$STORE" -c "$text" < /dev/null > got 2> got.err
  cmp want got
  # The warning begins with the program's name.
  sed 's/^[^:]*: *//' want.err > want.rest
  sed 's/^[^:]*: *//' got.err > got.rest
  cmp want.rest got.rest
}

@test "the encoding of the locale, by name" {
  local l
  for l in C "$UTF8" C; do
    same_bytes "$l" '(write (list ((@ (ice-9 i18n) locale-encoding)) (port-encoding (current-output-port)) (port-encoding (current-input-port)) (port-encoding (current-error-port))))'
    same_bytes "$l" '(write (list (fluid-ref %default-port-encoding) (port-conversion-strategy (current-output-port))))'
    same_bytes "$l" '(write (setlocale LC_ALL))'
  done
}

@test "input is decoded in the locale of the process" {
  printf 'caf\303\251 \316\273\n' > input
  local l
  for l in C "$UTF8" C; do
    LC_ALL=$l bounded guile -c '(use-modules (ice-9 rdelim)) (write (map char->integer (string->list (read-line))))' < input > want 2> want.err || true
    LC_ALL=$l bounded cs-run "$STORE" -c '(use-modules (ice-9 rdelim)) (write (map char->integer (string->list (read-line))))' < input > got 2> got.err || true
    cmp want got
  done
}

@test "arguments with bytes beyond ASCII" {
  local l
  for l in "$UTF8" C; do
    LC_ALL=$l bounded guile -c '(write (map (lambda (s) (map char->integer (string->list s))) (cdr (command-line))))' $'caf\303\251' < /dev/null > want
    LC_ALL=$l bounded cs-run "$STORE" -c '(write (map (lambda (s) (map char->integer (string->list s))) (cdr (command-line))))' $'caf\303\251' < /dev/null > got
    cmp want got
  done
}

@test "the expression of -c is decoded in the locale" {
  LC_ALL=$UTF8 bounded guile -c $'(write (string-length "\303\251\316\273"))' < /dev/null > want
  LC_ALL=$UTF8 bounded cs-run "$STORE" -c $'(write (string-length "\303\251\316\273"))' < /dev/null > got
  cmp want got
}

@test "names of files beyond ASCII" {
  : > $'caf\303\251'
  local l
  for l in "$UTF8" C "$UTF8"; do
    same_bytes "$l" '(use-modules (ice-9 ftw)) (write (map (lambda (s) (map char->integer (string->list s))) (scandir "." (lambda (n) (string-prefix? "caf" n)))))'
    same_bytes "$l" '(write (file-exists? "caf\u00e9"))'
  done
}

@test "error messages with text beyond ASCII" {
  local l
  for l in C "$UTF8"; do
    LC_ALL=$l same_as_guile -c '(error "caf\u00e9 \u03bb")'
    [ "$status" -eq 1 ]
  done
}

@test "the same script in UTF-8 read under C" {
  printf ';; coding: utf-8\n(display (map char->integer (string->list "\303\251\316\273")))\n' > s.scm
  local l
  for l in C "$UTF8"; do
    LC_ALL=$l same_as_guile s.scm
    printed '(233 955)'
  done
}

@test "the REPL in either locale" {
  printf '(string #\\a (integer->char 955))\n(display (integer->char 233))\n' > input
  local l
  for l in C "$UTF8"; do
    store_new
    INPUT=input LC_ALL=$l same_as_guile -q
  done
}

@test "a port's encoding set by the user is kept" {
  persist '(define p (open-output-file "file" #:encoding "ISO-8859-1")) (display (integer->char 233) p) (force-output p)'
  LC_ALL=$UTF8 persist '(display (integer->char 233) p) (close-port p)'
  [ "$(od -An -tx1 < file)" = ' e9 e9' ]
}

@test "iconv in progress: UTF-16 read half in one process, half in the next" {
  printf 'one\ntwo\303\251\n' | iconv -f UTF-8 -t UTF-16BE > file
  persist '(use-modules (ice-9 rdelim)) (define p (open-input-file "file" #:encoding "UTF-16BE")) (define a (read-line p))'
  answers '("one" (116 119 111 233))' '(write (list a (map char->integer (string->list (read-line p)))))'
}

@test "an encoding of several bytes, through iconv, over two processes" {
  printf '\346\227\245\346\234\254\350\252\236\n' | iconv -f UTF-8 -t EUC-JP > file
  persist '(define p (open-input-file "file" #:encoding "EUC-JP")) (define a (char->integer (read-char p)))'
  answers '(26085 26412 35486)' '(write (list a (char->integer (read-char p)) (char->integer (read-char p))))'
}

@test "conversion of strings and bytevectors in named encodings" {
  persist '(use-modules (ice-9 iconv)) (define b (string->bytevector (string (integer->char 8364)) "ISO-8859-15"))'
  answers '(#vu8(164) (8364) #vu8(128) #vu8(226 130 172))' '(write (list b (map char->integer (string->list (bytevector->string b "ISO-8859-15"))) (string->bytevector (string (integer->char 8364)) "CP1252") (string->bytevector (string (integer->char 8364)) "UTF-8")))'
}

@test "many ports with iconv handles are dropped and collected" {
  echo x > file
  persist '(define ps (map (lambda (i) (let ((p (open-input-file "file" #:encoding "ISO-8859-15"))) (read-char p) p)) (iota 100)))'
  persist '(set! ps #f)'
  answers 'ok' '(gc) (gc) (usleep 1000) (gc) (display "ok")'
}

@test "setlocale in one process, the environment's in the next" {
  LC_ALL=C persist "(setlocale LC_ALL \"$UTF8\")"
  LC_ALL=C answers '"C"' '(write (setlocale LC_ALL))'
  LC_ALL=$UTF8 answers "\"$UTF8\"" '(write (setlocale LC_ALL))'
}

@test "locale objects of (ice-9 i18n) go on" {
  persist "(use-modules (ice-9 i18n)) (define l (make-locale LC_ALL \"$UTF8\")) (define c (make-locale (list LC_CTYPE LC_COLLATE) \"C\"))"
  answers '(#t #t 201 "ABC")' '(write (list (locale? l) (string-locale<? "a" "b" c) (char->integer (char-locale-upcase (integer->char 233) l)) (string-locale-upcase "abc" l)))'
  answers '(1234 1.5 #t)' '(write (list (locale-string->integer "1234" 10 l) (locale-string->inexact "1.5" c) (string-locale-ci=? "ABC" "abc" l)))'
}

@test "locale objects dropped after a resume are finalised without harm" {
  persist "(use-modules (ice-9 i18n)) (define ls (map (lambda (i) (make-locale LC_ALL \"$UTF8\")) (iota 50)))"
  persist '(set! ls #f)'
  answers 'ok' '(gc) (gc) (usleep 1000) (gc) (display "ok")'
}

@test "numbers and dates do not follow a locale that nobody set" {
  same_bytes "$UTF8" '(use-modules (srfi srfi-19)) (write (list 1.5 (strftime "%A %B" (gmtime 0)) (date->string (time-utc->date (make-time time-utc 0 0) 0) "~A ~B")))'
  same_bytes C '(use-modules (srfi srfi-19)) (write (list 1.5 (strftime "%A %B" (gmtime 0)) (date->string (time-utc->date (make-time time-utc 0 0) 0) "~A ~B")))'
}

@test "the time zone is the new process's" {
  TZ=UTC persist '(define a (tm:hour (localtime 0)))'
  TZ=EST5 answers '(0 19)' '(write (list a (tm:hour (localtime 0))))'
  TZ=UTC answers '(0 0)' '(write (list a (tm:hour (localtime 0))))'
}

@test "character classes and case do not depend on the locale" {
  persist '(define (facts) (list (char-alphabetic? (integer->char 955)) (char->integer (char-upcase (integer->char 233))) (string-length (string-upcase (string (integer->char 223))))))'
  LC_ALL=C answers '(#t 201 1)' '(write (facts))'
  LC_ALL=$UTF8 answers '(#t 201 1)' '(write (facts))'
}
