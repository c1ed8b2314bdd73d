#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# checkpoint.bats -- saving in the middle of a run, with and without other
# threads, and what a killed process leaves.

load helper

setup_file ()
{
  pristine
}

setup ()
{
  store_new
}

# Run EXPR, whose end is to be SIGKILL.
killed ()
{
  run_in "$STORE" "(begin (use-modules (coldstore) (ice-9 threads)) $1 (force-output) (kill (getpid) SIGKILL))"
  [ "$status" -eq 137 ] || show
}

@test "what was there at checkpoint! is kept, what came later is not" {
  killed "(define x 1) (checkpoint!) (set! x 2)"
  answers 1 '(write x)'
}

@test "checkpoint! returns the generation, which grows by one" {
  killed "(define a (workspace-generation)) (define b (checkpoint!)) (define c (checkpoint!)) (checkpoint!)"
  answers '(#t #t)' '(write (list (= b (1+ a)) (= c (1+ b))))'
}

@test "a hundred checkpoints in one run" {
  killed "(define n 0) (do ((i 0 (1+ i))) ((= i 100)) (set! n (1+ n)) (checkpoint!) (if (zero? (modulo i 10)) (gc)))"
  answers 100 '(gc) (write n)'
}

@test "checkpoint! from inside a dynamic extent" {
  killed "(define p (make-parameter 1)) (define f (make-fluid 1)) (fluid-set! f 2) (dynamic-wind (lambda () #t) (lambda () (checkpoint!)) (lambda () #t))"
  answers '(1 2)' '(gc) (write (list (p) (fluid-ref f)))'
}

@test "what was bound in a dynamic extent is not bound in the next process" {
  killed "(define p (make-parameter 1)) (define f (make-fluid 1)) (define g (make-fluid 1)) (define u (make-unbound-fluid)) (fluid-set! f 2) (parameterize ((p 10)) (with-fluids ((f 20) (u 20)) (with-fluids ((f 30)) (fluid-set! g 3) (checkpoint!))))"
  answers '(1 2 3 #f)' '(gc) (write (list (p) (fluid-ref f) (fluid-ref g) (fluid-bound? u)))'
}

@test "what was bound goes on being bound in the process that saves" {
  answers '(10 20 (0 (10 20)))' "(begin (use-modules (coldstore)) (define p (make-parameter 1)) (define f (make-fluid 1)) (define (now) (list (p) (fluid-ref f))) (define state (current-dynamic-state)) (parameterize ((p 10)) (with-fluids ((f 20)) (write (append (now) (list (with-dynamic-state state (lambda () (parameterize ((p 0)) (checkpoint!) (list (p) (begin (checkpoint!) '(10 20)))))))) ))))"
}

@test "output goes to the standard port after a kill inside of with-output-to-string" {
  killed '(with-output-to-string (lambda () (display "lost") (checkpoint!)))'
  answers seen '(display "seen")'
  persist '(with-output-to-string (lambda () (primitive-exit 0)))'
  answers seen '(display "seen")'
  killed '(with-error-to-string (lambda () (call-with-output-string (lambda (p) (parameterize ((current-output-port p)) (checkpoint!))))))'
  answers seen '(display "seen")'
  fails 1 '(error "told")'
  complained told
}

@test "with-dynamic-state, and state that was set in it" {
  killed "(define p (make-parameter 1)) (define f (make-fluid 1)) (define state (current-dynamic-state)) (fluid-set! f 2) (with-dynamic-state state (lambda () (fluid-set! f 3) (parameterize ((p 4)) (checkpoint!))))"
  answers '(1 2)' '(gc) (write (list (p) (fluid-ref f)))'
}

