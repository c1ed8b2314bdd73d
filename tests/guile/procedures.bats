#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# procedures.bats -- code, macros and the JIT's output go on in the next
# process.

load helper

# Compiled code with a hot loop: sum of 0 .. n-1.
compiled_sum='(use-modules (system base compile))
(define sum
  (compile (quote (lambda (n)
                    (let loop ((i 0) (s 0))
                      (if (= i n) s (loop (+ i 1) (+ s i))))))
           #:env (current-module)))'

@test "a closure with state counts over three processes" {
  persist '(define count (let ((n 0)) (lambda () (set! n (1+ n)) n))) (count)'
  persist '(count)'
  answers '3' '(write (count))'
}

@test "two closures go on sharing their variable" {
  persist '(define get #f) (define put! #f) (let ((x 0)) (set! get (lambda () x)) (set! put! (lambda (v) (set! x v))))'
  persist '(put! 42)'
  answers '42' '(write (get))'
}

@test "mutual recursion" {
  persist '(define (ev? n) (or (zero? n) (od? (1- n)))) (define (od? n) (and (positive? n) (ev? (1- n))))'
  answers '(#t #f)' '(write (list (ev? 100000) (ev? 100001)))'
}

@test "a definition is redefined and its callers follow" {
  persist '(define (f x) (* 2 x)) (define (g x) (f (1+ x)))'
  persist '(define (f x) (* 3 x))'
  answers '9' '(write (g 2))'
}

@test "a hot loop compiled by the JIT is called again" {
  persist "$compiled_sum (sum 3000000)"
  answers '4500001500000' '(write (sum 3000001))'
  answers '4500004500001' '(gc) (write (sum 3000002))'
}

@test "code the JIT compiled at once, threshold 0, is called again" {
  GUILE_JIT_THRESHOLD=0 store_fresh
  persist "$compiled_sum (sum 1000)"
  answers '499500' '(write (sum 1000))'
  persist '(define total (sum 5000))'
  answers '(12497500 499500)' '(write (list total (sum 1000)))'
}

@test "everything is compiled by the JIT at once, the evaluator too" {
  GUILE_JIT_THRESHOLD=0 store_fresh
  persist "(use-modules (ice-9 match) (srfi srfi-1) (ice-9 format)) (define (f l) (match l ((a . r) (fold + a r)))) (f '(1 2 3))"
  answers '6 10' "(format #t \"~a ~a\" (f '(1 2 3)) (f '(1 2 3 4)))"
  answers '(6 caught)' "(gc) (write (list (f '(1 2 3)) (catch #t (lambda () (f 1)) (lambda _ 'caught))))"
}

@test "a workspace without the JIT" {
  GUILE_JIT_THRESHOLD=-1 store_fresh
  persist "$compiled_sum (sum 1000)"
  answers '499500' '(write (sum 1000))'
}

@test "the threshold of the JIT may be named differently in each process" {
  GUILE_JIT_THRESHOLD=0 persist "$compiled_sum (sum 1000)"
  GUILE_JIT_THRESHOLD=-1 answers '499500' '(write (sum 1000))'
  GUILE_JIT_THRESHOLD=0 answers '499500' '(write (sum 1000))'
}

@test "compiled closures that allocate, call out and raise" {
  persist <<'E'
(use-modules (system base compile))
(compile '(begin
            (define (make-acc n) (lambda (x) (set! n (+ n x)) n))
            (define (deriv e)
              (cond ((not (pair? e)) (if (eq? e 'x) 1 0))
                    ((eq? (car e) '+) (cons '+ (map deriv (cdr e))))
                    (else (error "unknown" e)))))
         #:env (current-module))
(define acc (make-acc 10))
(do ((i 0 (1+ i))) ((= i 5000)) (acc 1) (deriv '(+ x 1 x)))
E
  answers '(5011 (+ 1 0 1) caught)' <<'E'
(write (list (acc 1) (deriv '(+ x 1 x)) (catch #t (lambda () (deriv '(- x))) (lambda _ 'caught))))
E
}

@test "floating point in compiled loops" {
  persist "(use-modules (system base compile)) (define norm (compile '(lambda (v) (let loop ((i 0) (s 0.0)) (if (= i (f64vector-length v)) (sqrt s) (let ((x (f64vector-ref v i))) (loop (1+ i) (+ s (* x x))))))) #:env (current-module))) (define v (make-f64vector 10000 2.0)) (norm v)"
  answers '200.0' '(write (norm v))'
}

@test "primitives kept in data are called" {
  persist '(define l (list car cdr cons sqrt string-append display hash-ref apply values))'
  answers '(1 (2) (3 . 4) 3 "ab" 7)' '(write (list ((list-ref l 0) (list 1 2)) ((list-ref l 1) (list 1 2)) ((list-ref l 2) 3 4) ((list-ref l 3) 9) ((list-ref l 4) "a" "b") ((list-ref l 7) + (list 3 4))))'
  answers '(#t #t)' '(write (list (eq? (car l) car) (eq? (list-ref l 5) display)))'
}

@test "optional, keyword and rest arguments, and case-lambda" {
  persist '(define* (f a #:optional (b 2) #:key (c 3) #:rest r) (list a b c r)) (define g (case-lambda ((a) (list 1 a)) ((a b) (list 2 a b)) ((a . r) (list 3 a r))))'
  answers '((1 2 3 ()) (1 5 6 (#:c 6)) (1 x) (2 x y) (3 x (y z)))' "(write (list (f 1) (f 1 5 #:c 6) (g 'x) (g 'x 'y) (g 'x 'y 'z)))"
}

@test "multiple values" {
  persist '(define (two) (values 1 2)) (define-values (a b . c) (values 1 2 3 4))'
  answers '((1 2) 1 (3 4))' '(write (list (call-with-values two list) a c))'
}

@test "macros of syntax-rules" {
  persist '(define-syntax swap! (syntax-rules () ((_ a b) (let ((tmp a)) (set! a b) (set! b tmp))))) (define tmp 1) (define other 2)'
  persist '(swap! tmp other)'
  answers '(2 1)' '(write (list tmp other))'
}

@test "macros of syntax-case that keep a state of their own" {
  persist <<'E'
(define-syntax while2
  (lambda (x)
    (syntax-case x ()
      ((_ test body ...) #'(let loop () (when test body ... (loop)))))))
(define-syntax my-if
  (lambda (x)
    (syntax-case x (then else)
      ((_ c then a else b) #'(if c a b)))))
(define-syntax it-is
  (lambda (x)
    (syntax-case x ()
      ((k v e) (with-syntax ((it (datum->syntax #'k 'it))) #'(let ((it v)) e))))))
E
  answers '(3 yes 25)' <<'E'
(define i 0)
(while2 (< i 3) (set! i (1+ i)))
(write (list i (my-if #t then 'yes else 'no) (it-is 5 (* it it))))
E
}

@test "syntax parameters, define-inlinable and identifier syntax" {
  persist <<'E'
(define-syntax-parameter self (lambda (x) (syntax-violation 'self "outside" x)))
(define-syntax-rule (with-self v e) (let ((me v)) (syntax-parameterize ((self (identifier-syntax me))) e)))
(define-inlinable (twice x) (* 2 x))
(define cell 1)
(define-syntax alias (identifier-syntax (id cell) ((set! id v) (set! cell v))))
E
  persist '(set! alias 9)'
  answers '(8 6 9)' '(write (list (with-self 4 (+ self self)) (twice 3) alias))'
}

@test "syntax objects kept in a variable" {
  persist "(define stx #'(a b)) (define (datum) (syntax->datum stx))"
  answers '((a b) #t)' "(write (list (datum) (syntax-case stx () ((x y) (identifier? #'x)))))"
}

@test "match and other macros of imported modules go on working" {
  persist '(use-modules (ice-9 match) (srfi srfi-26) (ice-9 receive))'
  answers '(6 15 (1 2))' "(write (list (match '(1 2 3) ((a b c) (+ a b c))) ((cut + 5 <>) 10) (receive (a b) (values 1 2) (list a b))))"
}

@test "the name, documentation, arity and properties of a procedure" {
  persist "(define (f a b) \"Adds.\" (+ a b)) (set-procedure-property! f 'colour 'red)"
  answers '(f "Adds." red (2 0 #f))' "(write (list (procedure-name f) (procedure-documentation f) (procedure-property f 'colour) (procedure-minimum-arity f)))"
}

@test "a compiled procedure keeps its source and its metadata" {
  persist "(use-modules (system base compile) (system vm program)) (compile '(define (f x) \"Doc.\" (* x x)) #:env (current-module))"
  answers '(f "Doc." ((x)) 9)' '(write (list (procedure-name f) (procedure-documentation f) (map (lambda (a) (cdr (assq (quote required) a))) (program-arguments-alists f)) (f 3)))'
}

@test "a procedure's code can be disassembled and its source printed" {
  persist "(use-modules (system base compile) (system vm disassembler)) (compile '(define (f x) (car x)) #:env (current-module))"
  answers '#t' '(write (->bool (string-contains (with-output-to-string (lambda () (disassemble-program f))) "ret")))'
}

@test "parameters hold their global value" {
  persist '(define p (make-parameter 1)) (define q (make-parameter 5 (lambda (x) (* 2 x)))) (p 2)'
  persist '(q 7)'
  answers '(2 14 20 14)' '(write (list (p) (q) (parameterize ((q 10)) (q)) (q)))'
}

@test "fluids hold their value, and with-fluids undoes its own" {
  persist '(define f (make-fluid 1)) (define u (make-unbound-fluid)) (define t (make-thread-local-fluid 3)) (fluid-set! f 2)'
  answers '(2 9 2 #f 3)' '(write (list (fluid-ref f) (with-fluids ((f 9)) (fluid-ref f)) (fluid-ref f) (fluid-bound? u) (fluid-ref t)))'
}

@test "procedures with setters" {
  persist '(define cell (list 1)) (define first* (make-procedure-with-setter (lambda (l) (car l)) (lambda (l v) (set-car! l v))))'
  persist '(set! (first* cell) 8)'
  answers '(8)' '(write cell)'
}

@test "environments of eval" {
  persist "(define m (make-fresh-user-module)) (eval '(define x 1) m) (define env (interaction-environment))"
  persist "(eval '(set! x (+ x 41)) m)"
  answers '(42 3 #f)' "(write (list (eval 'x m) (eval '(+ 1 2) env) (defined? 'x)))"
}

@test "expressions are expanded, compiled and evaluated" {
  persist '(use-modules (system base compile) (language tree-il))'
  answers '(7 7 (lambda (x) x))' "(write (list (eval '(+ 3 4) (current-module)) (compile '(+ 3 4) #:env (current-module)) (tree-il->scheme (macroexpand '(lambda (x) x)))))"
}

@test "memoised and deeply nested closures made by the evaluator" {
  persist <<'E'
(define memo (make-hash-table))
(define (fib n)
  (or (hashv-ref memo n)
      (let ((v (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))
        (hashv-set! memo n v)
        v)))
(fib 50)
(define (compose . fs) (if (null? fs) (lambda (x) x) (lambda (x) ((car fs) ((apply compose (cdr fs)) x)))))
(define f (apply compose (map (lambda (i) (lambda (x) (+ x i))) (iota 100))))
E
  answers '(12586269025 354224848179261915075 4950)' '(write (list (fib 50) (fib 100) (f 0)))'
}

@test "applicable structs" {
  persist "(define vt (make-struct/no-tail <applicable-struct-vtable> 'pwpw)) (define s (make-struct/no-tail vt (lambda (x) (* x x)) 'data))"
  answers '(49 data)' '(write (list (s 7) (struct-ref s 1)))'
}

@test "hooks" {
  persist '(define h (make-hook 1)) (define seen (list)) (add-hook! h (lambda (x) (set! seen (cons x seen))))'
  persist '(run-hook h 1)'
  answers '(2 1)' '(run-hook h 2) (write seen)'
}

@test "the compiler compiles new code in each of ten processes" {
  persist "(use-modules (system base compile)) (define fs (list))"
  for i in 1 2 3 4 5 6 7 8 9 10; do
    persist "(set! fs (cons (compile '(lambda (x) (+ x $i)) #:env (current-module)) fs)) ((car fs) 1)"
  done
  answers '(10 9 8 7 6 5 4 3 2 1)' '(write (map (lambda (f) (f 0)) fs))'
}

@test "tracing a procedure that was defined earlier" {
  persist "(use-modules (system vm trace) (system base compile)) (compile '(define (f x) (list x x)) #:env (current-module))"
  run --separate-stderr bounded cs-run "$STORE" --debug -c '(call-with-trace (lambda () (f 3)))' < /dev/null
  [ "$status" -eq 0 ] || show
  complained '(f 3)'
  complained '(3 3)'
}

@test "curried definitions, named let and do" {
  persist '(use-modules (ice-9 curried-definitions)) (define ((adder n) x) (+ n x)) (define add5 (adder 5))'
  answers '12' '(write (add5 7))'
}
