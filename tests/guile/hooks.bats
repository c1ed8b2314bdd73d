#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# hooks.bats -- code of the program's that runs while the workspace is saved or
# resumed, and fails in any way.

# shellcheck disable=SC2154     # stderr and status are set by run

load helper

# What a procedure of a hook may do wrong, called broken.
breakers=(
  "(car 'no)"
  "(throw 'mine 1 2)"
  "(raise-exception 42)"
  "(exit 7)"
  "(primitive-exit 7)"
  "((@ (coldstore) rollback!))"
  "(call-with-stack-overflow-handler 100000 (lambda () (let loop () (+ 1 (loop)))) (lambda () (throw 'overflow)))"
  "(abort-to-prompt 'nowhere)"
  "(escape 1)"
)

# The last run complained of the procedure `broken' in the hook $1, once.
named ()
{
  [ "$(grep -c "^cs-run: warning: $1: #<procedure broken ()> failed: " <<< "$stderr")" -eq 1 ] || show
}

# An escape continuation that was left, among others.
hooks='(use-modules (coldstore)) (define x 0) (define saved 0) (define resumed 0) (define escape (call/cc (lambda (k) k)))
  (define (count-save) (set! saved (1+ saved))) (define (count-resume) (set! resumed (1+ resumed)))
  (define (add-all! hook before broken after) (add-hook! hook before) (add-hook! hook broken #t) (add-hook! hook after #t))'

@test "after-resume-hook that fails in any way: named, the others run, the workspace opens" {
  local breaker
  for breaker in "${breakers[@]}"; do
    store_fresh
    persist "$hooks (define (broken) $breaker) (add-all! after-resume-hook count-resume broken (lambda () (count-resume)))"
    run_in "$STORE" '(set! x (1+ x)) (write (list x resumed))'
    [ "$status" -eq 0 ] || { echo "$breaker"; show; } || return 1
    printed '(1 2)'
    named after-resume-hook || { echo "$breaker"; return 1; }
    complained '  to run the workspace without its hooks: cs-run --no-hooks'
    run_in "$STORE" '(write (list x resumed))'
    [ "$status" -eq 0 ] || { echo "$breaker"; show; } || return 1
    printed '(1 4)'
  done
}

@test "before-checkpoint-hook that fails in any way: named, the others run, it is saved" {
  local breaker
  for breaker in "${breakers[@]}" '(checkpoint!)'; do
    store_fresh
    persist "$hooks (define (broken) $breaker)"
    run_in "$STORE" "(add-all! before-checkpoint-hook count-save broken (lambda () (count-save))) (set! x 1) (checkpoint!) (kill (getpid) SIGKILL)"
    [ "$status" -eq 137 ] || { echo "$breaker"; show; } || return 1
    named before-checkpoint-hook || { echo "$breaker"; return 1; }
    run_in "$STORE" '(write (list x saved)) (set! x 2)'
    [ "$status" -eq 0 ] || { echo "$breaker"; show; } || return 1
    printed '(1 2)'
    named before-checkpoint-hook || { echo "$breaker"; return 1; }
    run_in "$STORE" '(write (list x saved))'
    [ "$status" -eq 0 ] || { echo "$breaker"; show; } || return 1
    printed '(2 4)'
  done
}

@test "checkpoint! in a hook says what is wrong" {
  run_in "$STORE" "(use-modules (coldstore)) (add-hook! before-checkpoint-hook (lambda () (checkpoint!)))"
  [ "$status" -eq 0 ] || show
  complained "it is being saved, by what has called this"
  # At a resume it can be made.
  persist '(reset-hook! before-checkpoint-hook) (define n 0) (add-hook! after-resume-hook (lambda () (set! n (1+ n)) (checkpoint!)))'
  run_in "$STORE" '(kill (getpid) SIGKILL)'
  answers 2 '(write n)'
}

@test "requests to save while a hook runs are that save" {
  answers '(1 #t)' "(use-modules (coldstore)) (define n 0)
    (add-hook! before-checkpoint-hook (lambda () (set! n (1+ n)) (kill (getpid) SIGUSR1) (usleep 100000)))
    (let ((g (workspace-generation)))
      (checkpoint!)
      (reset-hook! before-checkpoint-hook)
      (write (list n (= (workspace-generation) (1+ g)))))"
}

@test "--no-hooks runs no hooks, and saves" {
  persist "$hooks (add-hook! after-resume-hook (lambda () (let loop () (loop))))"
  run --separate-stderr bounded cs-run --no-hooks "$STORE" -c \
    "(reset-hook! after-resume-hook) (add-hook! before-checkpoint-hook (lambda () (let loop () (loop)))) (set! x 1) (checkpoint!) (set! x 2)" < /dev/null
  ended 0
  run --separate-stderr bounded cs-run --no-hooks "$STORE" -c '(write x) (reset-hook! before-checkpoint-hook)' < /dev/null
  ended 0
  printed 2
  answers 2 '(write x)'
}

@test "a child that a hook has forked may exit" {
  answers '(7 parent)' "(use-modules (coldstore)) (define ended #f) (define who 'parent)
    (define (fork-it) (let ((pid (primitive-fork))) (if (zero? pid) (exit 7) (set! ended (status:exit-val (cdr (waitpid pid)))))))
    (add-hook! before-checkpoint-hook fork-it)
    (checkpoint!)
    (remove-hook! before-checkpoint-hook fork-it)
    (write (list ended who))"
}

# libguile runs it while ports are written out.
@test "a port of the program's own that exits, saves or goes back while it is written out" {
  local act
  for act in '(exit 3)' '(primitive-exit 3)' '(checkpoint!)' '(rollback!)' "(car 'no)"; do
    store_fresh
    persist "(use-modules (coldstore) (ice-9 binary-ports)) (define x 0) (define acts 0)"
    run_in "$STORE" "(set! x 1)
      (define p (make-custom-binary-output-port \"p\" (lambda (bytes start count) (set! acts (1+ acts)) (if (> acts 100) (primitive-_exit 99)) $act count) #f #f #f))
      (put-u8 p 1)"
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || { echo "$act"; show; } || return 1
    run_in "$STORE" '(set! p #f) (write x)'
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || { echo "$act"; show; } || return 1
    printed 1
  done
}

# Handlers run when the workspace is all there.
@test "a handler that fails at a signal which came before the resume was complete" {
  command -v strace > /dev/null || skip "no strace"
  strace -o trace true || skip "strace does not work here"
  local call
  persist "(use-modules (coldstore)) (define x 0) (define n 0) (add-hook! after-resume-hook (lambda () (set! n (1+ n)))) (sigaction SIGUSR2 (lambda (s) (car 'no)))"
  bounded strace -o trace cs-run --ephemeral "$STORE" -c 1 < /dev/null
  call=$(grep -n 'rt_sigaction(SIGUSR2, {sa_handler=0x2' trace | head -n 1 | cut -d : -f 1)
  run --separate-stderr bounded strace -qq -o trace -e inject=all:signal=SIGUSR2:when=$((call + 20)) \
    cs-run --save=always "$STORE" -c '(set! x 1) (let loop ((i 0)) (when (< i 1000) (usleep 1000) (loop (1+ i))))' < /dev/null
  complained 'In procedure car'
  answers 2 '(write n)'
}