@test "the current module is the program's after a save inside of eval" {
  killed '(define x 5) (eval (quote (begin ((@ (coldstore) checkpoint!)) (write 1))) (make-fresh-user-module))'
  answers '5' '(write x)'
  killed '(let ((inner (make-fresh-user-module))) (eval `(eval (quote ((@ (coldstore) checkpoint!))) ,(make-fresh-user-module)) inner))'
  answers '5' '(write x)'
  run_in "$STORE" '(eval (quote (begin (kill (getpid) SIGHUP) (let loop () (loop)))) (make-fresh-user-module))'
  [ "$status" -eq 129 ] || show
  answers '5' '(write x)'
  answers '(5 6)' '(begin (define y 6) (write (list x (begin (eval (quote ((@ (coldstore) checkpoint!))) (make-fresh-user-module)) (module-ref (current-module) (quote y))))))'
}

@test "thread-local fluids are left alone" {
  answers '(2 2)' "(begin (use-modules (coldstore)) (define f (make-thread-local-fluid 1)) (with-fluids ((f 2)) (checkpoint!) (let ((a (fluid-ref f))) (checkpoint!) (write (list a (fluid-ref f))))))"
}

@test "a REPL that was killed after a checkpoint begins at its first level" {
  run --separate-stderr bounded cs-run "$STORE" -q <<< "(use-modules (coldstore)) (define x 5) (checkpoint!) (kill (getpid) SIGKILL)"
  [ "$status" -eq 137 ]
  run --separate-stderr bounded cs-run "$STORE" -q <<< '(display x)'
  [ "$status" -eq 0 ] || show
  [[ $output == *'GNU Guile'*5* && $output != *'[1]'* ]] || show
}

