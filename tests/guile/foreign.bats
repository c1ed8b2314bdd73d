#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# foreign.bats -- C functions and C memory reached from the heap.

load helper

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
}

@test "sqrt of the program itself, bound in one process, called in the next" {
  persist "(use-modules (system foreign)) (define f (pointer->procedure double (dynamic-func \"sqrt\" (dynamic-link)) (list double)))"
  answers '3.0' '(write (f 9.0))'
  answers '4.0' '(write (f 16.0))'
}

@test "functions of libc taken by name" {
  persist "(use-modules (system foreign)) (define len (pointer->procedure size_t (dynamic-func \"strlen\" (dynamic-link)) '(*))) (define labs (pointer->procedure long (dynamic-func \"labs\" (dynamic-link)) (list long)))"
  answers '(5 7)' '(write (list (len (string->pointer "hello")) (labs -7)))'
}

@test "foreign-library-function and a library opened by name" {
  persist "(use-modules (system foreign) (system foreign-library)) (define libm (load-foreign-library \"libm.so.6\" #:extensions '())) (define hypot (foreign-library-function libm \"hypot\" #:return-type double #:arg-types (list double double)))"
  answers '5.0' '(write (hypot 3.0 4.0))'
  answers '8.0' '(write ((foreign-library-function libm "pow" #:return-type double #:arg-types (list double double)) 2.0 3.0))'
}

@test "a pointer to a function is the same object and prints its address" {
  persist '(use-modules (system foreign)) (define p (dynamic-func "strlen" (dynamic-link))) (define a (pointer-address p))'
  answers '(#t 3)' "(write (list (= a (pointer-address p)) ((pointer->procedure size_t (make-pointer a) '(*)) (string->pointer \"abc\"))))"
}

@test "a library of the user is called in the next process" {
  c_library v <<< 'int answer (int x) { return x + 42; }'
  persist "(use-modules (system foreign)) (define lib (dynamic-link \"$PWD/libv\")) (define answer (pointer->procedure int (dynamic-func \"answer\" lib) (list int)))"
  answers '43' '(write (answer 1))'
  answers '(43 44)' '(write (list (answer 1) ((pointer->procedure int (dynamic-func "answer" lib) (list int)) 2)))'
}

@test "a library of the user found by its bare name" {
  c_library v <<< 'int answer (int x) { return x + 42; }'
  persist '(use-modules (system foreign)) (define answer (pointer->procedure int (dynamic-func "answer" (dynamic-link "libv")) (list int)))'
  answers '43' '(write (answer 1))'
}

@test "a library replaced by a newer one is called in its new form" {
  c_library v <<< 'int answer (void) { return 1; }'
  persist "(use-modules (system foreign)) (define answer (pointer->procedure int (dynamic-func \"answer\" (dynamic-link \"$PWD/libv\")) '())) (answer)"
  c_library v <<< 'int pad (int x) { return x * x; } int answer (void) { return pad (1) + 1; }'
  answers '2' '(write (answer))'
}

@test "a symbol that the library lost raises an error naming both" {
  c_library v <<< 'int answer (void) { return 1; } int other (void) { return 5; }'
  persist "(use-modules (system foreign)) (define lib (dynamic-link \"$PWD/libv\")) (define answer (pointer->procedure int (dynamic-func \"answer\" lib) '())) (define other (pointer->procedure int (dynamic-func \"other\" lib) '()))"
  c_library v <<< 'int other (void) { return 6; }'
  answers '6' '(write (other))'
  fails 1 '(answer)'
  complained answer
  complained libv
  answers 'caught' "(write (catch #t (lambda () (answer)) (lambda _ 'caught)))"
  c_library v <<< 'int answer (void) { return 3; } int other (void) { return 7; }'
  answers '(3 7)' '(write (list (answer) (other)))'
}

@test "a library that is gone raises an error when it is called" {
  c_library v <<< 'int answer (void) { return 1; }'
  persist "(use-modules (system foreign)) (define answer (pointer->procedure int (dynamic-func \"answer\" (dynamic-link \"$PWD/libv\")) '()))"
  rm libv.so
  run_in "$STORE" '(write 5)'
  [ "$status" -eq 0 ]
  printed 5
  fails 1 '(answer)'
  complained answer
  complained libv
  answers '5' '(write 5)'
}

