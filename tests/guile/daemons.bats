#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# daemons.bats -- programs that close descriptors they did not open, as daemons
# do, or have files of their own on the store's numbers.

# shellcheck disable=SC2154     # to is set by start

load helper

# An expression: (each procedure) calls it with 3 to 255; (second-writer)
# prints what another process that wants to write is told.
tools='(use-modules (system foreign) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (coldstore))
(define (each proc) (for-each proc (iota 253 3)))
(define (quietly proc) (lambda (fd) (catch (quote system-error) (lambda () (proc fd)) (lambda _ #f))))
(define (libc name . types) (pointer->procedure int (dynamic-func name (dynamic-link)) types))
(define (second-writer)
  (system "cs-run \"$STORE\" -c 1 2>&1 | grep -o \"held by process\""))
'

setup ()
{
  store_new
  export STORE
}

teardown ()
{
  talk_over
}

# The numbers of two system calls on the machine that cs-run is for (EI_CLASS
# of elf(5): 1 for 32 bits).
number_of_call ()
{
  case $(od -An -tu1 -j4 -N1 "$(command -v cs-run)") in
    *1) echo "$1" ;;
    *) echo "$2" ;;
  esac
}

close_number ()
{
  number_of_call 6 3
}

dup2_number ()
{
  number_of_call 63 33
}

# As `answers`; but libguile's finalizer thread complains of its pipe, as it
# does in guile.
gives ()
{
  run_in "$STORE" "$2"
  stderr=$(grep -v '^error in finalization thread: ' <<< "$stderr" || true)
  ended 0 && printed "$1"
}

# After $1 in a process nobody gets in; what it has defined is saved.
all_is_saved_after ()
{
  gives 'held by process' "$tools $1 (second-writer) (define kept 1)" || return
  answers 1 '(display kept)' || return
  # Also by a later commit, which finds the numbers gone again.
  gives 'held by process' "$tools (define kept 2) (checkpoint!) $1 (set! kept 3) (checkpoint!) $1 (set! kept 4) (second-writer)" || return
  answers 4 '(display kept)' || return
  # The next process has a finalizer thread that works.
  answers '(x)' '(let ((g (make-guardian))) (g (list (quote x))) (let wait ((n 0)) (gc) (let ((x (g))) (if (or x (= n 1000)) (write x) (begin (usleep 1000) (wait (+ n 1)))))))'
}

@test "close-fdes of 3 to 255: all is saved, nobody gets in" {
  all_is_saved_after '(each (quietly close-fdes))'
}

@test "close of 3 to 255 by the FFI" {
  all_is_saved_after '(each (libc "close" int))'
}

@test "close of 3 to 255 by a system call that no library sees" {
  all_is_saved_after "(let ((syscall (libc \"syscall\" long long))) (each (lambda (fd) (syscall $(close_number) fd))))"
}

@test "closefrom and close_range by the FFI" {
  all_is_saved_after '((libc "closefrom" int) 3)'
  all_is_saved_after '((libc "close_range" unsigned-int unsigned-int int) 3 #xffffffff 0)'
}

# libguile's finalizer thread, which reads its pipe's end there, may close one
# of the numbers before the program does.
@test "dup2 and dup3 to every number from 3 to 255" {
  all_is_saved_after '(let ((fd (open-fdes "/dev/null" O_RDWR))) (each (lambda (to) (dup2 fd to))) (each (quietly (lambda (n) (if (> n 3) (close-fdes n))))))'
  all_is_saved_after '(let ((fd (open-fdes "/dev/null" O_RDWR)) (dup2 (libc "dup2" int int))) (each (lambda (to) (dup2 fd to))) (each (quietly close-fdes)))'
  all_is_saved_after '(let ((fd (open-fdes "/dev/null" O_RDWR)) (dup3 (libc "dup3" int int int))) (each (lambda (to) (dup3 fd to 0))) (each (quietly close-fdes)))'
}

# From 50 up, as libguile goes on writing to the numbers of its own pipes.
@test "files of the program on the store's numbers are written by the program alone" {
  gives "" "$tools"'
    (define fd (open-fdes "log" (logior O_RDWR O_CREAT)))
    (define syscall (libc "syscall" long long long))
    (for-each (lambda (to) (syscall '"$(dup2_number)"' fd to)) (iota 200 50))
    (define v (make-vector 100000 7))
    (checkpoint!)
    (define port (fdes->outport 57))
    (display "mine" port) (force-output port)'
  [ "$(cat log)" = mine ]
  answers 700000 '(display (apply + (vector->list v)))'
}

@test "the numbers of the store are not open for the program" {
  answers "#t" "$tools"'
    (define (links) (filter-map (lambda (n) (catch #t (lambda () (and (string-contains (readlink (format #f "/proc/self/fd/~a" n)) "s.store") n)) (lambda _ #f))) (iota 200)))
    (define (refused? proc) (catch (quote system-error) (lambda () (proc) #f) (lambda args (= EBADF (system-error-errno args)))))
    (display (and (pair? (links))
      (every (lambda (n) (and (refused? (lambda () (close-fdes n))) (refused? (lambda () (dup->fdes n)))
                              (refused? (lambda () (fcntl n F_SETFD 0))) (refused? (lambda () (fdes->inport n)))))
             (links))
      (= -1 ((libc "close" int) (car (links))))))'
}

@test "a program that is executed has none of them" {
  answers "" "$tools"'
    (each (quietly (lambda (fd) (fcntl fd F_SETFD 0))))
    (system* "sh" "-c" "ls -l /proc/self/fd | grep s.store")
    (system "ls -l /proc/self/fd | grep s.store")
    (let ((pid (primitive-fork)))
      (if (zero? pid) (execlp "sh" "sh" "-c" "ls -l /proc/self/fd | grep s.store"))
      (waitpid pid))'
}

# $1 is what the child does first.
child_keeps_its_memory ()
{
  gives 1000000 "$tools"'
    (define v (make-vector 1000000 1))
    (checkpoint!)
    (define to (pipe)) (define from (pipe))
    (define pid (primitive-fork))
    (when (zero? pid)
      (dup2 (fileno (car to)) 0)
      (dup2 (fileno (cdr from)) 1)
      '"$1"'
      (let ((out (fdes->outport 1)) (in (fdes->inport 0)))
        (display "ready\n" out) (force-output out)
        (read-line in)
        (display (let sum ((i 0) (s 0)) (if (= i 1000000) s (sum (+ i 1) (+ s (vector-ref v i))))) out)
        (newline out) (force-output out)
        (primitive-_exit 0)))
    (read-line (car from))
    (vector-fill! v 2)
    (checkpoint!) (checkpoint!)
    (vector-fill! v 3)
    (checkpoint!)
    (display "go\n" (cdr to)) (force-output (cdr to))
    (display (read-line (car from)))
    (waitpid pid)'
  answers 3000000 '(display (apply + (vector->list v)))'
}

@test "a forked child that closes all keeps its memory" {
  child_keeps_its_memory '(each (quietly close-fdes))'
}

@test "a forked child that closes all by system calls keeps its memory" {
  child_keeps_its_memory "(let ((syscall (libc \"syscall\" long long))) (each (lambda (fd) (syscall $(close_number) fd))))"
}

@test "a child's child that closes all keeps its memory" {
  child_keeps_its_memory '(each (quietly close-fdes)) (let ((pid (primitive-fork))) (unless (zero? pid) (waitpid pid) (primitive-_exit 0)))'
}

@test "--ephemeral: one that closes all keeps its memory, also a library's" {
  persist '(define v (make-vector 1000000 1))'
  start cs-run --ephemeral "$STORE" -c "$tools"'
    (each (quietly close-fdes))
    ((libc "closefrom" int) 3)
    (let ((syscall (libc "syscall" long long))) (each (lambda (fd) (syscall '"$(close_number)"' fd))))
    (display "ready\n") (force-output)
    (read-line)
    (display (let sum ((i 0) (s 0)) (if (= i 1000000) s (sum (+ i 1) (+ s (vector-ref v i))))))
    (newline)'
  heard ready
  persist '(vector-fill! v 2)'
  persist '(set! v (vector-copy v))'
  echo go >&"$to"
  heard 1000000
  ends 0
}

@test "rollback! of one that has closed all" {
  persist '(define kept 1)'
  gives 1 "$tools"' (set! kept 2) (each (quietly close-fdes)) ((libc "closefrom" int) 3) (rollback! (quote (display kept)))'
  gives 1 "$tools"' (set! kept 2)
    (let ((syscall (libc "syscall" long long))) (each (lambda (fd) (syscall '"$(close_number)"' fd))))
    (rollback! (quote (display kept)))'
}

@test "one that has gone to another directory and closed all is saved" {
  cp "$STORE" there.store
  STORE=there.store
  gives "" "$tools"'
    (let ((syscall (libc "syscall" long long))) (each (lambda (fd) (syscall '"$(close_number)"' fd))))
    (chdir "/") (define kept 1)'
  answers 1 '(display kept)'
}

@test "an extension that closes all" {
  extension e <<'E'
#define _GNU_SOURCE
#include <unistd.h>
#include <libguile.h>
static SCM close_all (void)
{
  for (int fd = 3; fd < 256; fd++)
    close (fd);
  closefrom (3);
  close_range (3, ~0U, 0);
  return SCM_BOOL_T;
}
void init_e (void) { scm_c_define_gsubr ("close-all", 0, 0, 0, close_all); }
E
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
  persist '(load-extension "libe" "init_e")'
  all_is_saved_after '(close-all)'
}
