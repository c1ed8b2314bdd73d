#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# save-policy.bats -- which ends of a run save the workspace, and what cs-run
# says at the others.

# shellcheck disable=SC2154     # output, stderr and status are set by run

load helper

advice='  to keep what a run has done before an error: cs-run --save=always'

# Ends of a program by an error that nothing catches.
errors=(
  "(car 'no)"
  "(throw 'mine 1)"
  "(raise-exception 42)"
  '(error "sorry")'
  "(abort-to-prompt 'nowhere)"
  '(eval-string "(car 1)")'
)

# The workspace has a and b, which belong together.
half='(set! a 2)'
begin='(define a 1) (define b 1)'

@test "an error that nothing catches: half a change is not saved, and that is said" {
  local error
  persist "$begin"
  for error in "${errors[@]}"; do
    run_in "$STORE" "$half $error (set! b 2)"
    [ "$status" -eq 1 ] || { echo "$error"; show; } || return 1
    complained "cs-run: warning: not saved: an error ended the program; the workspace stays as it was in generation 2
$advice" || { echo "$error"; return 1; }
  done
  answers '(1 1)' '(write (list a b))'
}

@test "a script, a file that -l loads, -e, standard input: the same" {
  persist "$begin"
  echo "$half (car 'no)" > s.scm
  echo "(define (main . arguments) $half (car 'no))" > e.scm
  for words in s.scm '-s s.scm' '-l s.scm -c 1' '-e main e.scm'; do
    # shellcheck disable=SC2086     # words
    run --separate-stderr bounded cs-run "$STORE" $words < /dev/null
    [ "$status" -eq 1 ] || show
    complained "not saved: an error ended the program"
    answers '(1 1)' '(write (list a b))'
  done
  # The REPL catches errors: its end is the end of the input.
  run --separate-stderr bounded cs-run "$STORE" < s.scm
  [ "$status" -eq 0 ] || show
  [ "${stderr#*not saved}" = "$stderr" ] || show
  answers '(2 1)' '(write (list a b))'
}

@test "exit with any status saves, and so do the end of the program and SIGTERM" {
  local end status_wanted
  persist '(define n 0)'
  for end in 0:'' 0:'(exit)' 3:'(exit 3)' 1:'(exit #f)' 4:'(primitive-exit 4)' \
    143:'(begin (kill (getpid) SIGTERM) (sleep 10))' 129:'(begin (kill (getpid) SIGHUP) (sleep 10))' \
    1:'(catch #t (lambda () (car 1)) (lambda ignored (exit 1)))'
  do
    status_wanted=${end%%:*}
    run_in "$STORE" "(set! n (1+ n)) ${end#*:}"
    [ "$status" -eq "$status_wanted" ] || { echo "$end"; show; } || return 1
    [ -z "$stderr" ] || { echo "$end"; show; } || return 1
  done
  answers 8 '(write n)'
}

@test "--save=always saves after an error too; for one run" {
  persist "$begin"
  run --separate-stderr bounded cs-run --save=always "$STORE" -c "$half (car 'no)" < /dev/null
  [ "$status" -eq 1 ] || show
  [ "${stderr#*not saved}" = "$stderr" ] || show
  answers '(2 1)' '(write (list a b))'
  run_in "$STORE" "(set! b 3) (car 'no)"
  complained 'not saved'
  answers '(2 1)' '(write (list a b))'
}

@test "--save=never saves at no end, and says nothing; checkpoint! saves" {
  persist "$begin"
  run --separate-stderr bounded cs-run --save=never "$STORE" -c "$half" < /dev/null
  ended 0
  answers '(1 1)' '(write (list a b))'
  run --separate-stderr bounded cs-run --save=never "$STORE" \
    -c '(set! a 3) ((@ (coldstore) checkpoint!)) (set! b 3)' < /dev/null
  ended 0
  answers '(3 1)' '(write (list a b))'
}

@test "the policy is part of the workspace" {
  rm "$STORE"
  bounded cs-create --bundle=none --save=always "$STORE" < /dev/null
  answers always '(use-modules (coldstore)) (display (workspace-save-policy))'
  run_in "$STORE" "$begin (car 'no)"
  [ "${stderr#*not saved}" = "$stderr" ] || show
  answers '(1 1)' '(write (list a b))'
  persist "(set-workspace-save-policy! 'success)"
  run_in "$STORE" "$half (car 'no)"
  complained 'not saved'
  run_in "$STORE" "(set-workspace-save-policy! 'never) (checkpoint!)"
  run_in "$STORE" "$half"
  [ "$status" -eq 0 ] || show
  complained "not saved: the policy of the workspace is 'never'; the workspace stays as it was in generation"
  complained '  to save this once: cs-run --save=success'
  run --separate-stderr bounded cs-run --save=success "$STORE" -c "$half" < /dev/null
  ended 0
  run_in "$STORE" "(write (list (workspace-save-policy) a b))"
  printed '(never 2 1)'
}

