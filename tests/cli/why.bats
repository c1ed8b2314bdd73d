#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# why.bats -- cs-gc-roots --why, --retained, --unreachable and --to, on a
# workspace with known answers.

load helper

setup_file ()
{
  export BATS_TEST_TIMEOUT=150 GUILE_AUTO_COMPILE=0
  store_for_file
  cat >"$BATS_FILE_TMPDIR/known.scm" <<'END'
(use-modules (srfi srfi-9) (rnrs bytevectors))
(define-record-type point (make-point x y) point? (x px) (y py))
(define inventory
  (list (make-point 1 (list "first"))
        (make-point 2 (vector 'a (list "kept by a field")))))
(define both (list "shared"))
(define one (vector 1 both))
(define two (vector both 2 both))
(set! both #f)
(define circle (list "in a circle"))
(set-cdr! circle circle)
(define closure (let ((env (list "in an environment"))) (lambda () env)))
(define weakly (make-weak-key-hash-table))
(hashq-set! weakly (list "key") 1)
(define long (iota 1000000))
(define short (list-tail long 999990))
(define big (make-bytevector 3000000))
(define boxed (make-variable (list "in a variable")))
(define-module (my app))
(define cache (vector (list "of my app")))
END
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run "$PRISTINE" -s \
    "$BATS_FILE_TMPDIR/known.scm" </dev/null 3>&-
}

setup ()
{
  cd "$BATS_TEST_TMPDIR" || return
}

# Print what EXPR... are for the last output.
json ()
{
  guile --no-auto-compile -s "$CS_SOURCE_DIR/tests/cli/json.scm" "$@" \
    <<<"$output" 3>&-
}

# Kinds and fields along the paths of the last output, a line each.
steps ()
{
  sed '1,3d' <<<"$output" | sed -E 's/ 0x[0-9a-f]+ / /; s/ +/ /g; s/^ //'
}

@test "a record's field, with the whole path" {
  try cs-gc-roots --why 'inventory [1] y [1] car' "$PRISTINE"
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^object\ +string\ 0x[0-9a-f]+\ +\"kept\ by\ a\ field\"$ ]]
  [[ ${lines[1]} =~ ^paths\ +1$ ]]
  [ "$(steps | awk '{ print $1, $2, $3 }')" = 'binding (guile-user) inventory
variable value 0
pair cdr 0
pair car 0
record slot 1
vector element 1
pair car 0
string "kept by' ]
}

@test "what two bindings share has a path for each word" {
  try cs-gc-roots --why 'one [1] car' "$PRISTINE"
  ended 0
  [[ ${lines[1]} =~ ^paths\ +3$ ]]
  [ "$(steps | grep '^binding')" = 'binding (guile-user) one
binding (guile-user) two
binding (guile-user) two' ]
  [ "$(steps | awk '$1 == "vector" { print $3 }' | tr '\n' ' ')" = '1 0 2 ' ]
  try cs-gc-roots --json --why 'one [1] car' "$PRISTINE"
  [ "$(json '(ref d "why" "path_count")' \
         '(vector-length (ref d "why" "paths"))' \
         '(keys (ref d "why" "paths" 0))' \
         '(keys (ref d "why" "paths" 0 "steps" 0))')" = '3
3
("root" "name" "length" "steps")
("kind" "address" "value" "field" "index")' ]
}

@test "circles, closures, variables, other modules, addresses" {
  try cs-gc-roots --why 'circle cdr cdr car' "$PRISTINE"
  ended 0
  [ "$(steps | grep -c '^pair')" -eq 1 ]
  try cs-gc-roots --why 'boxed value car' "$PRISTINE"
  ended 0
  [ "$(steps | grep -c '^variable')" -eq 2 ]
  try cs-gc-roots --why '(my app) cache [0] car' "$PRISTINE"
  ended 0
  [ "$(steps | head -n 1)" = 'binding (my app) cache' ]
  addr=$(sed -E -n '1s/.*(0x[0-9a-f]+).*/\1/p' <<<"$output")
  was=$output
  try cs-gc-roots --why "$addr" "$PRISTINE"
  ended 0
  [ "$output" = "$was" ]
}

@test "a list of a million pairs is gone through without recursion" {
  try cs-gc-roots --why 'long [999989]' "$PRISTINE"
  refused 1 "'long [999989]': the value is no object"
  try cs-gc-roots --why 'short' "$PRISTINE"
  ended 0
  [ "$(steps | grep '^binding')" = 'binding (guile-user) short' ]
  (ulimit -s 128; cs-gc-roots --retained "$PRISTINE" >/dev/null)
}

@test "expressions without a value are refused" {
  try cs-gc-roots --why 'nothing-like-it' "$PRISTINE"
  refused 1 "'nothing-like-it': module (guile-user) defines no"
  try cs-gc-roots --why '(no such) x' "$PRISTINE"
  refused 1 'there is no module (no such)'
  try cs-gc-roots --why 'inventory [7]' "$PRISTINE"
  refused 1 "pair at 0x"
  try cs-gc-roots --why 'inventory car z' "$PRISTINE"
  refused 1 "has no 'z'"
  for expression in '' '(' '()' '(my app)' '0xzz' 'inventory [' 'inventory [x]' \
    'inventory cr' '0x10' "$(printf 'x%.0s' $(seq 600))"; do
    try cs-gc-roots --why "$expression" "$PRISTINE"
    ended 1
    printed ''
  done
}

@test "--retained: what each binding keeps alone" {
  try cs-gc-roots --retained "$PRISTINE"
  ended 0
  complained ''
  word=$(($(getconf LONG_BIT) / 8))
  # Two words a pair, less those that `short` keeps too, and the variable.
  [ "$(awk '$5 == "long" { print $1 }' <<<"$output")" \
    -eq $((999990 * 2 * word + 2 * word)) ]
  [ "$(awk '$5 == "big" { print $1 }' <<<"$output")" \
    -eq $((3000000 + 4 * word + 2 * word)) ]
  [[ ${lines[1]} =~ \ long\  ]]
  [[ ${lines[2]} =~ \ big\  ]]
  try cs-gc-roots --json --retained "$PRISTINE"
  ended 0
  [ "$(json '(keys (ref d "retained" 0))' '(ref d "retained" 0 "root")')" = \
    '("retained" "kind" "address" "root" "value")
"(guile-user) long"' ]
}

@test "--unreachable" {
  try cs-gc-roots --unreachable "$PRISTINE"
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^UNREACHABLE\ +COUNT\ +BYTES$ ]]
  [ "$(awk '$1 == "in" { print ($3 > 1000000) }' <<<"$output")" = 1 ]
  try cs-gc-roots --json --unreachable "$PRISTINE"
  ended 0
  [ "$(json '(keys (ref d "unreachable" 0))' '(ref d "memory" 0 "kind")')" = \
    '("kind" "count" "bytes")
"in use"' ]
}

@test "--to writes a graph" {
  try cs-gc-roots --why 'one [1] car' --to a.dot "$PRISTINE"
  ended 0
  [ "$(head -n 1 a.dot)" = 'digraph why {' ]
  [ "$(tail -n 1 a.dot)" = '}' ]
  [ "$(grep -c 'element 1' a.dot)" -eq 1 ]
  [ "$(grep -c 'shape=box, label="(guile-user)' a.dot)" -eq 2 ]
  try cs-gc-roots --retained --to b.dot "$PRISTINE"
  ended 0
  [ "$(head -n 1 b.dot)" = 'digraph retained {' ]
  try cs-gc-roots --why one --to no/such.dot "$PRISTINE"
  refused 1 "cannot write 'no/such.dot'"
  try cs-gc-roots --why none --to c.dot "$PRISTINE"
  ended 1
  [ ! -e c.dot ]
  try cs-gc-roots --to a.dot "$PRISTINE"
  ended 2
  try cs-gc-roots --why one --retained --to a.dot "$PRISTINE"
  ended 2
}
