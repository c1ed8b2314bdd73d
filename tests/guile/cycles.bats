#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cycles.bats -- many resumes, big heaps, and what they may cost.

load helper

# Bytes of the disk that the store takes.
blocks ()
{
  echo $(($(stat -c '%b * %B' "$STORE")))
}

# Set $heap to the length of the collector's heap, and $rest to what the store
# takes besides: the heap grows by a third of itself at a time, at a collection
# that happens to find too little.
measure ()
{
  heap=$(bounded cs-run --ephemeral "$STORE" -c \
    "(display (assq-ref (gc-stats) 'heap-size))" < /dev/null)
  rest=$(($(blocks) - heap))
}

@test "address space randomisation is on" {
  [ "$(cat /proc/sys/kernel/randomize_va_space)" -ne 0 ] ||
    skip "randomize_va_space is 0 on this machine"
  persist '(define x 1)'
  # Two runs, two places for libc: the stores above and below move nothing.
  run_in "$STORE" '(use-modules (ice-9 rdelim)) (display (call-with-input-file "/proc/self/maps" (lambda (p) (let loop ((l (read-line p))) (if (string-contains l "libc.so.6") (car (string-split l #\-)) (loop (read-line p)))))))'
  ended 0
  local first=$output
  run_in "$STORE" '(use-modules (ice-9 rdelim)) (display (call-with-input-file "/proc/self/maps" (lambda (p) (let loop ((l (read-line p))) (if (string-contains l "libc.so.6") (car (string-split l #\-)) (loop (read-line p)))))))'
  ended 0
  [ "$output" != "$first" ] || show
}

@test "a counter survives a hundred resumes, each with a collection" {
  persist '(define n 0) (define h (make-hash-table)) (define l (list))'
  local i
  for ((i = 1; i <= 100; i++)); do
    bounded cs-run "$STORE" -c '(gc) (set! n (1+ n)) (hash-set! h n (number->string n)) (set! l (cons (list n) l)) (gc)' < /dev/null
  done
  answers '(100 "57" 5050)' '(write (list n (hash-ref h 57) (apply + (map car l))))'
}

@test "the store stops growing over resumes that keep nothing" {
  persist "(use-modules (system base compile)) (define f #f)"
  local i heap rest early_heap early_rest
  for ((i = 1; i <= 80; i++)); do
    bounded cs-run "$STORE" -c "(set! f (compile '(lambda (x) (let loop ((i 0)) (if (< i 5000) (loop (1+ i)) x))) #:env (current-module))) (f 1) (make-vector 100000 0)" < /dev/null
    if [ "$i" -eq 30 ]; then
      measure
      early_heap=$heap early_rest=$rest
    fi
  done
  measure
  echo "after 30: $early_heap and $early_rest, after 80: $heap and $rest"
  [ $((rest - early_rest)) -le $((2 * 1024 * 1024)) ]
  [ "$heap" -le $((2 * early_heap)) ]
}

@test "resumes that do nothing stop adding to the size" {
  local i early
  # A collection a run moves free lists about for some time; then it is over.
  for ((i = 1; i <= 300; i++)); do
    bounded cs-run "$STORE" -c 1 < /dev/null
    # Without the log, which grows and is applied again and again.
    [ $((i % 100)) -ne 0 ] || bounded cs-inspect --apply "$STORE"
    [ "$i" -ne 200 ] || early=$(blocks)
  done
  echo "after 200: $early, after 300: $(blocks)"
  [ $(($(blocks) - early)) -le $((512 * 1024)) ]
}

@test "a hundred megabytes of pairs" {
  persist '(define big (iota 6000000))'
  answers '(6000000 5999999)' '(write (list (length big) (list-ref big 5999999)))'
  persist '(set-car! (list-tail big 3000000) (quote changed)) (gc)'
  answers '(changed 6000000)' '(gc) (write (list (list-ref big 3000000) (length big)))'
}

@test "a big heap dropped gives its memory to what comes after" {
  persist '(define big (iota 6000000))'
  persist '(set! big #f)'
  persist '(gc) (gc)'
  local before
  before=$(blocks)
  persist '(define again (iota 5000000))'
  answers '5000000' '(write (length again))'
  echo "before: $before, after: $(blocks)"
  [ $(($(blocks) - before)) -le $((40 * 1024 * 1024)) ]
}

@test "large blocks: bytevectors of tens of megabytes" {
  persist '(use-modules (rnrs bytevectors)) (define bv (make-bytevector 50000000 7))'
  persist '(bytevector-u8-set! bv 49999999 8) (gc)'
  answers '(7 8)' '(gc) (write (list (bytevector-u8-ref bv 25000000) (bytevector-u8-ref bv 49999999)))'
}

@test "a structure grown a little in each of thirty processes" {
  persist '(define tree (list))'
  local i
  for ((i = 0; i < 30; i++)); do
    bounded cs-run "$STORE" -c "(set! tree (cons (make-vector 1000 $i) tree)) (string->symbol \"s$i\")" < /dev/null
  done
  answers '(30 435000)' '(gc) (write (list (length tree) (apply + (map (lambda (v) (apply + (vector->list v))) tree))))'
}

@test "two stores know nothing of each other" {
  store_new other
  persist '(define x (quote mine))'
  STORE=$BATS_TEST_TMPDIR/other.store persist '(define x (quote theirs))'
  answers 'mine' '(write x)'
  STORE=$BATS_TEST_TMPDIR/other.store answers 'theirs' '(write x)'
}

@test "a copy of a store is a store of its own" {
  persist '(define x 1)'
  cp --sparse=always "$STORE" copy.store
  persist '(set! x 2)'
  STORE=$PWD/copy.store answers 1 '(write x)'
  answers 2 '(write x)'
}

@test "a store goes on after it was renamed" {
  persist '(define x 1)'
  mv "$STORE" renamed.store
  STORE=$PWD/renamed.store answers 1 '(write x)'
}

@test "the collector and the compiler worked hard over ten processes" {
  persist "(use-modules (system base compile) (srfi srfi-1)) (define sizes (list))"
  local round               # run has an i of its own
  for ((round = 0; round < 10; round++)); do
    persist "(define t$round (compile '(lambda (d) (let loop ((d d)) (if (zero? d) '() (cons (loop (1- d)) (loop (1- d)))))) #:env (current-module))) (define v$round (t$round 14)) (set! sizes (cons (let count ((t v$round)) (if (null? t) 1 (+ (count (car t)) (count (cdr t))))) sizes))"
  done
  answers '#t' '(gc) (write (every (lambda (n) (= n 16384)) sizes))'
}

# libc's addresses and the JIT's counters are other ones in each run, in 60 pages
# of a new workspace.
@test "a run that does nothing saves neither addresses nor counters" {
  local life

  for life in 1 2 3 4; do
    persist "$life"
  done
  cs-inspect --history --json "$STORE" >"$BATS_TEST_TMPDIR/history"
  awk 'match ($0, /"pages": [0-9]+/) {
         pages = substr ($0, RSTART + 9, RLENGTH - 9)
         if (pages > 0 && (!least || pages < least)) least = pages
       }
       END { print least " pages"; exit !(least > 0 && least <= 60) }' \
    "$BATS_TEST_TMPDIR/history"
}
