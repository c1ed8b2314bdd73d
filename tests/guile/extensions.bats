#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# extensions.bats -- libraries that refer to libguile: carried by the store.

load helper

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
}

# Everything an extension may have: objects in its variables, static
# functions as primitives, a type of its own, memory, a constructor.
full_extension ()
{
  extension e <<'E'
#include <stdlib.h>
#include <string.h>
#include <libguile.h>
static SCM held = SCM_BOOL_F;
static SCM table;
static char *name;
static int constructed, destroyed, calls;
static scm_t_bits tag;
static SCM hold (SCM x) { SCM old = held; held = x; return old; }
static SCM get (void) { return held; }
static SCM note (SCM key, SCM value) { return scm_hash_set_x (table, key, value); }
static SCM noted (SCM key) { return scm_hash_ref (table, key, SCM_BOOL_F); }
static SCM set_name (SCM x) { free (name); name = scm_to_locale_string (x); return x; }
static SCM get_name (void) { return scm_from_locale_string (name); }
static SCM wrap (SCM x) { SCM_RETURN_NEWSMOB (tag, SCM_UNPACK (x)); }
static SCM unwrap (SCM x)
{
  scm_assert_smob_type (tag, x);
  return SCM_PACK (SCM_SMOB_DATA (x));
}
static SCM mark (SCM x) { return SCM_PACK (SCM_SMOB_DATA (x)); }
static int print (SCM x, SCM port, scm_print_state *state)
{
  (void) x; (void) state;
  scm_puts ("#<wrapped>", port);
  return 1;
}
static SCM counts (void)
{
  return scm_list_3 (scm_from_int (constructed), scm_from_int (destroyed),
                     scm_from_int (++calls));
}
static void __attribute__ ((constructor)) construct (void) { constructed++; }
static void __attribute__ ((destructor)) destroy (void) { destroyed++; }
SCM exported (SCM x) { return scm_sum (x, x); }
int variable = 7;
void init_e (void)
{
  table = scm_c_make_hash_table (8);
  tag = scm_make_smob_type ("wrapped", 0);
  scm_set_smob_mark (tag, mark);
  scm_set_smob_print (tag, print);
  scm_c_define_gsubr ("hold", 1, 0, 0, hold);
  scm_c_define_gsubr ("get", 0, 0, 0, get);
  scm_c_define_gsubr ("note", 2, 0, 0, note);
  scm_c_define_gsubr ("noted", 1, 0, 0, noted);
  scm_c_define_gsubr ("set-name", 1, 0, 0, set_name);
  scm_c_define_gsubr ("get-name", 0, 0, 0, get_name);
  scm_c_define_gsubr ("wrap", 1, 0, 0, wrap);
  scm_c_define_gsubr ("unwrap", 1, 0, 0, unwrap);
  scm_c_define_gsubr ("counts", 0, 0, 0, counts);
  scm_c_define_gsubr ("exported", 1, 0, 0, exported);
}
E
}

