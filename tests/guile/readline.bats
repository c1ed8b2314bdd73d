#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# readline.bats -- the line editor of the REPL, over several processes.

# shellcheck disable=SC2154     # runner and to are set by start

load helper

setup ()
{
  store_new
  command -v script > /dev/null || skip "no script command"
  bounded guile -c '(use-modules (ice-9 readline))' > /dev/null 2>&1 ||
    skip "no guile-readline here"
  export HOME=$BATS_TEST_TMPDIR TERM=xterm
  unset GUILE_HISTORY INPUTRC
}

teardown ()
{
  talk_over
}

# A REPL on a terminal; it has begun.
repl ()
{
  start script -qefc "exec cs-run $STORE -q" /dev/null
  types "${1:-1}" be gun
}

# It is left by what is typed at the end of a file, or killed when it is saved.
leave ()
{
  case $1 in
    exit)
      printf ',q\n,q\n' >&"$to"
      ends 0
      ;;
    kill)
      types '((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)' sa ving
      ends 137
      ;;
  esac
}

begin='(begin (use-modules (ice-9 readline)) (activate-readline) (readline-set! history-length 77) (define edited 0))'

# Type a line that is right only if it can be edited: what it begins with comes
# last.
edits ()
{
  printf '%s))\001(set! edited (* \n' "$1" >&"$to"
  types 1 edi ted
}

@test "a REPL edits lines in each process, after an exit and after a kill" {
  local end n=1

  repl "$begin"
  edits '2 3'
  leave exit
  answers 6 '(write edited)'
  for end in kill exit kill exit; do
    n=$((n + 1))
    repl
    edits "6 $n"
    leave "$end"
    answers "$((6 * n))" '(write edited)'
  done
}

@test "its settings, its completion and its history go on" {
  repl "$begin"
  types '(begin (set! edited 11) (set! (@@ (ice-9 readline) *readline-completion-function*) (make-completion-function (list "edited-by-name"))) (define edited-by-name 5))' set tings
  leave exit
  repl
  types '(set! edited 12)' mo re
  printf '(set! edited (list edited edited-b\t))\n' >&"$to"
  types '(set! edited (append edited (readline-options)))' op tions
  leave exit
  answers '(12 5 #t)' '(write (list (car edited) (cadr edited) (equal? (cadr (memq (quote history-length) edited)) 77)))'
  [ "$(grep -c 'set! edited 1[12]' .guile_history)" -eq 2 ]
}

@test "where there is no terminal nothing is edited, and later it is again" {
  repl "$begin"
  leave exit
  printf '(write (list "plain" edited))\n(write (isatty? (current-input-port)))\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  ended 0
  case $output in
    *'("plain" 0)#f'*) ;;
    *) show ;;
  esac
  run --separate-stderr bounded cs-run "$STORE" -c '(use-modules (ice-9 rdelim)) (write (read-line))' < input
  printed '"(write (list \"plain\" edited))"'
  repl
  edits '7 7'
  leave exit
  answers 49 '(write edited)'
}

@test "a program that is run by its name reads lines in each process" {
  persist '(use-modules (ice-9 readline)) (define (ask) (readline "what? "))'
  bounded script -qefc "cs-run $STORE -c '(write (list (quote said) (ask)))'" /dev/null < <(printf 'or that\001this \n') > screen
  grep -q '(said "this or that")' screen || { cat -v screen; false; }
}