@test "an absent library and an absent symbol are the ordinary errors" {
  same_as_guile -c '(dynamic-link "libabsent-for-sure")'
  [ "$status" -eq 1 ]
  same_as_guile -c '(dynamic-func "no_such_symbol_at_all" (dynamic-link))'
  [ "$status" -eq 1 ]
}

@test "data of a library is that of the new process" {
  c_library n <<< 'static int n = 100; int next (void) { return n++; } int *where (void) { return &n; }'
  persist "(use-modules (system foreign)) (define lib (dynamic-link \"$PWD/libn\")) (define next (pointer->procedure int (dynamic-func \"next\" lib) '())) (next) (next)"
  answers '(100 101)' '(let* ((a (next)) (b (next))) (write (list a b)))'
}

@test "C structures and memory of the collector" {
  persist "(use-modules (system foreign) (rnrs bytevectors)) (define s (make-c-struct (list int double) (list 7 2.5))) (define bv (make-bytevector 8 1)) (define p (bytevector->pointer bv))"
  persist '(bytevector-u8-set! bv 0 9)'
  answers '((7 2.5) 9 #t)' '(write (list (parse-c-struct s (list int double)) (bytevector-u8-ref (pointer->bytevector p 8) 0) (null-pointer? %null-pointer)))'
}

@test "strings in C memory, freed by their finalizers in a later process" {
  persist '(use-modules (system foreign)) (define ps (map (lambda (i) (string->pointer (number->string i))) (iota 500)))'
  answers '("0" "499")' '(write (list (pointer->string (car ps)) (pointer->string (list-ref ps 499))))'
  persist '(set! ps #f) (gc)'
  answers 'ok' '(gc) (gc) (string->pointer "more") (display "ok")'
}

@test "memory of the program's own malloc is freed in the process that took it" {
  persist '(use-modules (system foreign)) (define malloc (pointer->procedure (quote *) (dynamic-func "malloc" (dynamic-link)) (list size_t))) (define free (pointer->procedure void (dynamic-func "free" (dynamic-link)) (list (quote *))))'
  answers 'ok' '(let ((p (malloc 100000))) (free p)) (display "ok")'
}

@test "a Scheme procedure handed to C after a resume" {
  persist "(use-modules (system foreign) (rnrs bytevectors)) (define qsort (pointer->procedure void (dynamic-func \"qsort\" (dynamic-link)) (list '* size_t size_t '*))) (define (less a b) (- (s32 a) (s32 b))) (define (s32 p) (bytevector-s32-native-ref (pointer->bytevector p 4) 0))"
  answers '(1 2 3)' "(let ((bv (s32vector 3 1 2))) (qsort (bytevector->pointer bv) 3 4 (procedure->pointer int less '(* *))) (write (array->list bv)))"
}

@test "a Scheme procedure handed to C by a pointer made in an earlier process" {
  persist "(use-modules (system foreign) (rnrs bytevectors)) (define qsort (pointer->procedure void (dynamic-func \"qsort\" (dynamic-link)) (list '* size_t size_t '*))) (define (s32 p) (bytevector-s32-native-ref (pointer->bytevector p 4) 0)) (define (less a b) (- (s32 a) (s32 b))) (define less* (procedure->pointer int less '(* *))) (define (sorted l) (let ((bv (apply s32vector l))) (qsort (bytevector->pointer bv) (length l) 4 less*) (array->list bv))) (sorted '(2 1))"
  answers '(1 2 3)' "(write (sorted '(3 1 2)))"
  answers '(1 2 3 4)' "(gc) (write (sorted '(4 3 1 2)))"
}

@test "a foreign procedure with many arguments of many types" {
  c_library s <<'E'
double f (int a, double b, long c, float d, signed char e, short g, void *h,
          unsigned i, double j, long long k)
{ return a + b + c + d + e + g + (h != 0) + i + j + k; }
E
  persist "(use-modules (system foreign)) (define f (pointer->procedure double (dynamic-func \"f\" (dynamic-link \"$PWD/libs\")) (list int double long float int8 int16 '* unsigned-int double int64)))"
  answers '48.5' '(write (f 1 2.0 3 4.0 -5 6 (make-pointer 1) 7 8.5 21))'
}

