#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# control.bats -- continuations, generators, threads and signals across
# processes.

load helper

@test "a delimited continuation captured in one process is resumed in the next" {
  persist "(define k (call-with-prompt 'p (lambda () (+ 1 (* 2 (abort-to-prompt 'p)))) (lambda (k) k)))"
  answers '(21 11)' '(write (list (k 10) (k 5)))'
}

@test "a delimited continuation over compiled frames" {
  persist "(use-modules (system base compile)) (define capture (compile '(lambda (tag n) (let loop ((i 0)) (if (= i n) (* 1.5 (abort-to-prompt tag i)) (+ 1 (loop (1+ i)))))) #:env (current-module))) (define k (call-with-prompt 'p (lambda () (capture 'p 1000)) (lambda (k i) k)))"
  answers '1003.0' '(write (k 2))'
  answers '1006.0' '(gc) (write (k 4))'
}

@test "a delimited continuation over frames the JIT compiled" {
  GUILE_JIT_THRESHOLD=0 store_fresh
  persist "(use-modules (system base compile)) (define capture (compile '(lambda (tag n) (let loop ((i 0)) (if (= i n) (* 1.5 (abort-to-prompt tag i)) (+ 1 (loop (1+ i)))))) #:env (current-module))) (define k (call-with-prompt 'p (lambda () (capture 'p 1000)) (lambda (k i) k)))"
  answers '1003.0' '(write (k 2))'
  answers '1006.0' '(write (k 4))'
}

