#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# history.bats -- older generations: kept, listed, run, copied, looked at.

load helper

setup_file ()
{
  store_for_file
}

setup ()
{
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
  cp --sparse=always "$PRISTINE" a.store
}

teardown ()
{
  remove_small_file_system
}

# Commit $1 more generations: in generation N of a new store x is N.
generations ()
{
  local nr

  for ((nr = 0; nr < $1; nr++)); do
    try cs-run a.store \
      -c '(define x (+ 1 ((@ (coldstore) workspace-generation))))'
    ended 0 && quiet || return
  done
}

# Print the generations that cs-inspect lists, on one line.
listed ()
{
  try cs-inspect --history "${1-a.store}"
  ended 0 || return
  output=$(sed -n '/^  GENERATION/,/^$/p' <<<"$output" \
             | awk 'NR > 1 && NF { printf "%s%s", sep, $1; sep = " " }')
}

@test "eight generations before the newest are kept" {
  generations 12
  listed
  printed '13 12 11 10 9 8 7 6 5'
}

# What newer ones have behind it is no damage.
@test "each generation that is kept is sound, in the history and in the log" {
  for x in 1 2; do
    try cs-run a.store -c "(define x$x (make-vector 200000 $x))"
    ended 0
  done
  mkfifo in
  cs-run --ephemeral a.store \
    -c '(display "up") (newline) (force-output) (read-char)' <in >out 3>&- &
  reader=$!
  exec 8>in
  for ((i = 0; i < 1000; i++)); do
    if [ -s out ]; then break; fi
    sleep 0.02
  done
  for x in 3 4; do
    try cs-run a.store -c "(define x$x (make-vector 200000 $x))"
    ended 0
  done
  listed
  printed '5 4 3 2 1'
  for generation in 1 2 3 4 5; do
    try cs-inspect --check "a.store@$generation"
    ended 0
    complained ''
    try cs-create --force --from="a.store@$generation" copy.store
    ended 0
    try cs-inspect --check copy.store
    ended 0
    complained ''
  done
  exec 8>&-
  wait "$reader"
}

@test "each generation that is kept can be run, and has its own contents" {
  generations 5
  for generation in 2 3 4 5 6; do
    try cs-run --generation="$generation" a.store -c '(write x)'
    ended 0 && complained '' && printed "$generation"
  done
  try cs-run --generation=1 a.store -c '(write (defined? (quote x)))'
  ended 0
  printed '#f'
}