@test "errno of a foreign function" {
  persist "(use-modules (system foreign)) (define chdir* (pointer->procedure int (dynamic-func \"chdir\" (dynamic-link)) '(*) #:return-errno? #t))"
  answers '(-1 2)' '(call-with-values (lambda () (chdir* (string->pointer "/no/such/place"))) (lambda (r e) (write (list r e))))'
}

@test "an extension's primitives go on or fail cleanly, and load again" {
  # shellcheck disable=SC2046
  c_library e $(pkg-config --cflags guile-3.0) <<'E'
#include <libguile.h>
SCM twice (SCM x) { return scm_sum (x, x); }
void init_e (void) { scm_c_define_gsubr ("twice", 1, 0, 0, twice); }
E
  persist "(load-extension \"$PWD/libe\" \"init_e\") (define t twice)"
  survives '(write (t 4))'
  answers '10' "(load-extension \"$PWD/libe\" \"init_e\") (write (twice 5))"
}

@test "an extension's primitive is called in the next process" {
  # shellcheck disable=SC2046
  c_library e $(pkg-config --cflags guile-3.0) <<'E'
#include <libguile.h>
SCM twice (SCM x) { return scm_sum (x, x); }
void init_e (void) { scm_c_define_gsubr ("twice", 1, 0, 0, twice); }
E
  persist "(load-extension \"$PWD/libe\" \"init_e\") (twice 1)"
  answers '8' '(write (twice 4))'
}

@test "extensions of Guile itself, loaded in one process, work in the next" {
  persist '(use-modules (srfi srfi-1) (srfi srfi-60) (ice-9 i18n) (rnrs bytevectors))'
  answers '((3 2 1) 6 #t)' '(write (list (reverse! (list 1 2 3)) (bitwise-xor 5 3) (string-locale<? "a" "b")))'
}

# Pointers that lead out of the store.

# A library with a variable, and memory that it counts the freeing of.
counting_library ()
{
  c_library c <<E
#include <stdlib.h>
$1
int counter = $2;
static int nr_freed;
void *take (void) { return calloc (1, 100); }
void give (void *block) { nr_freed++; free (block); }
int freed (void) { return nr_freed; }
E
}

