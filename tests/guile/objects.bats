#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# objects.bats -- records, GOOPS, and everything that lives by identity and
# by the collector: address-keyed tables, weakness, guardians, finalizers.

load helper

@test "records of srfi-9" {
  persist '(use-modules (srfi srfi-9)) (define-record-type point (make-point x y) point? (x px set-px!) (y py)) (define p (make-point 1 2))'
  persist '(set-px! p 10)'
  answers '(10 2 #t #f 3)' '(write (list (px p) (py p) (point? p) (point? 5) (px (make-point 3 4))))'
}

@test "records printed and updated functionally" {
  persist "(use-modules (srfi srfi-9) (srfi srfi-9 gnu)) (define-immutable-record-type car* (make-car c w) car*? (c colour) (w wheels)) (set-record-type-printer! car* (lambda (r port) (format port \"<~a>\" (colour r)))) (define c (make-car 'red 4))"
  answers '(<red> 3 4)' '(let ((d (set-field c (wheels) 3))) (write (list c (wheels d) (wheels c))))'
}

@test "records of R6RS, with inheritance" {
  persist '(use-modules (rnrs records syntactic)) (define-record-type animal (fields name (mutable age))) (define-record-type dog (parent animal) (fields tricks)) (define d (make-dog "rex" 3 (list (quote sit))))'
  persist '(animal-age-set! d 4)'
  answers '("rex" 4 (sit) #t)' '(write (list (animal-name d) (animal-age d) (dog-tricks d) (animal? d)))'
}

@test "a record type is redefined, old instances keep theirs" {
  persist '(use-modules (srfi srfi-9)) (define-record-type r (make-r a) r? (a r-a)) (define old (make-r 1)) (define old-rtd r)'
  persist '(define-record-type r (make-r a b) r? (a r-a) (b r-b))'
  answers '(1 #f 3)' '(write (list ((record-accessor old-rtd (quote a)) old) (r? old) (r-b (make-r 2 3))))'
}

@test "raw structs and vtables" {
  persist "(define vt (make-vtable \"pwpw\" (lambda (s port) (display \"<mine>\" port)))) (define s (make-struct/no-tail vt 1 2))"
  persist "(struct-set! s 1 'two)"
  answers '(1 two #t <mine>)' '(write (list (struct-ref s 0) (struct-ref s 1) (eq? (struct-vtable s) vt) s))'
}

@test "classes, instances and slots of GOOPS" {
  persist "(use-modules (oop goops)) (define-class <account> () (balance #:init-value 0 #:init-keyword #:balance #:accessor balance) (owner #:init-keyword #:owner #:getter owner)) (define a (make <account> #:owner \"ann\"))"
  persist '(set! (balance a) (+ (balance a) 50))'
  answers '(50 "ann" #t <account> 7)' '(write (list (balance a) (owner a) (is-a? a <account>) (class-name (class-of a)) (balance (make <account> #:balance 7))))'
}

@test "methods added in a later process, with next-method" {
  persist "(use-modules (oop goops)) (define-class <a> ()) (define-class <b> (<a>)) (define-generic speak) (define-method (speak (x <a>)) '(a)) (define b (make <b>))"
  persist "(define-method (speak (x <b>)) (cons 'b (next-method)))"
  answers '((b a) (a))' '(write (list (speak b) (speak (make <a>))))'
}

@test "a method redefined in a later process" {
  persist "(use-modules (oop goops)) (define-class <a> ()) (define-method (f (x <a>)) 1) (define a (make <a>)) (f a)"
  persist '(define-method (f (x <a>)) 2)'
  answers '2' '(write (f a))'
}

@test "dispatch on several arguments goes on, caches included" {
  persist "(use-modules (oop goops)) (define-method (mix (a <integer>) (b <string>)) 'is) (define-method (mix (a <string>) (b <integer>)) 'si) (define-method (mix a b) 'any) (do ((i 0 (1+ i))) ((= i 1000)) (mix i \"a\") (mix \"a\" i))"
  answers '(is si any)' '(write (list (mix 1 "a") (mix "a" 1) (mix 1.5 1.5)))'
}