@test "a policy that there is not" {
  run --separate-stderr bounded cs-run --save=some "$STORE" < /dev/null
  [ "$status" -eq 125 ]
  complained "option '--save': 'some' is not success, always, never or ask"
  persist '(use-modules (coldstore))'
  local policy
  for policy in "'some" "'successfully-and-much-longer" '"always"' 1 '#f'; do
    run_in "$STORE" "(set-workspace-save-policy! $policy)"
    [ "$status" -eq 1 ] || show
    complained 'Not a policy'
  done
  answers success '(display (workspace-save-policy))'
}

@test "checkpoints before the error count, whoever asked for them" {
  persist "$begin"
  run_in "$STORE" "(set! a 2) (set! b 2) ((@ (coldstore) checkpoint!)) (set! a 3) (car 'no)"
  complained 'the workspace stays as it was in generation 3'
  answers '(2 2)' '(write (list a b))'
}

@test "before-checkpoint-hook does not run where nothing is saved" {
  persist '(use-modules (coldstore)) (add-hook! before-checkpoint-hook (lambda () (display "saving")))'
  run_in "$STORE" "(car 'no)"
  printed ''
  complained 'not saved'
}

@test "a reader that ends, and SIGINT: the program ends as before, and says that nothing was saved" {
  persist "$begin"
  run --separate-stderr bounded bash -c \
    "cs-run '$STORE' -c '(set! a 2) (let loop () (display \"spam\\n\") (loop))' | head -n 1; echo \${PIPESTATUS[0]}" < /dev/null
  printed 'spam
141'
  complained 'cs-run: not saved: SIGPIPE ended the program; nothing since generation 2 was saved
  to save before such an end, call (checkpoint!)'
  run_in "$STORE" '(set! a 2) (kill (getpid) SIGINT) (sleep 10)'
  [ "$status" -eq 130 ] || show
  complained 'cs-run: not saved: SIGINT ended the program; nothing since generation 2 was saved'
  answers '(1 1)' '(write (list a b))'
}

@test "a handler of the program, an ignored signal and a forked child: nothing is said" {
  persist '(define got 0)'
  answers 1 '(sigaction SIGINT (lambda (n) (set! got (1+ got)))) (kill (getpid) SIGINT) (usleep 10000) (display got)'
  answers here "(sigaction SIGINT SIG_IGN) (kill (getpid) SIGINT) (display 'here)"
  persist '(sigaction SIGINT #f)'
  run_in "$STORE" '(let ((child (primitive-fork))) (if (zero? child) (begin (kill (getpid) SIGINT) (sleep 10)) (write (status:term-sig (cdr (waitpid child))))))'
  ended 0
  printed 2
}

@test "a run that does not save anyway has nothing to say" {
  local option
  persist "$begin"
  for option in --ephemeral --no-save; do
    run --separate-stderr bounded cs-run $option "$STORE" -c "$half (car 'no)" < /dev/null
    [ "$status" -eq 1 ] || show
    [ "${stderr#*not saved}" = "$stderr" ] || show
    run --separate-stderr bounded cs-run $option "$STORE" -c '(kill (getpid) SIGINT) (sleep 10)' < /dev/null
    [ "$status" -eq 130 ] || show
    [ -z "$stderr" ] || show
  done
}

# Answer $1 at the end of a run on a terminal.
asked ()
{
  bounded script -qefc "cs-run --save=ask $STORE -c '(set! a (1+ a))'" /dev/null < <(printf '%b' "$1") > screen
}

@test "ask: the user at a terminal decides, and no answer is a yes" {
  command -v script > /dev/null || skip 'no script command'
  persist '(define a 0)'
  asked 'n\n'
  grep -q 'Save the workspace? \[Y/n\]' screen || { cat -v screen; false; }
  grep -q 'not saved: you said no' screen || { cat -v screen; false; }
  answers 0 '(write a)'
  asked 'y\n'
  answers 1 '(write a)'
  asked '\n'
  answers 2 '(write a)'
  asked '\004'
  answers 3 '(write a)'
  # Nobody can be asked.
  run --separate-stderr bounded cs-run --save=ask "$STORE" -c '(set! a (1+ a))' < /dev/null
  ended 0
  answers 4 '(write a)'
}
