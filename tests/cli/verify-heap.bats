#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# verify-heap.bats -- cs-inspect --verify-heap: each pointer of each object.

load helper

# A workspace with objects of all types.
setup_file ()
{
  export BATS_TEST_TIMEOUT=150 GUILE_AUTO_COMPILE=0
  store_for_file
  cat >"$BATS_FILE_TMPDIR/all.scm" <<'END'
(use-modules (ice-9 threads) (ice-9 regex) (ice-9 i18n) (ice-9 atomic)
             (ice-9 weak-vector) (ice-9 control) (srfi srfi-9) (oop goops)
             (system foreign) (rnrs bytevectors) (system vm frame))
(define-record-type point (make-point x y) point? (x px) (y py))
(define-class <a> () (s #:init-value 3))
(define (table make) (let ((t (make))) (hash-set! t 'a (list 1)) t))
(define data
  (list 'sym (make-symbol "own") (gensym) #:key #\a #t '() 5 (expt 3 100)
        (- (expt 3 100)) (sqrt 2.0) (sqrt -2.0+i) 1/3
        (string-append "abc" "def") (string #\x3bb)
        (substring/shared (string-append "abc" "defghi") 2)
        (vector 1 (vector)) (make-bitvector 100 #t) (make-bytevector 5 1)
        (make-bytevector 3000 1) (bytevector->pointer (make-bytevector 9))
        (make-array (list 0) 2 3) (make-typed-array 'f64 0 2 2)
        (make-shared-array (make-array 0 4 4) (lambda (i) (list i i)) 4)
        (list->weak-vector (list 'a "b" #f)) (table make-hash-table)
        (table make-weak-key-hash-table) (table make-weak-value-hash-table)
        (table make-doubly-weak-hash-table)))
(define others
  (list (make-fluid 7) (make-thread-local-fluid 3) (current-dynamic-state)
        (make-parameter 3) (make-atomic-box (list 5)) (make-variable 3)
        (datum->syntax #f 'a) (delay (list 1)) (make-guardian) (make-mutex)
        (make-condition-variable) (make-hook 2) (string->char-set "abc")
        (seed->random-state 3) (make-regexp "a") (current-thread)
        (module-ref (current-module) 'let) (make-pointer 1234567)
        (make-locale LC_ALL "C") (opendir "/") (open-input-string "abc")
        (open-input-file "/dev/null") (make-vtable "pwuw")
        (make-struct/no-tail (make-vtable "pwpw") 1 (list 2))
        (make-point 1 (list 2)) (make <a>) (current-module)
        (let ((x (list 3))) (lambda () x)) (call/cc (lambda (k) k))
        (call-with-prompt 'p (lambda () (+ 1 (abort-to-prompt 'p)))
                          (lambda (k) k))
        (make-stack #t) (stack-ref (make-stack #t) 0)))
(define target (vector 'before 1234567 (list 'after)))
END
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run "$PRISTINE" -s \
    "$BATS_FILE_TMPDIR/all.scm" </dev/null 3>&-
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-inspect --apply "$PRISTINE" 3>&-
}

setup ()
{
  cd "$BATS_TEST_TMPDIR" || return
  cp --sparse=always "$PRISTINE" a.store
}

# Put the word $2 into element 1 of the vector `target`.
put_word ()
{
  local word=$(($(getconf LONG_BIT) / 8)) at bytes='' i

  # The tag of a vector of 3; behind the next word the fixnum.
  at=$(LC_ALL=C grep -obUaP "\x0d\x03\x00{$((word - 2))}.{$word}\x1e\x5a\x4b\x00" a.store \
       | sed -n '1s/:.*//p')
  [ -n "$at" ] || return
  for ((i = 0; i < word; i++)); do
    bytes+=$(printf '\\x%02x' $((($1 >> 8 * i) & 255)))
  done
  printf '%b' "$bytes" \
    | dd of=a.store bs=1 seek=$((at + 2 * word)) conv=notrunc status=none
}

# The address that cs-gc-roots prints for the binding $1.
address ()
{
  cs-gc-roots a.store | sed -n '/^MODULE (guile-user)/,/^$/p' \
    | awk -v name="$1" '$1 == name { print $3 }'
}

@test "nothing is found in a workspace with objects of all types" {
  try cs-inspect --verify-heap a.store
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^objects\ +[1-9][0-9]{4} ]]
  [[ ${lines[1]} =~ ^wrong\ +0$ ]]
}

@test "a pointer out of the image, with its path" {
  put_word 0x10
  try cs-inspect --verify-heap a.store
  ended 1
  complained "cs-inspect: 'a.store': 1 words of objects lead to no object"
  printed_part 'leads out of the image: element 1 of #(before'
  [[ $output =~ binding\ +\(guile-user\)\ target ]]
  [[ $output =~ variable\ +0x[0-9a-f]+\ +value\ 0 ]]
}

@test "a word that is no value" {
  put_word 1
  try cs-inspect --verify-heap a.store
  ended 1
  printed_part '0x1 is no value: element 1 of #(before'
}

@test "a pointer into the middle of an object" {
  put_word $(($(address data) + 8))
  try cs-inspect --verify-heap a.store
  ended 1
  printed_part 'leads into the middle of an object: element 1 of #(before'
}

@test "--json" {
  put_word 0x10
  try cs-inspect --json --verify-heap a.store
  ended 1
  [ "$(guile --no-auto-compile -s "$CS_SOURCE_DIR/tests/cli/json.scm" \
         '(ref d "verify_heap" "wrong")' \
         '(keys (ref d "verify_heap" "findings" 0))' \
         '(ref d "verify_heap" "findings" 0 "paths" 0 "name")' \
         <<<"$output" 3>&-)" = '1
("address" "field" "index" "word" "found" "paths")
"(guile-user) target"' ]
}

@test "flipped words never end it by a signal" {
  size=$(stat -c %s a.store)
  image=$(image_start)
  RANDOM=7
  for ((i = 0; i < 30; i++)); do
    cp --sparse=always "$PRISTINE" a.store
    for ((k = 0; k < 20; k++)); do
      printf '%b' "\\x$(printf %02x $((RANDOM % 256)))" \
        | dd of=a.store bs=1 conv=notrunc status=none \
          seek=$((image + (RANDOM * 32768 + RANDOM) % (size - image)))
    done
    status=0
    timeout -k 5 20 cs-inspect --verify-heap a.store >/dev/null 2>&1 3>&- \
      || status=$?
    [[ $status =~ ^[0145]$ ]]
  done
}
