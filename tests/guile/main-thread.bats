#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# main-thread.bats -- the main thread is the same object in each process, and
# alive.

# shellcheck disable=SC2154     # stderr and status are set by run

load helper

# Wait until THUNK returns true, ten seconds at most.  all-threads has #f for a
# thread that is just beginning (3.0.8, libguile/threads.c, guilify_self_1).
main='(use-modules (ice-9 threads) (coldstore))
  (define main-thread (current-thread))
  (define noted (make-weak-key-hash-table))
  (hashq-set! noted main-thread (quote main))
  (define got #f)
  (define (wait-for thunk) (let loop ((i 0)) (or (thunk) (and (< i 10000) (begin (usleep 1000) (loop (1+ i)))))))
  (define (state)
    (gc)
    (list (eq? main-thread (current-thread)) (thread-exited? main-thread) (or-map thread-exited? (filter thread? (all-threads)))
          (let ((all (all-threads))) (- (length all) (length (delq main-thread (list-copy all))))) (hashq-ref noted (current-thread))))'

# Run EXPR after an exit and after a kill, each twice in a row, and with a
# thread of another stack.
in_each_process ()
{
  local leave
  for leave in persist killed; do
    store_fresh
    $leave "$main ${3:-}"
    answers "$1" "$2" || return 1
    killed "$2" || return 1
    answers "$1" "$2" || return 1
    run --separate-stderr bounded cs-run --stack-size=16M "$STORE" -c "$2" < /dev/null
    ended 0 && printed "$1" || return 1
    run --separate-stderr bounded cs-run --ephemeral "$STORE" -c "$2" < /dev/null
    ended 0 && printed "$1" || return 1
  done
}

@test "the main thread is the same object in each process, and alive" {
  in_each_process '(#t #f #f 1 main)' '(write (state))'
}

@test "the object that cs-create has made the main thread is that of all processes" {
  local address='(use-modules (ice-9 threads)) (display (object-address (current-thread)))'
  persist '(define filler (iota 10000))'
  store_new other
  run_in "$BATS_TEST_TMPDIR/other.store" "$address"
  ended 0
  answers "$output" "$address"
}

@test "asyncs for the main thread run, marked by it and by another thread" {
  in_each_process '(1 2)' '(set! got (list)) (system-async-mark (lambda () (set! got (cons 1 got))) main-thread) (wait-for (lambda () (pair? got)))
    (call-with-new-thread (lambda () (system-async-mark (lambda () (set! got (cons 2 got))) main-thread)))
    (wait-for (lambda () (= (length got) 2))) (write (reverse got))'
}

@test "an async wakes the main thread up that waits" {
  in_each_process '#t' '(set! got #f) (define m (make-mutex)) (define c (make-condition-variable))
    (define t (call-with-new-thread (lambda () (let loop () (unless got (system-async-mark (lambda () (set! got #t)) main-thread) (usleep 1000) (loop))))))
    (with-mutex m (let loop () (unless got (wait-condition-variable c m (+ 10 (current-time))) (loop)))) (join-thread t) (write got)'
}

@test "handlers bound to the main thread run on it" {
  in_each_process '(#t #t)' '(set! got #f) (kill (getpid) SIGUSR2) (wait-for (lambda () got)) (define first got)
    (sigaction SIGUSR2 note 0 main-thread) (set! got #f) (kill (getpid) SIGUSR2) (wait-for (lambda () got)) (write (list (eq? first main-thread) (eq? got main-thread)))' \
    '(define (note n) (set! got (current-thread))) (sigaction SIGUSR2 note 0 main-thread)'
}

@test "a mutex that the main thread locked in an earlier process is free, one of this process is its own" {
  in_each_process '(#f #t #t #f (1 2))' '(set! got (list))
    (define owner (mutex-owner m))
    (lock-mutex m) (lock-mutex r) (lock-mutex r)
    (define mine (and (eq? (mutex-owner m) main-thread) (= 2 (mutex-level r))))
    (define t (call-with-new-thread (lambda () (with-mutex m (set! got (cons 2 got))))))
    (define foreign (catch #t (lambda () (join-thread (call-with-new-thread (lambda () (catch #t (lambda () (unlock-mutex r) #f) (lambda args #t)))))) (lambda args #f)))
    (set! got (cons 1 got)) (unlock-mutex m) (unlock-mutex r) (unlock-mutex r) (join-thread t)
    (write (list owner mine foreign (mutex-owner r) (reverse got)))
    (lock-mutex m) (lock-mutex r)' \
    '(define m (make-mutex)) (define r (make-recursive-mutex)) (lock-mutex m) (lock-mutex r)'
}

@test "cancel-thread and join-thread of the main thread are what they are in guile" {
  persist "$main"
  same_as_guile -c '(use-modules (ice-9 threads)) (define main (current-thread)) (write (catch #t (lambda () (join-thread main 0 (quote late))) (lambda (key . args) key)))'
  same_as_guile -c '(use-modules (ice-9 threads)) (define main (current-thread)) (join-thread (call-with-new-thread (lambda () (thread? main)))) (write (thread-exited? main))'
}

@test "dynamic state, and fluids of a thread, belong to the main thread" {
  in_each_process '(5 6 #f 7)' '(define before (fluid-ref local)) (fluid-set! local 7)
    (write (list (fluid-ref f) (p) before (fluid-ref local)))' \
    '(define f (make-fluid 1)) (fluid-set! f 5) (define p (make-parameter 1)) (p 6) (define local (make-thread-local-fluid #f)) (fluid-set! local 3)'
}

@test "continuations and prompts of the main thread work in each process" {
  in_each_process '(1 6 done)' '(define a (call/cc (lambda (k) (k 1))))
    (define b (call-with-prompt (quote p) (lambda () (+ 1 (abort-to-prompt (quote p)))) (lambda (k) (k 5))))
    (define c (catch (quote x) (lambda () (throw (quote x))) (lambda args (quote done)))) (write (list a b c))'
}

@test "a forked child's main thread is its parent's" {
  in_each_process '(#t #f 3)' '(let ((pid (primitive-fork))) (if (zero? pid) (primitive-_exit (if (and (eq? main-thread (current-thread)) (not (thread-exited? main-thread))) 3 4))
    (write (list (eq? main-thread (current-thread)) (thread-exited? main-thread) (status:exit-val (cdr (waitpid pid)))))))'
}

@test "the main thread after twenty kills beside threads that work" {
  local round
  killed "$main"
  for ((round = 0; round < 20; round++)); do
    killed "(define t$round (call-with-new-thread (lambda () (let loop () (make-vector 100) (loop))))) (set! got (state))"
  done
  answers '((#t #f #f 1 main) (#t #f #f))' '(write (list (state) (list-head got 3)))'
}