# A generator over a list, built on prompts.
generator="(define tag (make-prompt-tag \"gen\"))
(define (generator proc)
  (define resume (lambda () (proc (lambda (v) (abort-to-prompt tag v))) 'done))
  (lambda () (call-with-prompt tag (lambda () (resume)) (lambda (k v) (set! resume (lambda () (k #f))) v))))
(define g (generator (lambda (yield) (for-each yield '(1 2 3 4)))))"

@test "a generator yields one element a process" {
  persist "$generator"
  answers 1 '(write (g))'
  answers 2 '(write (g))'
  answers 3 '(write (g))'
  answers 4 '(write (g))'
  answers '(done)' '(write (list (g)))'
}

@test "coroutines that run in turn across processes" {
  persist <<'E'
(use-modules (ice-9 q))
(define ready (make-q))
(define tag (make-prompt-tag "co"))
(define out '())
(define (yield) (abort-to-prompt tag))
(define (spawn thunk) (enq! ready thunk))
(define (step) (call-with-prompt tag (deq! ready) (lambda (k) (enq! ready k))))
(define (worker name n)
  (lambda () (let loop ((i 0)) (when (< i n) (set! out (cons (cons name i) out)) (yield) (loop (1+ i))))))
(spawn (worker 'a 3))
(spawn (worker 'b 3))
(step) (step) (step)
E
  persist '(step)'
  answers '((a . 0) (b . 0) (a . 1) (b . 1) (a . 2) (b . 2))' '(step) (step) (write (reverse out))'
}

@test "dynamic-wind runs its guards when a continuation is resumed" {
  persist "(define log (list)) (define (note x) (set! log (cons x log))) (define k (call-with-prompt 'p (lambda () (dynamic-wind (lambda () (note 'in)) (lambda () (abort-to-prompt 'p) (note 'body)) (lambda () (note 'out)))) (lambda (k) k)))"
  answers '(in out in body out)' '(k) (write (reverse log))'
}

@test "fluids and parameters bound inside a resumed continuation" {
  persist "(define f (make-fluid 0)) (define p (make-parameter 0)) (define k (call-with-prompt 't (lambda () (with-fluids ((f 1)) (parameterize ((p 2)) (abort-to-prompt 't) (list (fluid-ref f) (p))))) (lambda (k) k)))"
  answers '((1 2) (0 0))' '(write (list (k) (list (fluid-ref f) (p))))'
}

@test "an escape continuation used within its extent" {
  persist '(use-modules (ice-9 control)) (define (find p l) (let/ec ret (for-each (lambda (x) (if (p x) (ret x))) l) #f))'
  answers '(4 #f)' "(write (list (find even? '(1 3 4 5)) (find even? '(1 3))))"
}

@test "shift and reset" {
  persist '(use-modules (ice-9 control)) (define k (reset (+ 1 (shift k k))))'
  answers '6' '(write (k 5))'
}

@test "an escape continuation left from an earlier process is refused cleanly" {
  persist '(use-modules (ice-9 control)) (define k (let/ec e e))'
  survives '(k 1)'
  answers '2' '(write (+ 1 1))'
}

@test "an undelimited continuation of an earlier process works or is refused cleanly" {
  persist '(define k #f) (define n 0) (set! n (+ 1 (call/cc (lambda (c) (set! k c) 0))))'
  survives '(k 10)'
  answers '#t' '(write (->bool (memv n (list 1 11))))'
}

@test "an undelimited continuation of compiled code, called from compiled code" {
  persist "(use-modules (system base compile)) (define k #f) (compile '(begin (define (f) (+ 1 (call/cc (lambda (c) (set! k c) 0)))) (define (g x) (k x))) #:env (current-module)) (f)"
  survives '(g 10)'
  survives "(call-with-prompt 'p (lambda () (g 10)) (lambda (k) 1))"
  answers '1' '(write (f))'
}

@test "an undelimited continuation is used within the process that took it" {
  persist '(define (count-to n) (let ((k #f) (i 0)) (call/cc (lambda (c) (set! k c))) (set! i (1+ i)) (if (< i n) (k #f) i)))'
  answers '100' '(write (count-to 100))'
  answers '50' '(write (count-to 50))'
}

@test "an exception caught in one process is raised again in the next" {
  persist "(use-modules (ice-9 exceptions)) (define e (with-exception-handler (lambda (e) e) (lambda () (error \"broken:\" 'x)) #:unwind? #t))"
  answers '("~A ~S" ("broken:" x))' '(write (with-exception-handler (lambda (e) (list (exception-message e) (exception-irritants e))) (lambda () (raise-exception e)) #:unwind? #t))'
  fails 1 '(raise-exception e)'
  complained 'broken: x'
}

@test "a captured stack and a backtrace made of it" {
  persist "(define s #f) (define (f x) (set! s (make-stack #t)) x) (+ 1 (f 1))"
  answers '#t' '(write (and (stack? s) (> (stack-length s) 0)))'
  survives '(display-backtrace s (current-output-port))'
}

@test "handlers, catch and throw over three processes" {
  persist "(define (safe thunk) (catch #t thunk (lambda (key . args) key)))"
  persist "(define (boom) (throw 'my-key 1 2))"
  answers '(my-key wrong-type-arg numerical-overflow out-of-range)' "(write (list (safe boom) (safe (lambda () (car 1))) (safe (lambda () (/ 1 0))) (safe (lambda () (vector-ref (vector 1) 5)))))"
}

@test "stack overflow is an error in a resumed workspace" {
  persist '(use-modules (system vm vm)) (define (f x) (1+ (f x)))'
  survives '(call-with-stack-overflow-handler 100000 (lambda () (f 1)) (lambda () (throw (quote deep))))'
  complained 'deep'
  answers '1' '(write 1)'
}

@test "recursion a million deep in a resumed workspace" {
  persist '(define (sum n) (if (zero? n) 0 (+ n (sum (1- n)))))'
  answers '500000500000' '(write (sum 1000000))'
  answers '500000500000' '(write (sum 1000000))'
}

@test "a thread started after a resume" {
  persist '(use-modules (ice-9 threads)) (define (work) (iota 5))'
  answers '(0 1 2 3 4)' '(write (join-thread (call-with-new-thread work)))'
  answers '(0 1 2 3 4)' '(write (join-thread (call-with-new-thread work)))'
}

@test "a mutex and a condition variable made earlier" {
  persist '(use-modules (ice-9 threads)) (define m (make-mutex)) (define cv (make-condition-variable)) (define flag #f)'
  for _ in 1 2; do
    answers "(woken #f)" <<'E'
(define r
  (with-mutex m
    (let ((t (call-with-new-thread
               (lambda () (with-mutex m (set! flag #t) (signal-condition-variable cv))))))
      (let loop () (if flag 'woken (begin (wait-condition-variable cv m) (loop)))))))
(set! flag #f)
(write (list r flag))
E
  done
}

@test "mutexes used in one process are free in the next" {
  persist '(use-modules (ice-9 threads)) (define m (make-mutex)) (define r (make-mutex (quote recursive))) (lock-mutex m) (unlock-mutex m) (lock-mutex r) (lock-mutex r) (unlock-mutex r) (unlock-mutex r)'
  answers '(#t #f #t)' '(write (list (try-mutex m) (mutex-locked? r) (begin (unlock-mutex m) (try-mutex m))))'
}

@test "a mutex left locked by an earlier process gives no crash and no hang" {
  persist '(use-modules (ice-9 threads)) (define m (make-mutex)) (lock-mutex m)'
  survives '(write (try-mutex m)) (unlock-mutex m)'
  survives '(write (lock-mutex m (+ 1 (current-time))))'
}

@test "the mutexes and threads of srfi-18" {
  persist '(use-modules ((srfi srfi-18) #:prefix s18:)) (define m (s18:make-mutex "m"))'
  answers '("m" 3)' '(write (list (s18:mutex-name m) (let ((t (s18:make-thread (lambda () 3)))) (s18:thread-start! t) (s18:thread-join! t))))'
}

@test "the threads of an earlier process have exited, but for the main thread" {
  persist '(use-modules (ice-9 threads)) (define me (current-thread)) (define other (call-with-new-thread (lambda () (let loop () (usleep 10000) (loop)))))'
  answers '(#f #t #t 1)' '(write (list (thread-exited? me) (thread-exited? other) (eq? me (current-thread)) (length (all-threads))))'
}

@test "joining a thread of an earlier process does not hang" {
  persist '(use-modules (ice-9 threads)) (define t (call-with-new-thread (lambda () 5))) (join-thread t)'
  survives '(write (join-thread t))'
}

@test "ten threads allocate at once after a resume" {
  persist '(use-modules (ice-9 threads)) (define (alloc n) (let loop ((i 0) (l (list))) (if (= i n) (length l) (loop (1+ i) (cons i l)))))'
  answers '1000000' '(write (apply + (map join-thread (map (lambda (i) (call-with-new-thread (lambda () (alloc 100000)))) (iota 10)))))'
  answers '1000000' '(gc) (write (apply + (map join-thread (map (lambda (i) (call-with-new-thread (lambda () (alloc 100000)))) (iota 10)))))'
}

@test "threads started in each of ten processes leave nothing behind" {
  persist '(use-modules (ice-9 threads)) (define n 0)'
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    persist '(for-each join-thread (map (lambda (i) (call-with-new-thread (lambda () (make-list 10000 i)))) (iota 4))) (set! n (1+ n))'
  done
  answers '(10 1)' '(write (list n (length (all-threads))))'
}

@test "par-map and n-par-map in each process" {
  persist '(use-modules (ice-9 threads)) (define a (par-map 1+ (iota 100)))'
  answers '#t' '(write (equal? (par-map 1+ (iota 100)) a))'
  answers '#t' '(write (equal? (n-par-map 3 1+ (iota 100)) a))'
}

@test "futures made and touched in each process" {
  persist '(use-modules (ice-9 futures)) (define f (future (* 6 7))) (touch f)'
  answers '(42 43)' '(write (list (touch f) (touch (future (+ 42 1)))))'
  persist '(define fs (map (lambda (i) (future (* i i))) (iota 50)))'
  answers '(0 1 4 9)' '(write (list-head (map touch fs) 4))'
}

@test "a future left untouched is touched in the next process" {
  persist '(use-modules (ice-9 futures)) (define f (future (* 6 7)))'
  answers '42' '(write (touch f))'
}

@test "thread-local fluids and dynamic states" {
  persist "(define f (make-fluid 1)) (define d (with-fluids ((f 5)) (current-dynamic-state)))"
  answers '(5 1)' '(write (list (with-dynamic-state d (lambda () (fluid-ref f))) (fluid-ref f)))'
}

@test "a signal handler set in one process runs in the next" {
  persist "(define got 0) (sigaction SIGUSR2 (lambda (s) (set! got (1+ got))))"
  answers '1' '(kill (getpid) SIGUSR2) (let loop ((i 0)) (if (and (zero? got) (< i 10000)) (begin (usleep 100) (loop (1+ i))))) (write got)'
  answers '2' '(kill (getpid) SIGUSR2) (let loop ((i 0)) (if (and (= got 1) (< i 10000)) (begin (usleep 100) (loop (1+ i))))) (write got)'
}

@test "an ignored signal stays ignored, a default one kills" {
  persist '(sigaction SIGUSR2 SIG_IGN)'
  answers 'alive' '(kill (getpid) SIGUSR2) (display "alive")'
  persist '(sigaction SIGUSR2 SIG_DFL)'
  run_in "$STORE" '(kill (getpid) SIGUSR2) (sleep 5)'
  [ "$status" -eq $((128 + 12)) ] || show
}

@test "a handler set after a resume, and an alarm" {
  persist '(define got #f)'
  answers 'alarm' '(sigaction SIGALRM (lambda (s) (set! got (quote alarm)))) (setitimer ITIMER_REAL 0 0 0 1000) (let loop ((i 0)) (if (and (not got) (< i 10000)) (begin (usleep 100) (loop (1+ i))))) (write got)'
}

@test "asyncs are delivered" {
  persist '(define n 0) (define (bump) (set! n (1+ n)))'
  answers '(1)' '(system-async-mark bump) (usleep 1) (write (list n))'
}

@test "an evaluation that is interrupted by an error leaves state of before it" {
  fails 1 '(define a 1) (car a) (define b 2)'
  survives '(write (defined? (quote b)))'
  answers '3' '(write (+ 1 2))'
}
