#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# diff.bats -- cs-inspect --diff: what has grown between two generations.

load helper

# Generation 1 is the store as it was made; 2 and 3 differ in what is here.
setup_file ()
{
  store_for_file
  cd "$BATS_FILE_TMPDIR" || return
  cp --sparse=always "$PRISTINE" grown.store
  workspace grown.store \
    '(use-modules (srfi srfi-9))
     (define-record-type point (make-point x y) point? (x point-x) (y point-y))
     (define todo (list 1 2 3))
     (define gone (make-vector 10 0))
     (define same (list "as" "it" "was"))
     (define made (list (make-point 1 2)))
     (define-record-type spot (make-spot x) spot? (x spot-x))
     (define spots (list (make-spot 1)))'
  workspace grown.store \
    '(set! todo (iota 1003))
     (define new (make-vector 500 #f))
     (set! made (map (lambda (i) (make-point i i)) (iota 40)))
     (define-record-type spot (make-spot x) spot? (x spot-x))
     (set! spots (cons* (make-spot 2) (make-spot 3) spots))
     (define shared (let ((part (list 1 2 3))) (vector part part part)))
     (define last (vector 1 2 (iota 100)))
     (module-remove! (current-module) (quote gone))'
}

setup ()
{
  cd "$BATS_TEST_TMPDIR" || return
  cp --sparse=always "$BATS_FILE_TMPDIR/grown.store" a.store
  cp -r "$BATS_FILE_TMPDIR/grown.store-history" a.store-history
}

# Run EXPR in the store $1.
workspace ()
{
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run "$1" -c "$2" </dev/null 3>&-
}

json ()
{
  guile --no-auto-compile -s "$CS_SOURCE_DIR/tests/cli/json.scm" "$@" \
    <<<"$output" 3>&-
}

# The fields of the line of binding or type $1, with single spaces.
line_of ()
{
  sed -n "s/  */ /g; s/^ //; / $1\$/s/ $1\$//p" <<<"$output"
}

# A pair takes two words, a vector one more than it has elements.
@test "bindings that were added, removed, have grown and shrunk" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  complained ''
  word=$(($(getconf LONG_BIT) / 8))
  [ "$(line_of '(guile-user) todo')" \
    = "grown $((6 * word)) $((2006 * word)) +$((2000 * word))" ]
  [ "$(line_of '(guile-user) new')" \
    = "added 0 $((501 * word)) +$((501 * word))" ]
  [ "$(line_of '(guile-user) gone')" \
    = "removed $((11 * word)) 0 -$((11 * word))" ]
  [ -z "$(line_of '(guile-user) same')" ]
  cp a.store b.store && cp -r a.store-history b.store-history
  try cs-inspect --diff=3..2 b.store
  ended 0
  complained ''
  [ "$(line_of '(guile-user) todo')" \
    = "shrunk $((2006 * word)) $((6 * word)) -$((2000 * word))" ]
}

@test "an object that is met twice is counted once" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  word=$(($(getconf LONG_BIT) / 8))
  [ "$(line_of '(guile-user) shared')" \
    = "added 0 $((10 * word)) +$((10 * word))" ]
}

@test "the last element of a vector counts" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  word=$(($(getconf LONG_BIT) / 8))
  [ "$(line_of '(guile-user) last')" \
    = "added 0 $((204 * word)) +$((204 * word))" ]
}

@test "record types of one name are one" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  word=$(($(getconf LONG_BIT) / 8))
  [ "$(line_of 'record spot')" \
    = "1 3 $((2 * word)) $((6 * word)) +$((4 * word))" ]
}