@test "a class is redefined and its instances follow" {
  persist "(use-modules (oop goops)) (define-class <p> () (x #:init-value 1 #:accessor x) #:metaclass <redefinable-class>) (define p (make <p>)) (set! (x p) 5)"
  persist "(define-class <p> () (x #:init-value 1 #:accessor x) (y #:init-value 9 #:accessor y) #:metaclass <redefinable-class>)"
  answers '(5 9)' '(write (list (x p) (y p)))'
}

@test "virtual slots, class slots and write methods" {
  persist "(use-modules (oop goops)) (define-class <t> () (c #:init-value 100 #:accessor c) (f #:allocation #:virtual #:slot-ref (lambda (o) (+ 32 (* 9/5 (c o)))) #:slot-set! (lambda (o v) (set! (c o) (* 5/9 (- v 32)))) #:accessor f) (n #:allocation #:class #:init-value 0 #:accessor n)) (define-method (write (o <t>) port) (display \"#<t>\" port)) (define t (make <t>))"
  persist '(set! (f t) 32) (set! (n t) 3)'
  answers '(0 32 3 #<t>)' '(write (list (c t) (f t) (n (make <t>)) t))'
}

@test "arithmetic extended to a class" {
  persist "(use-modules (oop goops)) (define-class <v> () (x #:init-keyword #:x #:getter x)) (define-method (+ (a <v>) (b <v>)) (make <v> #:x (+ (x a) (x b)))) (define v (make <v> #:x 1))"
  answers '3' '(write (x (+ v (make <v> #:x 2))))'
}

@test "conditions and exception objects" {
  persist "(use-modules (srfi srfi-35)) (define-condition-type &mine &error mine? (what mine-what)) (define c (make-condition &mine 'what 42)) (define e (catch 'wrong-type-arg (lambda () (vector-ref 1 2)) (lambda args args)))"
  answers '(#t 42 wrong-type-arg #t)' '(write (list (mine? c) (mine-what c) (car e) (with-exception-handler (lambda (x) (mine? x)) (lambda () (raise-exception c)) #:unwind? #t)))'
}

