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

# Run the rest where the libraries or folders in $hidden are empty.
without ()
{
  # shellcheck disable=SC2016,SC2154  # the inner shell's; hidden is the case's
  unshare -rm sh -c 'mount --make-rprivate / || exit 99
    for it in $0; do
      if [ -d "$it" ]; then from=empty; else from=/dev/null; fi
      mount --bind "$from" "$it" || exit 99
    done
    exec "$@"' "$hidden" "$@"
}

# Set $hidden to the libreadline that guile-readline needs, and $folder to where
# guile-readline itself is; skip if nothing can be hidden.
find_libraries ()
{
  folder=$(bounded guile -c '(display (assq-ref %guile-build-info (quote extensiondir)))')
  hidden=$(ldd "$folder"/guile-readline.so | sed -n 's/.*libreadline[^ ]* => \([^ ]*\) .*/\1/p')
  hidden=$(realpath "$hidden")
  mkdir -p empty
  without true 2> /dev/null || skip "no mount name space"
}

@test "without libreadline the REPL reads plain lines, and readline says why" {
  local hidden folder
  find_libraries
  repl "$begin"
  types "'first" be fore
  leave exit
  # As a file of the user's own would have it; and again by hand.
  start unshare -rm sh -c 'mount --make-rprivate / && mount --bind /dev/null "$0" && exec script -qefc "exec cs-run -v $1 -q" /dev/null' "$hidden" "$STORE"
  heard "missing: library '"
  types '(activate-readline)' be gun
  types '(set! edited (catch #t (lambda () (readline "?")) (lambda (key . args) (list key (caddr args)))))' cau ght
  types '(set! edited (cons (cadr (memq (quote history-length) (readline-options))) edited))' op tions
  leave exit
  hidden=$hidden run --separate-stderr without timeout 60 cs-run "$STORE" -c '(use-modules (ice-9 readline) (ice-9 rdelim)) (write edited) (write (read-line)) (for-each (lambda (thunk) (write (catch #t thunk (lambda (key . args) (cadr (caddr args)))))) (list (lambda () (readline "?")) (lambda () (add-history "x"))))' <<< 'plain'
  ended 0
  [[ $output == '(77 misc-error ("'*'" "libreadline.so.'*'"))"plain""libreadline.so.'*'""libreadline.so.'*'"' ]] || show
  # The history is not lost, and with the library there is a line editor again.
  [ "$(grep -c first .guile_history)" -eq 1 ]
  repl
  edits '6 7'
  leave exit
  answers '(42 77)' '(use-modules (ice-9 readline)) (write (list edited (cadr (memq (quote history-length) (readline-options)))))'
}

@test "without the file of guile-readline the workspace's copy edits lines" {
  local hidden folder
  find_libraries
  repl "$begin"
  leave exit
  start unshare -rm sh -c 'mount --make-rprivate / && mount --bind empty "$0" && exec script -qefc "exec cs-run $1 -q" /dev/null' "$folder" "$STORE"
  types 1 be gun
  edits '6 7'
  leave exit
  answers 42 '(write edited)'
  hidden="$folder $hidden" run --separate-stderr without timeout 60 cs-run "$STORE" -c '(use-modules (ice-9 readline)) (write edited) (catch #t (lambda () (readline "?")) (lambda (key . args) (write (cadr (caddr args)))))' < /dev/null
  ended 0
  [[ $output == '42"libreadline.so.'*'"' ]] || show
}