fill="(define (churn) (do ((i 0 (1+ i))) ((= i 200000)) (make-list 10 i)) (gc))
(hold (list (number->string 1) (number->string 2)))
(note (string->symbol \"k\") (iota 5)) (set-name \"a name\")
(define w (wrap (list (number->string 3)))) (counts)"

look='(churn) (write (list (get) (noted (quote k)) (get-name) w (unwrap w) (exported 21)))'
seen='(("1" "2") (0 1 2 3 4) "a name" #<wrapped> ("3") 42)'

@test "what an extension holds in its variables is there in the next process" {
  full_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") $fill"
  answers "$seen" "$look"
  answers "$seen" "$look"
}

@test "and after a kill" {
  full_extension
  killed "(load-extension \"$PWD/libe\" \"init_e\") $fill"
  answers "$seen" "$look"
  killed '(note 1 2)'
  answers "$seen" "$look"
}

@test "it goes on without being asked: nothing is loaded or initialized again" {
  full_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (counts)"
  rm libe.so
  answers '(1 0 2)' '(write (counts))'
  killed '(counts)'
  answers '(1 0 4)' '(write (counts))'
}

@test "its variables are roots of the collector, also in later processes" {
  full_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") $fill"
  answers '("later")' '(hold (list (string-append "la" "ter"))) (churn) (churn) (write (get))'
  answers '("later")' '(churn) (write (get))'
}

@test "loaded in an ephemeral run and in a forked child, saved by neither" {
  full_extension
  run --separate-stderr bounded cs-run --ephemeral "$STORE" -c "(load-extension \"$PWD/libe\" \"init_e\") (write (exported 4))" < /dev/null
  ended 0
  printed 8
  answers '80' "(let ((pid (primitive-fork))) (if (zero? pid) (begin (load-extension \"$PWD/libe\" \"init_e\") (write (exported 4)) (force-output) (primitive-_exit 0)) (write (cdr (waitpid pid)))))"
  answers '#f' '(write (defined? (quote exported)))'
  [ "$(cs-inspect --libraries "$STORE" | grep -c libe.so)" -eq 0 ]
}

@test "an extension that does not say that it needs libguile" {
  # shellcheck disable=SC2046     # several words
  c_library u $(pkg-config --cflags guile-3.0) <<'E'
#include <libguile.h>
static SCM kept = SCM_EOL;
static SCM push (SCM x) { kept = scm_cons (x, kept); return kept; }
void init_u (void) { scm_c_define_gsubr ("push", 1, 0, 0, push); }
E
  persist "(load-extension \"$PWD/libu\" \"init_u\") (push (string #\\a))"
  answers '(2 "a")' '(gc) (write (push 2))'
}

@test "one that needs another one: both are carried" {
  extension base -Wl,-soname,libbase.so <<'E'
#include <libguile.h>
static SCM all = SCM_EOL;
SCM base_push (SCM x) { all = scm_cons (x, all); return all; }
E
  extension top -L. -lbase <<'E'
#include <libguile.h>
SCM base_push (SCM x);
static int n;
static SCM push (SCM x) { return scm_cons (scm_from_int (++n), base_push (x)); }
void init_top (void) { scm_c_define_gsubr ("push", 1, 0, 0, push); }
E
  persist "(load-extension \"$PWD/libtop\" \"init_top\") (push 1)"
  rm libbase.so libtop.so
  answers '(2 2 1)' '(write (push 2))'
  killed '(push 3)'
  answers '(4 4 3 2 1)' '(gc) (write (push 4))'
}

@test "one found by its bare name" {
  full_extension
  persist '(load-extension "libe" "init_e") (hold 5)'
  answers '5' '(write (get))'
  [ "$(cs-inspect --libraries "$STORE" | grep -c "^libe.so .*$PWD/libe.so")" -eq 1 ]
}

@test "functions and variables of an extension through the foreign interface" {
  full_extension
  persist "(use-modules (system foreign)) (define l (dynamic-link \"$PWD/libe\")) (define f (pointer->procedure '* (dynamic-func \"exported\" l) '(*))) (define v (dynamic-pointer \"variable\" l)) (define bv (pointer->bytevector v 4))"
  killed "(use-modules (rnrs bytevectors)) (bytevector-s32-native-set! bv 0 8)"
  answers '(8 8 42)' "(write (list (bytevector-s32-native-ref bv 0) (bytevector-s32-native-ref (pointer->bytevector v 4) 0) (pointer->scm (f (scm->pointer 21)))))"
}

@test "loaded again, it is the one that is there" {
  full_extension
  persist "(load-extension \"$PWD/libe\" \"init_e\") (hold 6)"
  answers '(6 (1 0 1))' "(load-extension \"$PWD/libe\" \"init_e\") (write (list (get) (counts)))"
  [ "$(cs-inspect --libraries "$STORE" | grep -c '^libe.so')" -eq 1 ]
}

@test "another build, loaded again, is carried beside the one before" {
  extension e <<'E'
#include <libguile.h>
static SCM which (void) { return scm_from_int (1); }
void init_e (void) { scm_c_define_gsubr ("which", 0, 0, 0, which); }
E
  persist "(load-extension \"$PWD/libe\" \"init_e\") (define old which)"
  extension e <<'E'
#include <libguile.h>
static SCM which (void) { return scm_from_int (2); }
void init_e (void) { scm_c_define_gsubr ("which", 0, 0, 0, which); }
E
  answers '(1 1)' '(write (list (old) (which)))'
  persist "(load-extension \"$PWD/libe\" \"init_e\")"
  answers '(1 2)' '(write (list (old) (which)))'
  [ "$(cs-inspect --libraries "$STORE" | grep -c '^libe.so')" -eq 2 ]
}

@test "an extension that cannot be loaded leaves nothing behind" {
  c_library missing -Wl,-soname,libmissing.so <<< 'int missing (void) { return 1; }'
  extension e -L. -lmissing <<'E'
#include <libguile.h>
int missing (void);
SCM f (void) { return scm_from_int (missing ()); }
void init_e (void) { scm_c_define_gsubr ("f", 0, 0, 0, f); }
E
  rm libmissing.so
  same_as_guile -c "(load-extension \"$PWD/libe\" \"init_e\")"
  [ "$status" -eq 1 ]
  complained libmissing.so
  answers 'caught' "(catch #t (lambda () (load-extension \"$PWD/libe\" \"init_e\")) (lambda _ (display 'caught)))"
  [ "$(cs-inspect --libraries "$STORE" | grep -c libe.so)" -eq 0 ]
  cs-inspect --check "$STORE"
  c_library missing -Wl,-soname,libmissing.so <<< 'int missing (void) { return 5; }'
  persist "(load-extension \"$PWD/libe\" \"init_e\")"
  answers '5' '(write (f))'
}

@test "fluids and threads of an extension" {
  extension e <<'E'
#include <libguile.h>
static SCM fluid;
static SCM use (SCM x) { return scm_fluid_set_x (fluid, x); }
static SCM value (void) { return scm_fluid_ref (fluid); }
static void *body (void *x)
{
  return SCM_UNPACK_POINTER (scm_sum (SCM_PACK_POINTER (x), SCM_INUM1));
}
static SCM guile (SCM x)
{
  return SCM_PACK_POINTER (scm_with_guile (body, SCM_UNPACK_POINTER (x)));
}
void init_e (void)
{
  fluid = scm_make_fluid ();
  scm_c_define_gsubr ("use", 1, 0, 0, use);
  scm_c_define_gsubr ("value", 0, 0, 0, value);
  scm_c_define_gsubr ("guile", 1, 0, 0, guile);
}
E
  persist "(load-extension \"$PWD/libe\" \"init_e\") (use 'set)"
  answers '(set 4)' '(write (list (value) (guile 3)))'
}

# Objects that lead to what a library of the system has, by way of N blocks of
# the extension's own, the last of which has it at its end; or to another
# object that does.
chained_extension ()
{
  c_library state -Wl,-soname,libstate.so <<'E'
#include <stdlib.h>
void *state_new (void) { return calloc (1, 100); }
E
  extension e -L. -lstate <<'E'
#include <stdlib.h>
#include <libguile.h>
void *state_new (void);
static scm_t_bits tag;
static void *chain (int n, void *last)
{
  void **block;
  if (n == 0)
    return last;
  block = calloc (100, sizeof *block);
  block[n == 1 ? 99 : 5] = chain (n - 1, last);
  return block;
}
static SCM make (SCM n)
{
  return scm_new_smob (tag, (scm_t_bits) chain (scm_to_int (n), state_new ()));
}
static SCM make_own (SCM n)
{
  void *own = calloc (1, 100);
  return scm_new_smob (tag, (scm_t_bits) chain (scm_to_int (n), own));
}
/* In the third word. */
static SCM make_double (SCM n)
{
  return scm_new_double_smob (tag, 0, (scm_t_bits) chain (scm_to_int (n), state_new ()), 0);
}
static SCM wrap (SCM x) { return scm_new_smob (tag, SCM_UNPACK (x)); }
static SCM wrap_far (SCM x)
{
  void **block = scm_gc_malloc (sizeof *block, "block");
  *block = SCM_UNPACK_POINTER (x);
  return scm_new_smob (tag, (scm_t_bits) block);
}
static size_t release (SCM x) { (void) x; return 0; }
static SCM is_alive (SCM x) { return scm_from_bool (SCM_SMOB_PREDICATE (tag, x)); }
/* Of types whose objects the header makes. */
static scm_t_bits plain, marked;
static SCM mark (SCM x) { return SCM_SMOB_OBJECT_2 (x); }
static SCM make_plain (SCM y) { return scm_new_double_smob (plain, (scm_t_bits) state_new (), SCM_UNPACK (y), 0); }
static SCM make_single (void) { return scm_new_smob (plain, (scm_t_bits) state_new ()); }
static SCM make_number (SCM n) { return scm_new_smob (plain, scm_to_int (n)); }
static SCM make_marked (SCM y) { return scm_new_double_smob (marked, (scm_t_bits) state_new (), SCM_UNPACK (y), 0); }
static SCM second (SCM x) { return SCM_SMOB_OBJECT_2 (x); }
static SCM is_plain (SCM x) { return scm_from_bool (SCM_SMOB_PREDICATE (plain, x) || SCM_SMOB_PREDICATE (marked, x)); }
void init_e (void)
{
  plain = scm_make_smob_type ("plain", 0);
  marked = scm_make_smob_type ("marked", 0);
  scm_set_smob_mark (marked, mark);
  scm_c_define_gsubr ("make-plain", 1, 0, 0, make_plain);
  scm_c_define_gsubr ("make-single", 0, 0, 0, make_single);
  scm_c_define_gsubr ("make-number", 1, 0, 0, make_number);
  scm_c_define_gsubr ("make-marked", 1, 0, 0, make_marked);
  scm_c_define_gsubr ("second", 1, 0, 0, second);
  scm_c_define_gsubr ("plain?", 1, 0, 0, is_plain);
  tag = scm_make_smob_type ("chain", 0);
  scm_set_smob_free (tag, release);
  scm_c_define_gsubr ("make", 1, 0, 0, make);
  scm_c_define_gsubr ("make-own", 1, 0, 0, make_own);
  scm_c_define_gsubr ("make-double", 1, 0, 0, make_double);
  scm_c_define_gsubr ("wrap", 1, 0, 0, wrap);
  scm_c_define_gsubr ("wrap-far", 1, 0, 0, wrap_far);
  scm_c_define_gsubr ("alive?", 1, 0, 0, is_alive);
}
E
}

@test "objects end that lead to a library's memory over several blocks" {
  local leave
  chained_extension
  for leave in persist killed; do
    store_fresh
    $leave "(load-extension \"$PWD/libe\" \"init_e\")
      (define kinds (append (map make '(0 1 2 3 5 20)) (map make-double '(0 1 2 5))))
      (define own (append (map make-own '(0 1 2 5)) (list (wrap 'x))))
      (define both (list (wrap (list (car kinds))) (wrap-far (list (caddr kinds)))))"
    # Guile's objects are not followed: what they refer to has ended by itself.
    answers '((#f #f #f #f #f #f #f #f #f #f) (#t #t #t #t #t) (#t #t))' \
      '(gc) (write (map (lambda (l) (map alive? l)) (list kinds own both)))'
    answers '(#t #f)' '(gc) (define m (map make (list 3))) (write (list (alive? (car m)) (alive? (car kinds))))'
    answers '#f' '(write (alive? (car m)))'
  done
}

@test "objects of a type without functions end as others do" {
  local leave
  chained_extension
  for leave in persist killed; do
    store_fresh
    $leave "(load-extension \"$PWD/libe\" \"init_e\")
      (define all (list (make-plain (list 1 2)) (make-single) (make-number 7) (make-marked (list 3 4))))
      (use-modules (ice-9 weak-vector)) (define weak (make-weak-vector 1000))
      (let loop ((i 0)) (if (< i 1000) (begin (weak-vector-set! weak i (make-number i)) (loop (+ i 1)))))
      (gc) (gc)
      (if (not (equal? (map plain? all) '(#t #t #t #t))) (error \"not made\" all))
      (if (not (equal? (list (second (car all)) (second (cadddr all))) '((1 2) (3 4)))) (error \"not kept\"))
      (if (> (length (filter identity (map (lambda (i) (weak-vector-ref weak i)) (iota 1000)))) 100) (error \"not collected\"))"
    answers '(#f #f #t #f)' '(gc) (write (map plain? all))'
    answers '(#f #f #t #f (5 6))' '(define more (make-plain (list 5 6))) (gc) (write (append (map plain? all) (list (second more))))'
  done
}

# A library's own threads: a checkpoint finds them with no lock in their hands,
# and the next process has none of them.
@test "threads that an extension starts, and joins in a later process" {
  local end

  extension worker << 'E'
#include <libguile.h>
#include <pthread.h>
#include <signal.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static int shall_end;
static struct { volatile long first; char apart[8192]; volatile long second; } n;
static void *work (void *unused)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, NULL);
  for (int end = 0; !end;)
    {
      pthread_mutex_lock (&lock);
      n.first++;
      for (volatile int i = 0; i < 5000; i++)
        ;
      n.second++;
      end = shall_end;
      pthread_mutex_unlock (&lock);
    }
  return &n;
}
static SCM begin (void)
{
  sigset_t all, old;
  int code;

  shall_end = 0;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  code = pthread_create (&thread, 0, work, 0);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return scm_from_int (code);
}
static SCM end (void)
{
  void *result = &lock;
  pthread_mutex_lock (&lock);
  shall_end = 1;
  pthread_mutex_unlock (&lock);
  if (pthread_join (thread, &result) != 0)
    return SCM_BOOL_F;
  return scm_from_utf8_symbol (result ? "ended" : "gone");
}
static SCM look (void)
{
  pthread_mutex_lock (&lock);
  SCM r = scm_from_bool (n.first == n.second && n.first > 0);
  pthread_mutex_unlock (&lock);
  return r;
}
void init_worker (void)
{
  scm_c_define_gsubr ("begin!", 0, 0, 0, begin);
  scm_c_define_gsubr ("end!", 0, 0, 0, end);
  scm_c_define_gsubr ("look", 0, 0, 0, look);
}
E
  persist "(load-extension \"$PWD/libworker\" \"init_worker\")"
  answers '(0 #t ended)' '(let* ((begun (begin!)) (seen (begin (usleep 20000) (look)))) (write (list begun seen (end!))))'
  for end in '' '(begin ((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL))'; do
    run_in "$STORE" "(begin!) (usleep 20000) $end"
    [ -z "$stderr" ] || show
    answers '(#t gone 0 #t ended)' '(let* ((seen (look)) (gone (end!)) (begun (begin!)))
      (usleep 20000)
      (let ((again (look))) (write (list seen gone begun again (end!)))))'
  done
}

# Objects with constructors, containers on libstdc++'s heap, exceptions, variables
# of threads.
@test "an extension in C++" {
  command -v c++ > /dev/null || skip "no C++ compiler"
  # shellcheck disable=SC2046     # several words
  c++ -shared -fPIC -O1 -o libplus.so -x c++ - $(pkg-config --cflags guile-3.0) -Wl,--no-as-needed $(pkg-config --libs guile-3.0) << 'E'
#include <libguile.h>
#include <map>
#include <stdexcept>
#include <string>
static int constructed;
struct Table
{
  std::map<std::string, std::string> entries;
  Table () { constructed++; entries["made"] = "by the constructor"; }
};
static Table table;
static thread_local int calls = 40;
static std::string
text (SCM string)
{
  char *bytes = scm_to_utf8_string (string);
  std::string copy (bytes);
  free (bytes);
  return copy;
}
static SCM
put (SCM key, SCM value)
{
  table.entries[text (key)] = text (value);
  return SCM_UNSPECIFIED;
}
static SCM
get (SCM key)
{
  try
    {
      return scm_from_utf8_string (table.entries.at (text (key)).c_str ());
    }
  catch (const std::out_of_range &)
    {
      return SCM_BOOL_F;
    }
}
static SCM
count (void)
{
  return scm_list_2 (scm_from_int (constructed), scm_from_int (++calls));
}
extern "C" void
init_plus (void)
{
  scm_c_define_gsubr ("put", 2, 0, 0, (scm_t_subr) put);
  scm_c_define_gsubr ("get", 1, 0, 0, (scm_t_subr) get);
  scm_c_define_gsubr ("count", 0, 0, 0, (scm_t_subr) count);
}
E
  local leave
  for leave in persist killed; do
    store_fresh
    $leave "(load-extension \"$PWD/libplus\" \"init_plus\") (put \"first\" \"one\") (get \"none\") (count)"
    killed '(put "second" (make-string 100 #\b)) (get "none")'
    answers '(("by the constructor" "one" 100 #f) (1 41) (1 42))' \
      '(write (list (list (get "made") (get "first") (string-length (get "second")) (get "none")) (count) (count)))'
  done
}