@test "a table keyed by address finds pairs, strings, procedures and symbols" {
  persist <<'E'
(define h (make-hash-table))
(define keys (append (map (lambda (i) (list i)) (iota 1000))
                     (list "string" car (lambda () 1) 'sym (vector 1))))
(let loop ((i 0) (l keys))
  (if (pair? l) (begin (hashq-set! h (car l) i) (loop (1+ i) (cdr l)))))
E
  persist '(gc)'
  answers '#t' '(gc) (write (let loop ((i 0) (l keys)) (or (null? l) (and (eqv? (hashq-ref h (car l)) i) (loop (1+ i) (cdr l))))))'
}

@test "a weak-key table keeps what is alive and drops what is not" {
  persist '(define h (make-weak-key-hash-table)) (define keys (map (lambda (i) (list i)) (iota 200))) (for-each (lambda (k) (hashq-set! h k (car k))) keys)'
  answers '(200 #t)' '(gc) (gc) (write (list (hash-fold (lambda (k v n) (1+ n)) 0 h) (equal? (map car keys) (map (lambda (k) (hashq-ref h k)) keys))))'
  persist '(set! keys #f)'
  persist '(gc) (gc) (gc)'
  answers '#t' '(gc) (write (< (hash-fold (lambda (k v n) (1+ n)) 0 h) 20))'
}

@test "a weak-value table" {
  persist '(define h (make-weak-value-hash-table)) (define vals (map (lambda (i) (list i)) (iota 200))) (for-each (lambda (v) (hashv-set! h (car v) v)) vals)'
  answers '(200 (7))' '(gc) (gc) (write (list (hash-fold (lambda (k v n) (1+ n)) 0 h) (hashv-ref h 7)))'
  persist '(set! vals #f)'
  persist '(gc) (gc) (gc)'
  answers '#t' '(gc) (write (< (hash-fold (lambda (k v n) (1+ n)) 0 h) 20))'
}

@test "a doubly weak table, and entries added in a later process" {
  persist '(define h (make-doubly-weak-hash-table)) (define k (list 1)) (define v (list 2)) (hashq-set! h k v)'
  persist '(define k2 (list 3)) (hashq-set! h k2 v) (gc)'
  answers '((2) (2))' '(gc) (write (list (hashq-ref h k) (hashq-ref h k2)))'
}

@test "weak vectors" {
  persist '(use-modules (ice-9 weak-vector)) (define keep (list 1)) (define w (make-weak-vector 200 #f)) (do ((i 0 (1+ i))) ((= i 200)) (weak-vector-set! w i (list i))) (weak-vector-set! w 0 keep)'
  persist '(gc) (gc)'
  answers '((1) #t)' '(gc) (gc) (write (list (weak-vector-ref w 0) (> (let loop ((i 0) (n 0)) (if (= i 200) n (loop (1+ i) (if (weak-vector-ref w i) n (1+ n))))) 180)))'
}

@test "a guardian hands out in one process what another gave it" {
  persist '(define g (make-guardian)) (define objs (map (lambda (i) (list i)) (iota 100))) (for-each g objs)'
  answers '#f' '(gc) (write (g))'
  persist '(set! objs #f)'
  answers '#t' '(gc) (gc) (gc) (let loop ((n 0)) (if (g) (loop (1+ n)) (write (> n 80))))'
}

@test "after-gc-hook runs in the next process" {
  persist '(define n 0) (add-hook! after-gc-hook (lambda () (set! n (1+ n))))'
  answers '#t' '(define before n) (let loop ((i 0)) (gc) (if (and (= n before) (< i 1000)) (begin (usleep 100) (loop (1+ i))))) (write (> n before))'
}

@test "a pointer's finalizer runs in a later process" {
  c_library fin <<'E'
static int n;
void fin (void *p) { n++; }
int count (void) { return n; }
E
  persist <<E
(use-modules (system foreign))
(define lib (dynamic-link "$PWD/libfin"))
(define fin (dynamic-func "fin" lib))
(define count (pointer->procedure int (dynamic-func "count" lib) '()))
(define ps (map (lambda (i) (make-pointer (+ 1000 i) fin)) (iota 200)))
E
  persist '(set! ps #f)'
  answers '#t' '(let loop ((i 0)) (gc) (if (and (< (count) 100) (< i 1000)) (begin (usleep 1000) (loop (1+ i))))) (write (>= (count) 100))'
}

@test "object properties and source properties" {
  persist "(define colour (make-object-property)) (define o (list 1)) (define p (lambda () 1)) (set! (colour o) 'red) (set! (colour p) 'blue) (set-source-properties! o '((line . 7)))"
  persist '(gc) (gc)'
  answers '(red blue #f 7)' "(gc) (write (list (colour o) (colour p) (colour (list 1)) (assq-ref (source-properties o) 'line)))"
}

@test "symbol properties" {
  persist "(set-symbol-property! 'foo 'k 5)"
  answers '5' "(write (symbol-property 'foo 'k))"
}

@test "gc statistics go on making sense" {
  persist '(define before (assq-ref (gc-stats) (quote gc-times))) (define big (make-vector 1000000 0))'
  answers '(#t #t #t)' <<'E'
(gc)
(let ((s (gc-stats)))
  (write (list (> (assq-ref s 'gc-times) before)
               (> (assq-ref s 'heap-size) 4000000)
               (>= (assq-ref s 'heap-free-size) 0))))
E
}

@test "garbage of one process is reclaimed in the next" {
  persist '(define (junk) (let loop ((i 0)) (if (< i 200) (begin (make-vector 100000 i) (loop (1+ i)))))) (junk)'
  persist '(define size (assq-ref (gc-stats) (quote heap-size))) (junk)'
  answers '#t' '(junk) (junk) (write (< (assq-ref (gc-stats) (quote heap-size)) (* 2 size)))'
}

@test "finalised file ports do not close a descriptor of the next process" {
  persist '(define ports (map (lambda (i) (open-input-file "/dev/null")) (iota 50)))'
  persist '(set! ports #f)'
  answers '("hello" #t)' <<'E'
(use-modules (ice-9 popen) (ice-9 rdelim))
(define mine (map (lambda (i) (open-file "f" "w0")) (iota 60)))
(gc) (gc) (usleep 1000) (gc)
(for-each (lambda (p) (display "x" p)) mine)
(for-each close-port mine)
(let ((p (open-input-pipe "echo hello")))
  (let ((l (read-line p)))
    (write (list l (zero? (close-pipe p))))))
E
}
