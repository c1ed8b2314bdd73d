#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# handles.bats -- what libc keeps for a program: directory streams, iterators
# over its databases, message domains, locales, conversions.  Each case runs in
# the locales C and C.UTF-8, and is left by exit and by a kill that followed a
# checkpoint.

# shellcheck disable=SC2154     # output, stderr and status are set by run
load helper

# Run EXPR and leave in the way $how.
leave ()
{
  if [ "$how" = exit ]; then
    persist "$1"
  else
    run_in "$STORE" "(begin (use-modules (coldstore)) $1 (checkpoint!) (kill (getpid) SIGKILL))"
    [ "$status" -eq 137 ] || show
  fi
}

# Call the function $1 in each way, in each locale, with a store as it was
# made.
each_way ()
{
  local locale

  for locale in C C.UTF-8; do
    for how in exit kill; do
      cp --sparse=always "$PRISTINE" "$STORE"
      LC_ALL=$locale "$1" || { echo "LC_ALL=$locale, left by $how"; return 1; }
    done
  done
}

said='(define (said thunk) (catch #t (lambda () (thunk)) (lambda (k . a) (call-with-output-string (lambda (out) (print-exception out #f k a))))))'

directories ()
{
  leave '(define d (opendir "d")) (define e (opendir "d")) (define n (readdir d)) (define closed (opendir "d")) (closedir closed)'
  run_in "$STORE" "$said (display (said (lambda () (readdir d)))) (display (said (lambda () (readdir e)))) (display (said (lambda () (readdir closed)))) (write (map directory-stream? (list d e)))"
  ended 0
  [ "$(grep -c "directory stream of '$PWD/d': an earlier process opened it, and it ended with that; rewinddir begins anew" <<< "$output")" -eq 2 ] || show
  [[ $output == *'is not open'*'(#t #t)' ]] || show
  answers '("." ".." "a" "b")' '(rewinddir d) (write (sort (let loop ((l (list))) (let ((n (readdir d))) (if (eof-object? n) l (loop (cons n l))))) string<?)) (closedir d)'
  answers '#t' '(closedir e) (set! d #f) (set! e #f) (gc) (gc) (write #t)'
}

@test "directory streams end, say so, and begin anew" {
  mkdir d
  touch d/a d/b
  each_way directories
}

dropped_directories ()
{
  leave '(define ds (map (lambda (i) (opendir "/")) (iota 50)))'
  answers '#t' '(define ps (map (lambda (i) (open-input-file "/dev/zero")) (iota 80))) (set! ds #f) (gc) (gc) (usleep 1000) (gc) (for-each read-char ps) (write #t)'
}

@test "directory streams that are collected close nobody's descriptor" {
  each_way dropped_directories
}

@test "a directory that is gone: rewinding changes nothing" {
  mkdir d
  how='exit'
  leave '(define d (opendir "d"))'
  rmdir d
  run_in "$STORE" "$said (rewinddir d) (display (said (lambda () (readdir d)))) (closedir d)"
  ended 0
  [[ $output == *'an earlier process opened it'* ]] || show
}

# The first entries, as plain Guile says.
iterators ()
{
  leave "(define first (list $1)) (define second (list $1))"
  answers '#t' "(write (equal? first (list $1)))"
  answers '#t' "(setpw) (setgr) (write (equal? first (list $1)))"
}

users ()
{
  iterators '(and=> (getpwent) passwd:name) (and=> (getgrent) group:name)'
}

hosts ()
{
  iterators '(and=> (false-if-exception (gethostent)) hostent:name) (and=> (false-if-exception (getservent)) servent:name) (and=> (false-if-exception (getprotoent)) protoent:name) (and=> (false-if-exception (getnetent)) netent:name)'
}

@test "iterators over users and groups begin anew" {
  each_way users
}

@test "iterators over hosts, services, protocols and networks begin anew" {
  each_way hosts
}

@test "what iterators found, and look-ups, stay" {
  how='kill'
  leave '(define u (getpwnam "root")) (define h (getaddrinfo "127.0.0.1" "80" AI_NUMERICHOST)) (getpwent)'
  answers '("root" 0 2130706433 "root")' '(write (list (passwd:name u) (passwd:uid u) (sockaddr:addr (addrinfo:addr (car h))) (passwd:name (getpwuid 0))))'
}

# A catalogue of one message: $1 in the folder $2.
catalogue ()
{
  local id='hello' text=$1
  local n
  n=$(printf '\\%03o' "${#text}")

  mkdir -p "$2/xx/LC_MESSAGES"
  {
    printf '\336\022\004\225\000\000\000\000\002\000\000\000\034\000\000\000\054\000\000\000\000\000\000\000\074\000\000\000'
    # Two of them, the header with the encoding first: lengths and offsets.
    printf '\000\000\000\000\074\000\000\000\005\000\000\000\075\000\000\000'
    printf '\047\000\000\000\103\000\000\000%b\000\000\000\153\000\000\000' "$n"
    printf '\000%s\000' "$id"
    printf 'Content-Type: text/plain; charset=UTF-8\000%s\000' "$text"
  } > "$2/xx/LC_MESSAGES/dom.mo"
}

