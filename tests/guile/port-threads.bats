#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# port-threads.bats -- threads that make and use ports beside checkpoints and
# exits.

load helper

# Threads that do nothing but make ports of each kind and close them.
WORKERS='(begin
  (use-modules (ice-9 threads) (coldstore))
  (define go #t)
  (define (work make)
    (call-with-new-thread
     (lambda ()
       (while go
         (catch (quote system-error)
           (lambda () (for-each (lambda (p) (if (output-port? p) (display "x" p)) (close-port p)) (make)))
           (const #f))))))
  (define threads
    (map work
         (list (lambda () (list (open-output-file "/dev/null")))
               (lambda () (let ((p (open-output-file "/dev/null"))) (list (dup->outport p) p)))
               (lambda () (let ((p (pipe))) (list (cdr p) (car p))))
               (lambda () (list (make-soft-port (vector (const #t) (const #t) (const #t) #f (const #t)) "w")))))))'

@test "the workspace is left beside threads that open and close ports" {
  local round
  for round in 1 2 3 4 5 6; do
    run_in "$STORE" "(begin $WORKERS (define x $round) (usleep 20000))"
    ended 0
    # The half made ports of dead threads are no trouble.
    answers "$round" '(begin (flush-all-ports) (gc) (gc) (write x))'
  done
}

@test "checkpoints beside threads that open and close ports" {
  persist "(begin $WORKERS (do ((i 0 (+ i 1))) ((= i 15)) (checkpoint!)) (set! go #f) (for-each join-thread threads))"
  killed "(begin (set! go #t) $WORKERS (do ((i 0 (+ i 1))) ((= i 5)) (checkpoint!)))"
  answers 'ok' '(begin (flush-all-ports) (gc) (gc) (write (quote ok)))'
}

@test "what other threads write beside checkpoints is in the file once" {
  persist '(begin
    (use-modules (ice-9 threads) (coldstore))
    (define p (open-output-file "file"))
    (define t (call-with-new-thread (lambda () (do ((i 0 (+ i 1))) ((= i 20000)) (display i p) (newline p)))))
    (do () ((thread-exited? t)) (checkpoint!))
    (join-thread t)
    (close-port p))'
  seq 0 19999 | cmp - file
}

@test "what the ports of other threads hold is written when the workspace is left" {
  persist '(begin
    (use-modules (ice-9 threads))
    (define m (make-mutex)) (define c (make-condition-variable)) (define ready #f)
    (define t (call-with-new-thread (lambda ()
      (define p (open-output-file "file"))
      (display "held" p)
      (with-mutex m (set! ready #t) (signal-condition-variable c) (wait-condition-variable c m)))))
    (with-mutex m (while (not ready) (wait-condition-variable c m))))'
  [ "$(cat file)" = held ]
}
