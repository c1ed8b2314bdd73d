#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# waiting.bats -- sleep, select and poll beside saves that come by time or by
# signal.

load helper

# EXPR is run with a checkpoint every 20 ms, and prints WANT.
waits ()
{
  run --separate-stderr bounded cs-run --checkpoint-every=20ms "$STORE" -c "$2" < /dev/null
  ended 0 && printed "$1"
}

# It changes something, so that each checkpoint is a generation, and tells
# whether there were some while THUNK ran.
saved_meanwhile='(use-modules (coldstore)) (define (saved-meanwhile? thunk) (let ((before (workspace-generation))) (thunk) (> (workspace-generation) (+ before 1))))'

@test "a wait is not cut short by saves" {
  persist "$saved_meanwhile (define left #f)"
  waits '(0 #t)' '(let ((saved (saved-meanwhile? (lambda () (set! left (sleep 1)))))) (write (list left saved)))'
  waits '(0 #t)' '(let ((saved (saved-meanwhile? (lambda () (set! left (usleep 700000)))))) (write (list left saved)))'
}

@test "select and poll end when their time has passed, and not before" {
  persist "$saved_meanwhile (use-modules (ice-9 poll)) (define p #f)"
  persist '(define (milliseconds) (quotient (get-internal-real-time) (quotient internal-time-units-per-second 1000))) (define (long? thunk) (let ((start (milliseconds))) (thunk) (>= (- (milliseconds) start) 500)))'
  waits '(#t #t)' '(set! p (pipe)) (let* ((long #f) (saved (saved-meanwhile? (lambda () (set! long (long? (lambda () (select (list (car p)) (list) (list) 0 500000)))))))) (write (list long saved)))'
  waits '(#t #t)' '(set! p (pipe)) (let* ((set (make-empty-poll-set)) (long #f)) (poll-set-add! set (car p) POLLIN) (let ((saved (saved-meanwhile? (lambda () (set! long (long? (lambda () (poll set 500)))))))) (write (list long saved))))'
}

@test "SIGUSR1 does not end a sleep" {
  persist "$saved_meanwhile"
  # The first signal comes when the generation before was asked for.
  answers '(0 #t)' '(use-modules (ice-9 threads)) (define left #f) (define me (getpid)) (define (send n) (unless (zero? n) (usleep 20000) (kill me SIGUSR1) (send (- n 1)))) (let ((saved (saved-meanwhile? (lambda () (let ((signals (call-with-new-thread (lambda () (send 20))))) (set! left (sleep 1)) (join-thread signals)))))) (write (list left saved)))'
}

@test "asyncs and signals of the program end a wait all the same" {
  waits '(#t #t)' '(use-modules (ice-9 threads)) (define main (current-thread)) (define ran #f) (call-with-new-thread (lambda () (usleep 100000) (system-async-mark (lambda () (set! ran #t)) main))) (let ((left (sleep 50))) (write (list (> left 0) ran)))'
  waits '(#t #t)' '(define got #f) (sigaction SIGALRM (lambda (n) (set! got #t))) (setitimer ITIMER_REAL 0 0 0 100000) (let ((left (sleep 50))) (let loop () (unless got (usleep 1000) (loop))) (write (list (> left 0) got)))'
}

@test "where a hook has procedures a wait is saved too, and may be left" {
  persist "$saved_meanwhile (define runs 0) (add-hook! before-checkpoint-hook (lambda () (set! runs (+ runs 1))))"
  waits '#t' '(write (saved-meanwhile? (lambda () (let loop ((n 5)) (unless (zero? n) (sleep 20) (loop (- n 1)))))))'
  answers '#t' '(write (>= runs 5))'
  run --separate-stderr bounded cs-run --checkpoint-every=20ms "$STORE" -c '(set! runs 0) (add-hook! before-checkpoint-hook (lambda () (if (> runs 3) (kill (getpid) SIGTERM)))) (let loop () (sleep 20) (loop))' < /dev/null
  [ "$status" -eq 143 ] || show
}

@test "asyncs that are blocked keep a save waiting, not a sleep from ending" {
  waits '0' '(define v 0) (call-with-blocked-asyncs (lambda () (set! v (sleep 1)))) (write v)'
}

# libguile starts its signal thread at the first handler, with a lock held while
# Scheme code runs: whoever saves in there, or leaves Guile, waited for ever.
@test "a save is not answered while libguile holds a lock" {
  persist '(define (note n) n)'
  for _ in {1..15}; do
    run --separate-stderr bounded cs-run --checkpoint-every=3ms "$STORE" -c '(sigaction SIGALRM note) (usleep 50000)' < /dev/null
    ended 0
  done
}
