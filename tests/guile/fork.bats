#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# fork.bats -- children that are forked while a checkpoint is under way.

load helper

# A thread of the extension forks when the checkpoint has asked it to wait,
# which it sees by its pending async, and no other thread can know.
forker ()
{
  extension forker << 'E'
#include <libguile.h>
#include <poll.h>
static volatile int waits;
static SCM is_waiting (void)
{
  return scm_from_bool (waits);
}
static SCM fork_when_asked (void)
{
  scm_thread *self = SCM_I_THREAD_DATA (scm_current_thread ());
  waits = 1;
  while (scm_is_null (*(volatile SCM *) &self->pending_asyncs))
    poll (NULL, 0, 1);
  waits = 0;
  return scm_fork ();
}
void init_forker (void)
{
  scm_c_define_gsubr ("fork-when-asked", 0, 0, 0, fork_when_asked);
  scm_c_define_gsubr ("waiting?", 0, 0, 0, is_waiting);
}
E
  # What the child does ends by itself; if it waits, SIGALRM ends it.
  forks="(use-modules (coldstore) (ice-9 threads))
    (define m (make-mutex))
    (define guarded (make-guardian))
    (define (live)
      (alarm 30)
      (with-mutex m (guarded (list 1)))
      (let loop ()
        (gc)
        (unless (guarded) (usleep 1000) (loop)))
      (join-thread (call-with-new-thread (lambda () (system* \"true\"))))
      (system \"true\")
      (checkpoint-failure)
      (primitive-_exit
        (catch #t (lambda () (checkpoint!) 1) (lambda (key . args) 42))))
    (define (end-of pid) (status:exit-val (cdr (waitpid pid))))"
}

@test "a child forked while a checkpoint waits for its thread lives on" {
  local round
  forker
  persist "(load-extension \"$PWD/libforker\" \"init_forker\") $forks"
  for round in 1 2 3; do
    run_in "$STORE" "(begin (define t (call-with-new-thread
        (lambda () (let ((pid (fork-when-asked))) (if (zero? pid) (live) (end-of pid))))))
      (define g (workspace-generation))
      (let wait () (unless (waiting?) (usleep 1000) (wait)))
      (checkpoint!)
      (define ended (join-thread t))
      (write (list ended (> (workspace-generation) g) $round)))"
    [ "$status" -eq 0 ] || show
    printed "(42 #t $round)"
  done
}

@test "a child forked while the workspace is left lives on, and is not saved" {
  forker
  persist "(load-extension \"$PWD/libforker\" \"init_forker\") $forks (define x 0)"
  start cs-run "$STORE" -c "(define t (call-with-new-thread
        (lambda () (when (zero? (fork-when-asked)) (set! x 1) (display 'child) (newline) (force-output) (exit 7)))))
      (let wait () (unless (waiting?) (usleep 1000) (wait)))
      (set! x 2)"
  heard child
  ends 0
  answers 2 '(write x)'
}

@test "a child forked in a hook is no checkpoint, its parent's is" {
  local forks='(use-modules (coldstore)) (define x 0) (define ended #f) (define (fork-it) (let ((pid (primitive-fork))) (if (zero? pid) (set! x -1) (set! ended (status:exit-val (cdr (waitpid pid)))))))'
  persist "$forks"
  answers '(2 5)' "(add-hook! before-checkpoint-hook fork-it) (set! x 2)
    (catch 'misc-error checkpoint! (lambda args (primitive-_exit 5)))
    (remove-hook! before-checkpoint-hook fork-it) (write (list x ended))"
  answers 2 '(write x)'
  # And in one that SIGUSR1 asks for: the child goes on where the signal came.
  answers '(2 6)' "(add-hook! before-checkpoint-hook fork-it) (set! ended #f) (kill (getpid) SIGUSR1)
    (let wait () (unless (or ended (= x -1)) (usleep 1000) (wait))) (if (= x -1) (primitive-_exit 6))
    (remove-hook! before-checkpoint-hook fork-it) (write (list x ended))"
}

@test "a child forked before a request to leave is answered is not asked to" {
  forker
  persist "(load-extension \"$PWD/libforker\" \"init_forker\") (use-modules (coldstore)) (define ended #f)
    (define (show) (write ended) (force-output))"
  run_in "$STORE" "(begin
    (add-hook! before-checkpoint-hook show)
    (call-with-blocked-asyncs
      (lambda ()
        (kill (getpid) SIGTERM)
        (let ((pid (fork-when-asked)))
          (when (zero? pid)
            (call-with-unblocked-asyncs (lambda () (primitive-_exit 9))))
          (set! ended (status:exit-val (cdr (waitpid pid)))))))
    (let loop () (sleep 1) (loop)))"
  [ "$status" -eq 143 ] || show
  printed 9
}
