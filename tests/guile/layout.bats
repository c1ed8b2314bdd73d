#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# layout.bats -- the table of Guile's objects (libcs/image/objects.c) against
# the interpreter and its collector, object by object.

load helper

# shellcheck disable=SC2154     # output, stderr and status are set by run

compile_lister ()
{
  local archive=$CS_BUILD_DIR/libcs.a flags=()

  if nm "$archive" 2> /dev/null | grep -q __asan_init; then
    flags=(-fsanitize={address,undefined})
  fi
  # shellcheck disable=SC2046     # several words
  cc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 "${flags[@]}" \
    -I"$CS_SOURCE_DIR/libcs" -o list-objects \
    "$CS_SOURCE_DIR/tests/guile/list-objects.c" "$archive" \
    $(pkg-config --cflags guile-3.0) -lelf -lz -lpthread -ldl
}

# (dump-live FILE): collect, and print address and length of what is left, as
# the collector has it.
live_extension ()
{
  extension live -lgc << 'E'
#include <gc/gc.h>
#include <gc/gc_mark.h>
#include <libguile.h>
#include <stdio.h>
static char buffer[1 << 20];
static void
note (void *object, size_t len, void *file)
{
  fprintf (file, "%lu %zu\n", (unsigned long) object, len);
}
static void *
all (void *file)
{
  GC_enumerate_reachable_objects_inner (note, file);
  return NULL;
}
static SCM
dump (SCM name)
{
  FILE *file = fopen (scm_to_locale_string (name), "w");
  setvbuf (file, buffer, _IOFBF, sizeof buffer);
  GC_gcollect ();
  GC_call_with_alloc_lock (all, file);
  fclose (file);
  return SCM_UNSPECIFIED;
}
void
init (void)
{
  scm_c_define_gsubr ("dump-live", 1, 0, 0, dump);
}
E
}

# Objects of all types, each with the kind that the table should say, in `all`.
objects ()
{
  cat << 'E'
(use-modules (ice-9 threads) (ice-9 atomic) (ice-9 weak-vector) (srfi srfi-4)
             (srfi srfi-9) (oop goops) (system foreign) (rnrs bytevectors)
             (system vm frame))
(define-record-type point (make-point x y) point? (x px) (y py))
(define-class <a> () (s #:init-value 3))
(define all
  `((pair . ,(list 1)) (symbol . ,(make-symbol "own")) (keyword . #:a-key)
    (string . ,(string-append "a" "b")) (big-integer . ,(expt 3 100))
    (big-integer . ,(- (expt 3 1000))) (real . ,(sqrt 2.0))
    (complex . ,(sqrt -2.0+i)) (fraction . ,(/ (string->number "1") 3))
    (vector . ,(make-vector 7 #f)) (weak-vector . ,(make-weak-vector 9 #f))
    (bytevector . ,(make-bytevector 77 1)) (bytevector . ,(make-f64vector 5 1))
    (bytevector . ,((@ (ice-9 iconv) string->bytevector) "abc" "ISO-8859-15"))
    (bitvector . ,(make-bitvector 100 #t)) (array . ,(make-array 0 2 3))
    (hash-table . ,(make-hash-table)) (weak-table . ,(make-weak-key-hash-table))
    (variable . ,(make-variable 1)) (fluid . ,(make-fluid 1))
    (dynamic-state . ,(current-dynamic-state))
    (atomic-box . ,(make-atomic-box 1)) (syntax . ,(datum->syntax #f 'a))
    (procedure . ,(let ((a (random 2)) (b (random 2)) (c (random 2)))
                    (lambda () (list a b c))))
    (pointer . ,(make-pointer 4711)) (port . ,(open-input-string "abc"))
    (smob . ,(make-mutex)) (smob . ,(make-hook 1)) (smob . ,(delay 1))
    (record . ,(make-point 1 2)) (record . ,(make <a>))
    (record-type . ,point) (record-type . ,<a>) (module . ,(current-module))
    (frame . ,(stack-ref (make-stack #t) 0))))
E
}

@test "each object is of the kind that Guile says, and as long as the collector says" {
  compile_lister
  live_extension
  { objects; cat << E; } > dump.scm
(load-extension "$PWD/liblive" "init")
(call-with-output-file "told"
  (lambda (port)
    (for-each (lambda (e)
                (display (object-address (cdr e)) port)
                (display " " port)
                (write (car e) port)
                (newline port))
              all)))
(dump-live "live")
((@ (coldstore) checkpoint!))
(kill (getpid) SIGKILL)
E
  run --separate-stderr bounded cs-run "$STORE" -s dump.scm < /dev/null
  ended 137
  ./list-objects "$STORE" > nodes
  [ "$(wc -l < told)" -eq 35 ]
  awk 'NR == FNR { kind[$1] = $4; next }
       kind[$1] != $2 { print $1, "is a", $2 ", not a", kind[$1] }' \
    nodes told > wrong
  [ ! -s wrong ] || { cat wrong; false; }
  # No object is longer than the collector's block, or so short that a block
  # of half the length would do: its classes lie nearer.
  awk '$3 > 0 && ($2 > $3 || ($4 != "block" && 2 * $2 <= $3 && $3 > 16))' \
    nodes > wrong
  [ ! -s wrong ] || { head wrong; false; }
  # The collector has the same objects; a checkpoint makes some more.
  awk 'NR == FNR { len[$1] = $2; next }
       $3 == 0 { next }
       { nr++ }
       !($1 in len) { new++; next }
       len[$1] != $3 { print "length of", $0, "is", len[$1] }
       END { print nr + 0, new + 0 > "counts" }' live nodes > wrong
  [ ! -s wrong ] || { head wrong; false; }
  read -r nr new < counts
  [ "$nr" -gt 30000 ]
  [ "$new" -lt 1000 ] || { cat counts; false; }
}

@test "what the collector keeps is found, but for its tables and its free lists" {
  compile_lister
  live_extension
  persist "(load-extension \"$PWD/liblive\" \"init\")"
  killed '(dump-live "live")'
  ./list-objects "$STORE" > nodes
  awk 'NR == FNR { node[$1]; next }
       $1 in node { found++; next }
       { lost++ }
       END { print found, lost; exit !(found > 20 * lost) }' nodes live
}
