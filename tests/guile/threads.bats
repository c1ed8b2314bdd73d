#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# threads.bats -- threads that are alive when a workspace is saved: what they
# were doing, what they held, and what works again in the next process.
#
# Each case is tried twice: the first process leaves, and it is killed after a
# checkpoint.

load helper

setup_file ()
{
  pristine
  export CS_TEST_TIMEOUT=30
}

setup ()
{
  store_new
}

# What every first process begins with.  (until TEST) waits for a condition
# which another thread brings about; (spin) never ends.
prelude='(use-modules (ice-9 threads) (coldstore))
(define (wait-until test)
  (let loop ((n 0))
    (cond ((test) #t)
          ((= n 20000) (error "waited too long"))
          (else (usleep 500) (loop (1+ n))))))
(define-syntax-rule (until test) (wait-until (lambda () test)))
(define (spin) (let loop () (loop)))
(define-syntax-rule (go body ...)
  (call-with-new-thread (lambda () body ...)))'

# Run EXPR, leave or be killed, and see that QUESTION answers WANT.
afterwards ()
{
  local expr=$1 question=$2 want=$3 end

  for end in '' '(begin (checkpoint!) (kill (getpid) SIGKILL))'; do
    cp --sparse=always "$PRISTINE" "$STORE"
    rm -f "$STORE"-journal
    run_in "$STORE" "$prelude $expr $end"
    case $end in
      '') ended 0 || return 1 ;;
      *) [ "$status" -eq 137 ] || show || return 1 ;;
    esac
    answers "$want" "$question" || { echo "after: ${end:-exit}"; return 1; }
  done
}

# Mutexes.

@test "mutexes of every kind held by a running thread can be taken" {
  afterwards \
    "(define ms (list (make-mutex) (make-mutex 'recursive) (make-mutex 'allow-external-unlock)))
     (define held #f)
     (define t (go (for-each lock-mutex ms) (lock-mutex (cadr ms)) (set! held #t) (spin)))
     (until held)" \
    "(gc)
     (define (try m) (list (mutex-locked? m) (mutex-owner m) (try-mutex m) (eq? (mutex-owner m) (current-thread)) (unlock-mutex m) (mutex-locked? m)))
     (write (cons (thread-exited? t) (map try ms)))" \
    '(#t (#f #f #t #t #t #f) (#f #f #t #t #t #f) (#f #f #t #t #t #f))'
}

@test "a mutex that the program itself held can be taken" {
  afterwards \
    "(define m (make-mutex)) (define r (make-mutex 'recursive)) (lock-mutex m) (lock-mutex r) (lock-mutex r)" \
    "(write (list (lock-mutex m) (lock-mutex r) (mutex-level r) (unlock-mutex r) (unlock-mutex m) (mutex-owner m)))" \
    '(#t #t 1 #t #t #f)'
}

@test "an abandoned mutex is like a new one: not locked, not to be unlocked" {
  afterwards \
    "(define m (make-mutex)) (lock-mutex m)" \
    "(write (catch 'misc-error (lambda () (unlock-mutex m)) (lambda (key who text . rest) text))) (write (with-mutex m (mutex-locked? m)))" \
    '"mutex not locked"#t'
}

@test "mutexes are abandoned by each process anew, and by none within one" {
  persist "$prelude (define m (make-mutex)) (lock-mutex m)"
  local round
  for ((round = 0; round < 5; round++)); do
    answers '(#f #t #f #t)' '(let* ((free (mutex-locked? m)) (mine (lock-mutex m)) (twice (go (try-mutex m)))) (write (list free mine (join-thread twice) (begin (gc) (checkpoint!) (mutex-locked? m)))))'
  done
}

@test "threads that waited for a mutex are not handed it" {
  afterwards \
    "(define m (make-mutex)) (define waiting 0) (lock-mutex m)
     (define ts (map (lambda (i) (go (set! waiting (1+ waiting)) (lock-mutex m) (spin))) (iota 3)))
     (until (= waiting 3)) (usleep 20000)" \
    "(lock-mutex m)
     (define t (go (with-mutex m 'live)))
     (usleep 20000) (unlock-mutex m)
     (write (list (join-thread t (+ 20 (current-time)) 'late) (mutex-locked? m) (map thread-exited? ts)))" \
    '(live #f (#t #t #t))'
}

@test "threads that waited for a condition variable swallow no signal" {
  afterwards \
    "(define m (make-mutex)) (define c (make-condition-variable)) (define waiting 0)
     (define (wait) (with-mutex m (set! waiting (1+ waiting)) (wait-condition-variable c m)))
     (define ts (map (lambda (i) (go (wait) (set! waiting 'woken))) (iota 3)))
     (define timed (go (with-mutex m (set! waiting (1+ waiting)) (wait-condition-variable c m (+ 1000 (current-time))))))
     (until (with-mutex m (= waiting 4)))" \
    "(set! waiting 0)
     (define live (go (wait) 'live))
     (until (with-mutex m (= waiting 1)))
     (signal-condition-variable c)
     (write (list (join-thread live (+ 20 (current-time)) 'late) waiting (thread-exited? timed)))
     (define all (map (lambda (i) (go (wait) 'live)) (iota 3)))
     (until (with-mutex m (= waiting 4)))
     (broadcast-condition-variable c)
     (write (map join-thread all))" \
    '(live 1 #t)(live live live)'
}

@test "with-mutex and monitor are free" {
  afterwards \
    "(define m (make-mutex)) (define n 0)
     (define (guarded thunk) (monitor (thunk)))
     (go (with-mutex m (set! n (1+ n)) (spin)))
     (go (guarded (lambda () (set! n (1+ n)) (spin))))
     (until (= n 2))" \
    "(write (list (with-mutex m 1) (guarded (lambda () 2))))" \
    '(1 2)'
}

@test "the lock that loading a module takes is free" {
  local end
  for end in '(primitive-exit 0)' '(begin (checkpoint!) (kill (getpid) SIGKILL))'; do
    run_in "$STORE" "$prelude ((@@ (guile) call-with-module-autoload-lock) (lambda () $end))"
    answers 3 "(write ((@ (srfi srfi-1) third) '(1 2 3))) (use-modules (ice-9 match))"
  done
}

@test "a promise that a thread was forcing can be forced" {
  afterwards \
    "(define n 0) (define p (delay (begin (set! n (1+ n)) (if (= n 1) (spin) n)))) (go (force p)) (until (= n 1))" \
    '(write (force p))' 2
}