# The header of a vector of 500, and its first element, #f.  What follows is
# taken for elements, up to the end of the heap; of what these lead to, each
# object is as long as the heap at most.
@test "a damaged length makes no size beyond all bounds" {
  cs-inspect --apply a.store
  word=$(($(getconf LONG_BIT) / 8))
  zeros=$(printf '\\x00%.0s' $(seq $((word - 3))))
  at=$(LC_ALL=C grep -obUaP "\x0d\xf4\x01$zeros\x04\x00" a.store \
       | sed -n '1s/:.*//p')
  [ -n "$at" ]
  printf '\377%.0s' $(seq $((word - 1))) \
    | dd of=a.store bs=1 seek=$((at + 1)) conv=notrunc status=none
  try cs-inspect --diff=2..3 a.store
  ended 0
  read -r _ _ bytes _ < <(line_of '(guile-user) new')
  [ "$bytes" -gt 0 ] && [ "$bytes" -lt $((1000 * $(stat -c %s a.store))) ]
}

@test "types of objects, records by the name of theirs" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  complained ''
  word=$(($(getconf LONG_BIT) / 8))
  [ "$(line_of 'record point')" \
    = "1 40 $((3 * word)) $((120 * word)) +$((117 * word))" ]
  read -r before after _ < <(line_of pair)
  # todo has 1000 more, made 39; the bucket of `new' another two.
  [ "$((after - before))" -ge 1030 ]
  [ "$((after - before))" -lt 1500 ]
}

@test "what has grown most comes first" {
  try cs-inspect --diff=2..3 a.store
  ended 0
  for heading in CHANGE COUNT; do
    growths=$(awk -v heading=$heading '
      $1 == heading { found = 1; next }
      !NF { found = 0 }
      found { print heading == "CHANGE" ? $4 + 0 : $5 + 0 }' <<<"$output")
    [ "$(wc -l <<<"$growths")" -ge 3 ]
    [ "$growths" = "$(sort -rn <<<"$growths")" ]
  done
}

@test "the second generation is the one that is looked at, if not said" {
  try cs-inspect --diff=2 a.store
  ended 0
  complained ''
  expected=$output
  try cs-inspect --diff=2..3 a.store
  printed "$expected"
  try cs-inspect --diff=2 a.store@3
  printed "$expected"
  try cs-inspect --diff=2..3 a.store@1
  printed "$expected"
}

@test "a generation is like itself" {
  for pair in 1..1 3 2..2; do
    try cs-inspect --diff=$pair a.store
    ended 0
    complained ''
    [ "$(grep -c . <<<"$output")" -eq 2 ]       # headings
  done
}

@test "as JSON" {
  try cs-inspect --diff=2 --json a.store
  ended 0
  complained ''
  [ "$(json '(ref d "diff" "from")' '(ref d "diff" "to")' \
         '(keys (ref d "diff" "bindings" 0))' \
         '(keys (ref d "diff" "types" 0))')" \
    = '2
3
("module" "name" "change" "bytes_before" "bytes_after")
("type" "count_before" "count_after" "bytes_before" "bytes_after")' ]
  [ "$(json '(ref (find (ref d "diff" "bindings") "name" "new") "change")' \
         '(ref (find (ref d "diff" "types") "type" "record point")
               "count_after")')" = '"added"
40' ]
}

@test "the store may be in use, and is not changed" {
  before=$(state_of a.store a.store-history/*)
  try cs-inspect --diff=1..3 a.store
  ended 0
  [ "$before" = "$(state_of a.store a.store-history/*)" ]
  hold a.store
  try cs-inspect --diff=1..3 a.store
  let_go
  ended 0
  complained ''
}

@test "generations that are not there, and what is no generation" {
  for pair in 9 9..3 2..9; do
    try cs-inspect --diff=$pair a.store
    refused 1 'generation 9 is not kept'
    complained_part 'cs-inspect --history'
  done
  try cs-inspect --diff=9 --json a.store
  ended 1
  [ "$(json '(ref d "diff")')" = null ]
  for wrong in x 0 2.. ..3 2..x 2...3 -1 +1 1..0 ' 1' \
    99999999999999999999
  do
    try cs-inspect --diff="$wrong" a.store
    refused 2 "option '--diff': '$wrong' is not of the form A..B"
  done
}

@test "a store that has lost its history" {
  rm -r a.store-history
  try cs-inspect --diff=1 a.store
  refused 1 'generation 1 is not kept'
  try cs-inspect --diff=3 a.store
  ended 0
}