# What the first process of each of these begins with.
pointers="(use-modules (system foreign) (rnrs bytevectors) (coldstore))
(define lib (dynamic-link \"FOLDER/libc\"))
(define take (pointer->procedure '* (dynamic-func \"take\" lib) '()))
(define give (dynamic-func \"give\" lib))
(define give-back (pointer->procedure void give '(*)))
(define freed (pointer->procedure int (dynamic-func \"freed\" lib) '()))"

first ()
{
  local end=$1

  "$end" "${pointers/FOLDER/$PWD} $2"
}

@test "a variable of a library is found where it is today, also by bytevectors" {
  local end

  for end in persist killed; do
    rm -rf s.store s.store-history
    store_new
    counting_library '' 5
    first "$end" '(define p (dynamic-pointer "counter" lib)) (define b (pointer->bytevector p 4)) (define (value) (bytevector-s32-native-ref b 0)) (bytevector-s32-native-set! b 0 6)'
    answers '(5 (5))' '(write (list (value) (parse-c-struct p (list int))))'
    counting_library 'int pad[5000] = { 1 };' 7
    answers '(7 (7) 8)' '(let* ((a (value)) (c (parse-c-struct p (list int)))) (bytevector-s32-native-set! b 0 8) (write (list a c (value))))'
    "$end" '(gc)'
    answers '7' '(write (value))'
  done
}

@test "a variable that is missing today raises an error naming both" {
  counting_library '' 5
  first persist '(define p (dynamic-pointer "counter" lib)) (define b (pointer->bytevector p 4))'
  c_library c <<< 'int other = 5;'
  answers '((p . #f))' '(write `((p . ,(pointer? p))))'
  fails 1 '(pointer->bytevector p 4)'
  complained "'counter' of '$PWD/libc"
  fails 1 '(bytevector-u8-ref b 0)'
  complained '#<ended: '
  counting_library '' 9
  answers '9' '(write (bytevector-s32-native-ref (pointer->bytevector p 4) 0))'
}

@test "memory of a library ends with its process: using it is an error that says so" {
  local end

  for end in persist killed; do
    rm -rf s.store s.store-history
    store_new
    counting_library '' 5
    first "$end" '(define p (take)) (define b (pointer->bytevector p 10 2)) (define q (make-pointer (+ 8 (pointer-address p)))) (define in (list p q b))'
    answers '(#f #f #f #t)' '(write (list (pointer? p) (pointer? q) (bytevector? b) (equal? in (list p q b))))'
    fails 1 '(give-back p)'
    complained "an earlier process's"
    fails 1 '(pointer->string q)'
    complained "an earlier process's"
    fails 1 '(bytevector-u8-ref b 0)'
    complained "bytevector of 10 bytes, whose memory was an earlier process's"
    answers '(#t 10)' '(let ((p (take))) (write (list (pointer? p) (bytevector-length (pointer->bytevector p 10)))))'
  done
}

@test "its finalizers run in the process that took it, and in no other" {
  counting_library '' 5
  first persist '(define l (map (lambda (i) (let ((p (take))) (set-pointer-finalizer! p give) p)) (iota 10))) (define m (map (lambda (i) (make-pointer (pointer-address (take)) give)) (iota 10)))
    (define v (map (lambda (i) (let ((p (dynamic-pointer "counter" lib))) (set-pointer-finalizer! p give) p)) (iota 10)))'
  # Pointers to a variable lead to that in each process; they too.
  answers '(#t 0)' '(let ((there (and-map pointer? v))) (set! l #f) (set! m #f) (set! v #f) (gc) (gc) (usleep 20000) (write (list there (freed))))'
  # Nearly all: the stack may hold one.
  answers '#t' '(define l (map (lambda (i) (let ((p (take))) (set-pointer-finalizer! p give) p)) (iota 100))) (set! l #f) (gc) (gc) (usleep 20000) (gc) (usleep 20000) (write (> (freed) 80))'
}

@test "addresses that nothing lies at are numbers, and stay" {
  persist "(use-modules (system foreign)) (define bits (* 8 (sizeof '*))) (define numbers (list 1 123 65535 #xdeadbeef (- (expt 2 bits) 1) (- (expt 2 (- bits 1)) 1))) (define l (map make-pointer numbers))"
  answers '#t' '(write (equal? (map pointer-address l) numbers))'
  killed '(gc)'
  answers '#t' '(write (equal? (map pointer-address l) numbers))'
}

@test "guardians that close what has ended disturb nobody; other errors do" {
  counting_library '' 5
  first persist '(define g (make-guardian)) (define seen 0) (define (pump) (let ((x (g))) (when x (set! seen (1+ seen)) (give-back (car x)) (pump)))) (add-hook! after-gc-hook pump) (define l (map (lambda (i) (let ((x (list (take)))) (g x) x)) (iota 20)))'
  answers '#t' '(set! l #f) (gc) (gc) (usleep 1000) (gc) (write (> seen 15))'
  fails 1 '(add-hook! after-gc-hook (lambda () (error "mine"))) (gc) (usleep 1000) (gc) (write 1)'
  complained mine
}

@test "many pointers over many processes: the table does not grow, nothing is lost" {
  local round               # run has an i of its own
  counting_library '' 5
  first persist '(define p (dynamic-pointer "counter" lib)) (define all (list))'
  for ((round = 0; round < 5; round++)); do
    killed '(do ((i 0 (1+ i))) ((= i 20000)) (let ((p (take))) (give-back p))) (set! all (append (map (lambda (i) (take)) (iota 300)) all)) (gc)'
  done
  answers '(#f #t 5)' '(gc) (write (list (or-map pointer? all) (pointer? p) (bytevector-s32-native-ref (pointer->bytevector p 4) 0)))'
}