domains ()
{
  leave "(textdomain \"dom\") (bindtextdomain \"dom\" \"$PWD/cat\") (bind-textdomain-codeset \"dom\" \"UTF-8\")"
  answers "(\"dom\" \"$PWD/cat\" \"UTF-8\")" '(write (list (textdomain) (bindtextdomain "dom") (bind-textdomain-codeset "dom")))'
  # Translations are those of the new process's locale.
  LC_ALL=C answers '("hello")' '(write (list (gettext "hello")))'
  LC_ALL=C.UTF-8 LANGUAGE=xx answers '("salut" "salut" "other")' '(write (list (gettext "hello") (gettext "hello" "dom") (gettext "other")))'
}

@test "message domains are set again, translations follow the locale" {
  catalogue salut cat
  LC_ALL=C.UTF-8 LANGUAGE=xx run --separate-stderr bounded guile -c "(textdomain \"dom\") (bindtextdomain \"dom\" \"$PWD/cat\") (display (gettext \"hello\"))"
  [ "$output" = salut ] || skip "libc does not read the catalogue: $output $stderr"
  each_way domains
}

locales ()
{
  leave '(use-modules (ice-9 i18n)) (define u (make-locale LC_ALL "C.UTF-8")) (define c (make-locale (list LC_COLLATE LC_CTYPE) "C")) (define m (make-locale LC_NUMERIC "C" u)) (define g %global-locale)'
  answers '(#t #t 201 42 1.5 #t)' '(write (list (locale? u) (string-locale<? "a" "b" c) (char->integer (char-locale-upcase (integer->char 233) u)) (locale-string->integer "42" 10 c) (locale-string->inexact "1.5" m) (string-locale-ci=? "A" "a" g)))'
  answers '#t' '(set! u #f) (set! c #f) (set! m #f) (gc) (gc) (usleep 1000) (gc) (write (locale? (make-locale LC_ALL "C")))'
}

@test "locale objects name their locale" {
  each_way locales
}

@test "a locale that is not installed any more is C" {
  locale -a 2> /dev/null | grep -qx 'C.utf8' || skip "no C.utf8"
  how='exit'
  mkdir l
  cp -r /usr/lib/locale/C.utf8 l/xx_XX.utf8 2> /dev/null || skip "no files of a locale"
  LOCPATH=$PWD/l leave '(use-modules (ice-9 i18n)) (define l (make-locale LC_ALL "xx_XX.UTF-8"))'
  answers '(#t "ABC" 12)' '(write (list (locale? l) (string-locale-upcase "abc" l) (locale-string->integer "12" 10 l)))'
}

conversions ()
{
  printf '\303\251\316\273\n' | iconv -f UTF-8 -t "$encoding" > in
  printf '\303\251\316\273\n\303\251\316\273\n' | iconv -f UTF-8 -t "$encoding" > want
  leave "(define i (open-file \"in\" \"r\" #:encoding \"$encoding\")) (define a (read-char i)) (define o (open-file \"out\" \"w\" #:encoding \"$encoding\")) (define text (list->string (map integer->char (list 233 955 10)))) (display text o) (define latin (open-file \"latin\" \"w\" #:encoding \"ISO-8859-15\")) (write-char #\\a latin)"
  answers '(233 955 10)' '(display text o) (close-port o) (write-char (integer->char 8364) latin) (close-port latin) (write (map char->integer (list a (read-char i) (read-char i))))'
  cmp out want
  [ "$(od -An -tx1 < latin)" = ' 61 a4' ]
}

@test "conversions in ports go on" {
  for encoding in UTF-8 UTF-16LE UTF-32BE GB18030; do
    each_way conversions
  done
}

shifted ()
{
  printf '\346\227\245\346\234\254\350\252\236 x\n' | iconv -f UTF-8 -t ISO-2022-JP > in
  leave '(define i (open-file "in" "r" #:encoding "ISO-2022-JP")) (define a (read-char i)) (define o (open-file "out" "w" #:encoding "ISO-2022-JP")) (write-char (integer->char 26085) o)'
  answers '(26085 26412 35486 32)' '(display (list->string (map integer->char (list 26412 35486 32 120 10))) o) (close-port o) (write (map char->integer (list a (read-char i) (read-char i) (read-char i))))'
  [ "$(iconv -f ISO-2022-JP -t UTF-8 out | od -An -tx1)" = ' e6 97 a5 e6 9c ac e8 aa 9e 20 78 0a' ]
}

@test "a conversion goes on in the same shift state" {
  each_way shifted
}
