#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-gc-roots.bats -- roots, modules and bindings of real stores.

load helper

hint="  try 'cs-gc-roots --help'"

# A store with one value of each kind, shared by all cases: they only read
# it, or copy it.
setup_file ()
{
  export BATS_TEST_TIMEOUT=150 GUILE_AUTO_COMPILE=0
  store_for_file
  cat >"$BATS_FILE_TMPDIR/values.scm" <<'END'
(use-modules (srfi srfi-9))
(define an-integer -5)
(define a-big-integer (expt 2 100))
(define a-real 1.5)
(define a-fraction 1/3)
(define a-string "h\u00e9llo \u03bb\n")
(define a-part (substring/shared "hello world" 6))
(define a-symbol (string->symbol "a b"))
(define a-keyword #:key)
(define a-character #\a)
(define a-list (list 1 "two" 'three (cons 4 5)))
(define a-circle (list 1))
(set-cdr! a-circle a-circle)
(define a-vector (vector 1 #f '()))
(define some-bytes #vu8(1 2 3))
(define a-table (make-hash-table))
(define a-procedure (let ((n 0)) (lambda () n)))
(define a-fluid (make-fluid))
(define a-port (open-input-string "x"))
(define-record-type point (make-point x) point? (x point-x))
(define a-record (make-point 1))
(define a-long-string (make-string 1000 #\x))
(define-module (my own module))
(define hidden 1)
(define-public shown 2)
END
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run "$PRISTINE" -s \
    "$BATS_FILE_TMPDIR/values.scm" </dev/null 3>&-
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

# The line of binding $1 of (guile-user), blanks squeezed and the address
# taken out.
binding ()
{
  sed -n '/^MODULE (guile-user)/,/^$/p' <<<"$output" \
    | awk -v name="$1" '$1 == name' \
    | sed -E 's/ +/ /g; s/^ //; s/0x[0-9a-f]+/ADDR/g'
}

has_binding ()
{
  [ "$(binding "${1%% *}")" = "$1" ] \
    || differ "wanted: $1, got: $(binding "${1%% *}")"
}

# Run a command whose output is of no interest; it must end by itself.
survives ()
{
  status=0
  timeout -k 5 20 "$@" </dev/null >/dev/null 2>stderr 3>&- || status=$?
  [[ $status =~ ^[0145]$ ]] \
    || { echo "status $status: $*"; cat stderr; return 1; }
}

@test "--help and --version" {
  try cs-gc-roots --help
  ended 0
  complained ''
  printed_part 'Usage: cs-gc-roots [OPTION...] STORE'
  printed_part '--json'
  try cs-gc-roots --version
  ended 0
  complained ''
  [ "$output" = "cs-gc-roots (ColdStore for Guile) $(cat "$CS_SOURCE_DIR/VERSION")" ]
}

@test "misuse" {
  try cs-gc-roots
  ended 2
  printed ''
  complained "cs-gc-roots: missing operand, expected: STORE[@GENERATION]
$hint"
  try cs-gc-roots --where "$PRISTINE"
  ended 2
  printed ''
  complained "cs-gc-roots: unknown option '--where'
$hint"
}

@test "the root ranges are the libraries' data and a section" {
  try cs-gc-roots "$PRISTINE"
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^ROOT\ RANGE\ +BYTES\ +POINTERS\ +KIND\ +NAME$ ]]
  [[ ${lines[1]} =~ ^0x[0-9a-f]+\ +[1-9][0-9]+\ +[1-9][0-9]*\ +library\ +libgc\.so\. ]]
  [[ ${lines[2]} =~ ^0x[0-9a-f]+\ +[1-9][0-9]+\ +[1-9][0-9]*\ +library\ +libguile- ]]
  [[ ${lines[3]} =~ ^0x[0-9a-f]+\ +[1-9][0-9]+\ +[1-9][0-9]*\ +section\ +guile$ ]]
}

@test "the named roots" {
  try cs-gc-roots "$PRISTINE"
  ended 0
  [ "$(sed -n '/^NAMED ROOT/,/^$/p' <<<"$output" | awk 'NF { print $1, $2 }' \
       | head -n 6)" = \
    'NAMED ROOT
modules module
dynamic-state dynamic-state
standard-input port
standard-output port
standard-error port' ]
}

@test "bindings with kind and value" {
  try cs-gc-roots "$PRISTINE"
  ended 0
  complained ''
  has_binding 'an-integer integer - -5'
  has_binding 'a-big-integer big-integer ADDR #x10000000000000000000000000'
  has_binding 'a-real real ADDR 1.5'
  has_binding 'a-fraction fraction ADDR 1/3'
  has_binding 'a-string string ADDR "héllo λ\n"'
  has_binding 'a-part string ADDR "world"'
  has_binding 'a-symbol symbol ADDR #{a b}#'
  has_binding 'a-keyword keyword ADDR #:key'
  has_binding 'a-character character - #\a'
  has_binding 'a-list pair ADDR (1 "two" three (4 . 5))'
  has_binding 'a-vector vector ADDR #(1 #f ())'
  has_binding 'some-bytes bytevector ADDR #<bytevector of 3 ADDR>'
  has_binding 'a-table hash-table ADDR #<hash-table ADDR>'
  has_binding 'a-procedure procedure ADDR #<procedure ADDR>'
  has_binding 'a-fluid fluid ADDR #<fluid ADDR>'
  has_binding 'a-port port ADDR #<port ADDR>'
  has_binding 'a-record record ADDR #<point ADDR>'
  has_binding 'point record-type ADDR #<record-type point ADDR>'
  [[ $(binding a-circle) == 'a-circle pair ADDR (1 1 1 '*'…)' ]]
  [[ $(binding a-long-string) == 'a-long-string string ADDR "xxx'*'x…' ]]
  [ "$(binding a-long-string | wc -c)" -lt 200 ]
}

@test "nothing is invalid in a sound store" {
  try cs-gc-roots "$PRISTINE"
  ended 0
  [ "$(grep -cE '^  [^ ]+ +invalid ' <<<"$output")" -eq 0 ]
}

@test "modules with their own bindings" {
  try cs-gc-roots "$PRISTINE"
  ended 0
  [ "$(sed -n '/^MODULE (my own module)/,/^$/p' <<<"$output" \
       | awk '$2 == "integer" { print $1, $2, $4 }')" = 'hidden integer 1
shown integer 2' ]
  [ "$(sed -n '/^MODULE (guile),/,/^$/p' <<<"$output" \
       | awk '$1 == "car" { print $2 }')" = procedure ]
}

@test "the bindings are those that Guile itself finds" {
  try cs-run --ephemeral "$PRISTINE" -c \
    '(for-each (lambda (n) (display n) (newline))
       (sort (hash-map->list (lambda (k v) (symbol->string k))
                             (module-obarray (resolve-module (quote (ice-9 match)))))
             string<?))'
  ended 0
  names=$output
  try cs-gc-roots --json "$PRISTINE"
  ended 0
  [ "$(json '(for-each (lambda (b) (display (ref b "name")) (newline))
                       (vector->list (ref (find (ref d "modules") "name"
                                                "(ice-9 match)")
                                          "bindings")))' | sed '$d')" = "$names" ]
}

@test "--json has the documented members" {
  try cs-gc-roots --json "$PRISTINE"
  ended 0
  complained ''
  [ "$(json '(keys d)' '(keys (ref d "ranges" 0))' '(keys (ref d "named" 0))' \
         '(keys (ref d "modules" 0))' \
         '(keys (ref (find (ref d "modules") "name" "(guile-user)")
                     "bindings" 0))')" = \
    '("command" "schema" "store" "generation" "ranges" "named" "modules")
("kind" "name" "address" "bytes" "pointers")
("name" "kind" "address" "value")
("name" "kind" "address" "bindings")
("name" "variable" "kind" "address" "value")' ]
}

@test "--json values" {
  try cs-gc-roots --json "$PRISTINE"
  ended 0
  [ "$(json '(ref d "command")' '(ref d "schema")' '(ref d "generation")' \
         '(ref (find (ref (find (ref d "modules") "name" "(guile-user)")
                          "bindings") "name" "an-integer") "address")' \
         '(ref (find (ref (find (ref d "modules") "name" "(guile-user)")
                          "bindings") "name" "a-string") "value")')" = \
    '"cs-gc-roots"
1
2
null
"\"héllo λ\\n\""' ]
}

@test "beside a live writer: the last commit" {
  cp --sparse=always "$PRISTINE" live.store
  hold live.store
  before=$(state_of live.store)
  try cs-gc-roots live.store
  ended 0
  complained ''
  has_binding 'an-integer integer - -5'
  [ "$(state_of live.store)" = "$before" ]
  let_go || true
}

@test "a store that cannot be written" {
  cp --sparse=always "$PRISTINE" a.store
  chmod 400 a.store
  before=$(state_of a.store)
  try cs-gc-roots a.store
  ended 0
  complained ''
  [ "$(state_of a.store)" = "$before" ]
}

@test "what is no store" {
  try cs-gc-roots missing.store
  refused 1 "'missing.store'"
  echo 'not a store' >text.store
  try cs-gc-roots text.store
  refused 4 "'text.store'"
  head -c 100000 "$PRISTINE" >short.store
  try cs-gc-roots short.store
  refused 4 "'short.store'"
  mkdir folder.store
  try cs-gc-roots folder.store
  refused 1 "'folder.store'"
}

@test "flipped bytes never end it by a signal" {
  cp --sparse=always "$PRISTINE" a.store
  size=$(stat -c %s a.store)
  image=$(image_start)
  RANDOM=1
  for ((i = 0; i < 20; i++)); do
    for ((k = 0; k < 10; k++)); do
      printf '%b' "\\x$(printf %02x $((RANDOM % 256)))" \
        | dd of=a.store bs=1 conv=notrunc status=none \
          seek=$((image + (RANDOM * 32768 + RANDOM) % (size - image)))
    done
    survives cs-gc-roots a.store
    survives cs-gc-roots --json a.store
  done
}