@test "a generation that is run is not changed, nor is anything else" {
  generations 2
  state=$(state_of a.store a.store-history/*)
  try cs-run --generation=2 a.store -c '(set! x 77) (write x)'
  ended 0
  printed 77
  [ "$(state_of a.store a.store-history/*)" = "$state" ]
  try cs-run --generation=2 a.store -c '(write x)'
  printed 2
}

@test "an older generation knows its number, and cannot be saved" {
  generations 2
  try cs-run --generation=2 a.store \
    -c '(use-modules (coldstore)) (write (workspace-generation)) (checkpoint!)'
  ended 1
  printed 2
  complained_part 'was not started to save it'
}

@test "a generation is run beside a writer" {
  generations 2
  hold a.store
  try cs-run --generation=2 a.store -c '(write x)'
  let_go
  ended 0
  printed 2
}

@test "generations that are not kept" {
  generations 10
  for generation in 1 2 12 9223372036854775807; do
    try cs-run --generation="$generation" a.store -c 1
    refused 125 "cannot open 'a.store': generation $generation is not kept"
    complained_part 'cs-inspect --history'
    try cs-inspect "a.store@$generation"
    refused 1 "generation $generation is not kept"
    try cs-create --from="a.store@$generation" b.store
    refused 1 "generation $generation is not kept"
    [ ! -e b.store ]
  done
}

@test "numbers of generations that are none" {
  try cs-run --generation=0 a.store
  refused 125 "option '--generation': '0' is less than 1"
  for text in x -1 1x 0x1 '' ' 1' 1.5; do
    try cs-run --generation="$text" a.store
    refused 125 "option '--generation': '$text' is not a whole number"
  done
  for text in 9223372036854775808 99999999999999999999; do
    try cs-run --generation="$text" a.store
    refused 125 "option '--generation': '$text' is too large"
  done
  try cs-run --generation
  refused 125 "option '--generation' needs an argument"
}

@test "cs-create --history sets how many are kept" {
  try cs-create --history=2 --force a.store
  ended 0
  generations 5
  listed
  printed '6 5 4'
  # The file of generation 1 is there until the log is applied.
  cs-inspect --apply a.store
  listed
  printed '6 5 4'
  [ "$(ls a.store-history)" = $'4\n5' ]
}

@test "no history: nothing is written beside the store" {
  try cs-create --history=0 --force a.store
  ended 0
  generations 3
  listed
  printed 4
  [ ! -e a.store-history ]
}

@test "cs-run --history sets it for later runs too" {
  generations 4
  try cs-run --history=1 a.store -c '(define x 0)'
  ended 0
  quiet
  listed
  printed '6 5'
  generations 1
  listed
  printed '7 6'
  try cs-run --history=3 a.store -c '(define x 0)'
  generations 4
  listed
  printed '12 11 10 9'
}

@test "lengths of history that are none" {
  for command in cs-create cs-run; do
    status_of_misuse=2
    [ $command = cs-create ] || status_of_misuse=125
    for text in x -1 1G ''; do
      try $command --history="$text" b.store
      refused $status_of_misuse "option '--history': '$text' is not a whole number"
    done
    try $command --history=4294967296 b.store
    refused $status_of_misuse "option '--history': '4294967296' is too large"
  done
  [ ! -e b.store ]
}

@test "options that exclude a length of history" {
  for option in --ephemeral --no-save --generation=1; do
    try cs-run $option --history=1 a.store
    refused 125 "exclude each other"
  done
  try cs-create --history=1 --from=a.store b.store
  refused 2 "exclude each other"
  [ ! -e b.store ]
}

@test "cs-create --from STORE@GENERATION makes a workspace of it" {
  generations 4
  try cs-create --from=a.store@3 b.store
  ended 0
  quiet
  try cs-run b.store -c '(write x) (set! x 30)'
  ended 0
  printed 3
  try cs-run b.store -c '(write x)'
  ended 0
  printed 30
  try cs-run a.store -c '(write x)'
  ended 0
  printed 5
}

@test "a copy of an older generation keeps as many generations as its source" {
  try cs-create --history=2 --force a.store
  generations 3
  try cs-create --from=a.store@3 b.store
  ended 0
  cs-run b.store -c '(define a 1)'
  cs-run b.store -c '(define a 2)'
  cs-run b.store -c '(define a 3)'
  listed b.store
  printed '6 5 4'
}

@test "the newest generation by its number" {
  generations 2
  try cs-create --from=a.store@3 b.store
  ended 0
  quiet
  try cs-run --generation=3 a.store -c '(write x)'
  ended 0
  printed 3
}

@test "a file whose name ends like a generation comes first" {
  generations 2
  cp --sparse=always "$PRISTINE" a.store@2
  try cs-inspect --json a.store@2
  ended 0
  printed_part '"store": "a.store@2"'
  printed_part '"generation": 1,'
  try cs-create --from=a.store@2 b.store
  try cs-run b.store -c '(write (defined? (quote x)))'
  ended 0
  printed '#f'
  try cs-run a.store@2 -c '(define x 22)'
  ended 0
  try cs-inspect --json a.store@2@1
  ended 0
  printed_part '"store": "a.store@2"'
  printed_part '"generation": 1,'
}

@test "a link that leads nowhere comes first too" {
  generations 2
  ln -s nowhere a.store@2
  try cs-inspect a.store@2
  refused 1 "cannot open 'a.store@2'"
}

@test "what is no generation is part of the name" {
  for name in a.store@ a.store@x a.store@1x a.store@0 @1 a.store@-1 \
    a.store@9223372036854775808 a.store@99999999999999999999; do
    try cs-inspect "$name"
    refused 1 "cannot open '$name': open for reading: No such file"
  done
}

@test "cs-run takes no generation in the name" {
  try cs-run a.store@1 -c 1
  refused 125 "cannot open 'a.store@1'"
}

@test "every part of cs-inspect, and cs-gc-roots, look at an older generation" {
  try cs-run a.store -c '(define-module (my own)) (define x 1)'
  try cs-run a.store -c '(define y 1)'
  for generation in 1 2; do
    try cs-inspect --json a.store@$generation
    ended 0
    printed_part "\"generation\": $generation,"
    try cs-gc-roots --json a.store@$generation
    ended 0
    printed_part "\"generation\": $generation,"
    for part in roots threads files libraries symbols modules heap history; do
      try cs-inspect --$part a.store@$generation
      ended 0
      complained ''
    done
  done
  try cs-inspect --modules a.store@1
  [[ $output != *'(my own)'* ]]
  try cs-inspect --modules a.store@2
  printed_part '(my own)'
  try cs-inspect --check a.store@1
  ended 0
}

@test "cs-inspect --history says when, and what each commit changed" {
  generations 2
  try cs-inspect --history a.store
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^\ +GENERATION\ +TIME\ +PAGES\ +CHANGED$ ]]
  [[ ${lines[1]} =~ ^\ +3\ +20..-..-..\ ..:..:..\ UTC\ +[1-9][0-9]*\ +[0-9.]+\ KiB$ ]]
  [[ ${lines[3]} =~ ^\ +1\ +20..-..-..\ ..:..:..\ UTC\ +-\ +-$ ]]
}

@test "cs-inspect --history --json" {
  generations 2
  try cs-inspect --history --json a.store
  ended 0
  complained ''
  output=$(guile --no-auto-compile -s "$CS_SOURCE_DIR/tests/cli/json.scm" \
    '(keys (ref d "generations" 0))' '(ref d "generations" 0 "generation")' \
    '(= (ref d "generations" 0 "bytes") (* 4096 (ref d "generations" 0 "pages")))' \
    '(ref d "generations" 2 "pages")' '(vector-length (ref d "generations"))' \
    <<<"$output")
  printed '("generation" "time" "pages" "bytes")
3
#t
null
3'
}

@test "cs-inspect --history of an older generation ends where that does" {
  generations 3
  listed a.store@3
  printed '3 2 1'
}

@test "commits that are not in the image yet are listed and can be run" {
  generations 1
  # A reader keeps the image as it is.
  mkfifo in
  cs-run --ephemeral a.store -c '(read-char)' <in 3>&- &
  reader=$!
  exec 8>in
  sleep 0.2
  generations 2
  listed
  printed '4 3 2 1'
  for generation in 2 3 4; do
    try cs-run --generation="$generation" a.store -c '(write x)'
    ended 0
    printed "$generation"
  done
  exec 8>&-
  wait "$reader"
}

@test "a history that is gone: the newest generation alone" {
  generations 3
  cs-inspect --apply a.store
  rm -r a.store-history
  listed
  printed 4
  try cs-run a.store -c '(write x)'
  ended 0
  printed 4
  try cs-run --generation=2 a.store -c '(write x)'
  refused 125 'generation 2 is not kept'
}

@test "a history with a gap: the generations before it" {
  generations 5
  cs-inspect --apply a.store
  rm a.store-history/3
  listed
  printed '6 5 4'
  try cs-run --generation=4 a.store -c '(write x)'
  ended 0
  printed 4
  try cs-run --generation=3 a.store -c '(write x)'
  refused 125 'generation 3 is not kept'
}

@test "the cost of an older generation is what has changed since" {
  generations 4
  try cs-inspect --history --json a.store
  pages=$(sed -n 's/.*"generation": 5.*"pages": \([0-9]*\),.*/\1/p' <<<"$output")
  [ "$pages" -gt 0 ]
  cs-inspect --apply a.store
  # Its record: a page for the head, one for the index, the pages.
  size=$(stat -c %s a.store-history/4)
  [ "$size" -le $(((pages + 3) * 4096)) ]
}
