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
  forks="(use-modules (coldstore) (ice-9 threads) (rnrs bytevectors))
    (define m (make-mutex))
    (define guarded (make-guardian))
    (define (live)
      (alarm 30)
      (with-mutex m (guarded (list 1)))
      (let loop ()
        (make-bytevector 300000)
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

# libguile's sigaction runs asyncs before it gives its lock back.
holder ()
{
  extension holder << 'E'
#include <libguile.h>
#include <signal.h>
static SCM answer_in_sigaction (SCM async)
{
  scm_system_async_mark (async);
  return scm_sigaction (scm_from_int (SIGUSR2), SCM_BOOL_F, SCM_UNDEFINED);
}
void init_holder (void)
{
  scm_c_define_gsubr ("answer-in-sigaction", 1, 0, 0, answer_in_sigaction);
}
E
}

@test "requests to save and to leave end a child, as they would a process without handlers" {
  persist '(define (ended-by signal)
    (let ((pid (primitive-fork)))
      (when (zero? pid)
        (sleep 20)
        (primitive-_exit 7))
      (kill pid signal)
      (status:term-sig (cdr (waitpid pid)))))'
  answers '(#t #t #t)' '(write (map (lambda (signal) (eqv? (ended-by signal) signal)) (list SIGTERM SIGHUP SIGUSR1)))'
}

@test "a lock that another thread had when the child was forked is free in the child" {
  holder
  persist "(load-extension \"$PWD/libholder\" \"init_holder\") (use-modules (ice-9 threads))"
  answers 42 "(begin
    (define inside #f) (define over #f)
    (define (stay) (set! inside #t) (let wait () (unless over (usleep 1000) (wait))))
    (define t (call-with-new-thread (lambda () (answer-in-sigaction stay))))
    (let wait () (unless inside (usleep 1000) (wait)))
    (define pid (parameterize ((current-warning-port (%make-void-port \"w\"))) (primitive-fork)))
    (when (zero? pid)
      (alarm 30)
      (sigaction SIGUSR2 SIG_DFL)
      (primitive-_exit 42))
    (define ended (cdr (waitpid pid)))
    (set! over #t)
    (join-thread t)
    (write (or (status:exit-val ended) (list 'killed-by (status:term-sig ended)))))"
}

@test "a child of fork(2), which leaves libguile's finalizer thread as it is, has finalizers" {
  extension plain << 'E'
#include <libguile.h>
#include <unistd.h>
static SCM plain_fork (void)
{
  return scm_from_int (fork ());
}
void init_plain (void)
{
  scm_c_define_gsubr ("plain-fork", 0, 0, 0, plain_fork);
}
E
  persist "(load-extension \"$PWD/libplain\" \"init_plain\") (use-modules (rnrs bytevectors))
    (define guarded (make-guardian))
    (define (finalize)
      (let loop ()
        (guarded (list 1))
        (make-bytevector 300000)
        (unless (guarded) (usleep 100) (loop))))"
  answers '(42 42)' "(begin
    (define (child-of-fork)
      (alarm 30)
      (finalize)
      (unless (zero? (plain-fork)) (primitive-_exit (status:exit-val (cdr (waitpid WAIT_ANY)))))
      (alarm 30)
      (finalize)
      (primitive-_exit 42))
    (define (fork-one)
      (let ((pid (plain-fork)))
        (if (zero? pid) (child-of-fork) (cdr (waitpid pid)))))
    (finalize)
    (define first (fork-one))
    (alarm 30)
    (finalize)
    (define second (fork-one))
    (finalize)
    (write (map status:exit-val (list first second))))"
}