@test "checkpoint! is refused where nothing is saved" {
  local option
  for option in --ephemeral --no-save; do
    run --separate-stderr bounded cs-run $option "$STORE" -c '((@ (coldstore) checkpoint!))' < /dev/null
    [ "$status" -eq 1 ]
    complained 'was not started to save it'
    run --separate-stderr bounded cs-run $option "$STORE" -c "(use-modules (coldstore))
      (with-exception-handler
        (lambda (e) (write (list (workspace-error? e) (workspace-error-kind e) (workspace-error-text e) (workspace-error-advice e))))
        checkpoint! #:unwind? #t)
      (write (catch 'misc-error (lambda () (set-workspace-history! 3)) (lambda (key procedure . rest) procedure)))" < /dev/null
    [ "$status" -eq 0 ] || show
    [[ $output == *"(#t refused \"cannot save '"*"to save it\" #f)\"set-workspace-history!\"" ]] || show
  done
}

@test "a forked child cannot checkpoint, its parent can" {
  killed "(define x 1) (let ((pid (primitive-fork))) (if (zero? pid) (primitive-exit (catch #t (lambda () (set! x 9) (checkpoint!) 0) (lambda _ 7))) (begin (set! x (list x (status:exit-val (cdr (waitpid pid))))) (checkpoint!))))"
  answers '(1 7)' '(write x)'
}

@test "a thread that runs goes on after a checkpoint, and has ended in the next process" {
  killed "(define n 0) (define t (call-with-new-thread (lambda () (let loop () (set! n (1+ n)) (loop))))) (checkpoint!) (let ((seen n)) (let wait () (if (= n seen) (begin (usleep 100) (wait)))) (set! n 5) (checkpoint!))"
  answers '#t' '(gc) (write (thread-exited? t))'
  answers '#t' '(gc) (write (>= n 5))'
}

@test "threads that take memory in C all the time do not hold a checkpoint up" {
  killed "(gc) (define n 0) (define (busy) (call-with-new-thread (lambda () (let loop () (make-list 2000000 1) (loop))))) (busy) (busy) (do ((i 0 (1+ i))) ((= i 10)) (usleep 20000) (set! n i) (checkpoint!))"
  answers 9 '(gc) (write n)'
}

@test "threads that run asyncs while they hold a lock of libguile's do not hold a checkpoint up" {
  persist "(use-modules (coldstore) (ice-9 threads)) (define (busy) (call-with-new-thread (lambda () (let loop () (sigaction SIGUSR2 SIG_IGN) (loop))))) (busy) (busy) (do ((i 0 (1+ i))) ((= i 60)) (checkpoint!))"
}

@test "a thread that waits for a condition variable holds nothing" {
  killed "(define m (make-mutex)) (define c (make-condition-variable)) (define state 'new) (define t (call-with-new-thread (lambda () (with-mutex m (set! state 'waits) (wait-condition-variable c m) (set! state 'woken))))) (let wait () (if (not (eq? (with-mutex m state) 'waits)) (begin (usleep 100) (wait)))) (checkpoint!)"
  answers '(waits #t #t)' '(write (list (with-mutex m state) (thread-exited? t) (mutex? m)))'
}

@test "a thread that waited is woken after a checkpoint in the same process" {
  answers 'woken' "(begin (use-modules (coldstore) (ice-9 threads)) (define m (make-mutex)) (define c (make-condition-variable)) (define state 'new) (define t (call-with-new-thread (lambda () (with-mutex m (set! state 'waits) (wait-condition-variable c m) (set! state 'woken))))) (let wait () (if (not (eq? (with-mutex m state) 'waits)) (begin (usleep 100) (wait)))) (checkpoint!) (with-mutex m (signal-condition-variable c)) (join-thread t) (write state))"
}

@test "threads that sleep and read are alive at the end of a run" {
  mkfifo pipe
  exec {hold}<> pipe
  answers 'left' "(begin (use-modules (ice-9 threads)) (define s (call-with-new-thread (lambda () (sleep 1000)))) (define in (open-file \"$PWD/pipe\" \"r\")) (define r (call-with-new-thread (lambda () (read-char in)))) (usleep 1000) (display \"left\"))"
  exec {hold}>&-
  answers '(#t #t (2 3 4))' '(gc) (write (list (thread-exited? s) (thread-exited? r) (par-map 1+ (list 1 2 3))))'
}

@test "exit from another thread saves" {
  run_in "$STORE" "(begin (use-modules (ice-9 threads)) (define x 1) (call-with-new-thread (lambda () (set! x 2) (primitive-exit 9))) (sleep 50))"
  [ "$status" -eq 9 ]
  answers 2 '(gc) (write x)'
}

@test "hooks run before each checkpoint and after each resume" {
  persist "(begin (use-modules (coldstore)) (define log '()) (add-hook! before-checkpoint-hook (lambda () (set! log (cons 'save log)))) (add-hook! after-resume-hook (lambda () (set! log (cons 'resume log)))))"
  persist '(checkpoint!)'
  answers '(resume save save resume save)' '(write log)'
}

@test "handlers of signals work after a kill" {
  killed "(define got '()) (sigaction SIGUSR2 (lambda (n) (set! got (cons n got)))) (checkpoint!)"
  answers '(12)' '(begin (kill (getpid) SIGUSR2) (let wait ((i 0)) (if (and (null? got) (< i 10000)) (begin (usleep 1000) (wait (1+ i))))) (write got))'
}

@test "twenty kills with threads alive leave size and records alone" {
  local round blocks        # run has an i of its own
  killed "(define n 0) (checkpoint!)"
  for ((round = 0; round < 20; round++)); do
    killed "(set! n (1+ n)) (define t$round (call-with-new-thread (lambda () (let loop () (loop))))) (call-with-new-thread (lambda () (sleep 1000))) (checkpoint!)"
    [ "$round" -ne 4 ] || blocks=$(stat -c %b "$STORE")
  done
  answers 20 '(gc) (write n)'
  run --separate-stderr cs-inspect "$STORE"
  [ "$status" -eq 0 ]
  printf '%s\n' "$output" "blocks: $blocks, now $(stat -c %b "$STORE")"
  [ "$(awk '$1 == "threads" { print $2; exit }' <<< "$output")" -le 1 ]
  [ "$(stat -c %b "$STORE")" -lt $((blocks + 4096)) ]
}
