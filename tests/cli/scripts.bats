#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# scripts.bats -- cs-run without ceremony: it makes the store, finds it beside a
# script, waits for it, and says where its own options belong.

load helper

setup_file ()
{
  store_for_file
}

setup ()
{
  export GUILE_AUTO_COMPILE=0
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
  cp --sparse=always "$PRISTINE" a.store
}

# Write the script $1 with the first line $2, and the second one $3 if there is
# one.  The script counts its runs, and prints the number and its arguments.
script ()
{
  {
    printf '#!%s\n' "$2"
    [ $# -lt 3 ] || printf '%s\n' "$3"
    cat <<'END'
!#
(define n (if (defined? 'n) (+ n 1) 1))
(define (main arguments) (write (cons n (cdr arguments))) (newline))
END
    [ $# -gt 2 ] || echo '(main (command-line))'
  } >"$1"
  chmod +x "$1"
}

@test "--create makes a store that is missing, once, with the options of cs-create" {
  try cs-run --create --bundle=none --history=3 new.store -c '(define x 1)'
  ended 0
  quiet
  try cs-inspect --libraries --json new.store
  ended 0
  try cs-run --create --bundle=all new.store -c '(display x)'
  ended 0
  printed 1
  try cs-run new.store -c '(use-modules (coldstore)) (display (workspace-history))'
  printed 3
}

@test "--create says why no store was made, and leaves nothing" {
  try cs-run --create none/new.store -c 1
  refused 125 'none/new.store'
  try cs-run --create --policy=none.pol new.store -c 1
  refused 125 "cannot open policy 'none.pol'"
  echo 'persist' >bad.pol
  try cs-run --create --policy=bad.pol new.store -c 1
  ended 125
  complained_part 'bad.pol:1'
  try cs-run --create --bundle=some new.store -c 1
  refused 125 "'some' is not all, libraries or none"
  [ "$(ls)" = "a.store
bad.pol" ]
}

@test "options of --create need it, and exclude each other as for cs-create" {
  try cs-run --bundle=none a.store -c 1
  refused 125 "option '--bundle' needs '--create'"
  try cs-run --create --from=a.store --policy=p new.store -c 1
  refused 125 "options '--from' and '--policy' exclude each other"
  try cs-run --create --generation=1 new.store -c 1
  refused 125 'exclude each other'
}

@test "of ten processes that make one store at once, each uses it" {
  local i pids=() sum=0

  for ((i = 0; i < 10; i++)); do
    timeout -k 5 "$CS_TEST_TIMEOUT" cs-run --create --bundle=none --wait new.store \
      -c '(define n (if (defined? (quote n)) (+ n 1) 1))' </dev/null 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i" || sum=$((sum + 1))
  done
  [ "$sum" -eq 0 ]
  try cs-run new.store -c '(display n)'
  printed 10
}

@test "a store that is missing: the message names --create" {
  try cs-run missing.store -c 1
  refused 125 'No such file or directory'
  complained_part 'make it with cs-create, or let cs-run make it: --create'
}

@test "an option of cs-run behind the store is named, not taken for Guile's" {
  for option in --ephemeral --generation=1 --wait --create --policy=x --no-save
  do
    try cs-run a.store -L . "$option" -c 1
    refused 125 "option '$option' is one of cs-run: write it before 'a.store'"
  done
  # Behind -c, -s or the script's name it is the program's.
  try cs-run a.store -c '(write (cdr (command-line)))' --ephemeral
  ended 0
  printed '("--ephemeral")'
  echo '(write (cdr (command-line)))' >s.scm
  try cs-run a.store s.scm --wait
  printed '("--wait")'
  try cs-run a.store -e list s.scm --create
  printed '("--create")'
}

# The kernel ends the name of an interpreter at a space.
@test "a script makes its store and finds it beside itself, from any directory" {
  ln -s "$(command -v cs-run)" cs-run
  mkdir 'some where' elsewhere
  script 'some where/count' "$PWD/cs-run \\" \
    '--create --bundle=none --beside count.store -e main -s'
  try 'some where/count' a 'b c'
  ended 0
  printed '(1 "a" "b c")'
  cd elsewhere
  try '../some where/count'
  printed '(2)'
  ln -s '../some where/count' link
  try ./link -x
  printed '(3 "-x")'
  [ "$(ls)" = link ]
  [ -f '../some where/count.store' ]
}

@test "a script for env -S" {
  script count '/usr/bin/env -S cs-run --create --bundle=none --beside count.store -s'
  try ./count
  ended 0
  printed '(1)'
  try ./count x
  printed '(2 "x")'
}

@test "a line of a script that the meta switch cannot use" {
  try cs-run '\' missing
  refused 125 "cannot read 'missing': No such file or directory"
  printf '#!cs-run \\\n-s\t\n!#\n' >tab
  try cs-run '\' tab
  refused 125 "cannot use the second line of 'tab' as options"
  printf '#!cs-run \\\na.store -s \\9\n!#\n' >escape
  try cs-run '\' escape
  refused 125 "cannot use the second line of 'escape' as options"
  printf '#!cs-run \\\na.store -s \\000\n!#\n' >nul
  try cs-run '\' nul
  refused 125 "cannot use the second line of 'nul' as options"
  : >empty
  try cs-run '\' empty
  refused 125 "cannot open 'empty'"
}

@test "the words of a second line are those that guile would make of it" {
  cat >words <<'END'
#!x \
-c (write\ (cdr\ (command-line)))  a\040b c\\d \n
!#
END
  try guile '\' words
  ended 0
  local wanted=$output
  sed -i '2s/^/a.store /' words
  try cs-run '\' words
  ended 0
  printed "$wanted"
}

@test "--beside needs a script, and leaves an absolute name alone" {
  try cs-run --beside a.store -c 1
  refused 125 "option '--beside' needs a script"
  try cs-run --beside a.store missing.scm
  refused 125 "cannot find 'missing.scm': No such file or directory"
  mkdir d
  echo '(display "here")' >d/s.scm
  try cs-run --beside "$PWD/a.store" d/s.scm
  ended 0
  printed here
}

@test "--wait waits for the process that holds the store, as long as it may" {
  hold a.store
  try cs-run --wait=50ms a.store -c 1
  refused 125 "held by process $HOLDER"
  complained_part '--wait'
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run --wait a.store -c '(display "mine")' \
    </dev/null >out 2>err 3>&- 8>&- 9>&- &
  local waiting=$!
  let_go
  wait "$waiting"
  [ "$(cat out)" = mine ]
  [ ! -s err ]
  try cs-run --wait=0s a.store -c 1
  refused 125 "option '--wait': the time must not be 0"
  try cs-run --wait=soon a.store -c 1
  refused 125 "'soon' is not a time"
  # Other reasons are told at once.
  try cs-run --wait missing.store -c 1
  refused 125 'No such file or directory'
}
