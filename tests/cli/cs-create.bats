#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-create.bats -- the command line of cs-create.

load helper

hint="  try 'cs-create --help'"

setup_file ()
{
  store_for_file
}

setup ()
{
  # bats keeps files of its own in its folder.
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
}

teardown ()
{
  remove_small_file_system
}

@test "--help explains every option on standard output" {
  try cs-create --help
  ended 0
  complained ''
  printed_part 'Usage: cs-create [OPTION...] STORE'
  for option in force 'from SOURCE' libguile=FILE policy=FILE reserve=SIZE \
    table=FILE quiet verbose help version
  do
    printed_part "--$option"
  done
  try cs-create -h
  ended 0
  printed_part 'Usage: cs-create'
}

@test "--help wins over what comes after it" {
  try cs-create --help --nonsense
  ended 0
  complained ''
}

@test "--version prints one line" {
  try cs-create --version
  ended 0
  complained ''
  [[ $output =~ ^cs-create\ \(ColdStore\ for\ Guile\)\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
  [ "${output##* }" = "$(cat "$CS_SOURCE_DIR/VERSION")" ]
}

@test "without an operand" {
  try cs-create
  ended 2
  printed ''
  complained "cs-create: missing operand, expected: STORE
$hint"
}

@test "with one operand too many" {
  try cs-create a.store b.store
  ended 2
  printed ''
  complained "cs-create: unexpected operand 'b.store'
$hint"
  [ -z "$(ls -A)" ]
}

@test "with an empty operand" {
  try cs-create ''
  ended 2
  complained "cs-create: empty operand, expected: STORE
$hint"
}

@test "an unknown option" {
  try cs-create --nonsense a.store
  ended 2
  printed ''
  complained "cs-create: unknown option '--nonsense'
$hint"
  try cs-create -x a.store
  ended 2
  complained "cs-create: unknown option '-x'
$hint"
}

@test "options are not abbreviated" {
  try cs-create --forc a.store
  refused 2 "unknown option '--forc'"
}

@test "an option without its argument, and one with an unwanted one" {
  try cs-create a.store --policy
  refused 2 "option '--policy' needs an argument"
  try cs-create --force=yes a.store
  refused 2 "takes no argument"
}

@test "sizes that are none" {
  for size in '' x 5x -1 +1 ' 1' '1 ' 1.5G 0x10 G 1GG; do
    try cs-create --reserve "$size" a.store
    refused 2 "'$size' is not a size"
  done
  [ -z "$(ls -A)" ]
}

@test "sizes out of range" {
  try cs-create --reserve 0 a.store
  refused 2 "the size must not be 0"
  for size in 18446744073709551616 16384P 99E; do
    try cs-create --reserve "$size" a.store
    refused 2 "size '$size' is too large"
  done
}

@test "options that exclude each other" {
  for option in --policy --table --libguile --reserve; do
    try cs-create --from x.store "$option" 1 a.store
    refused 2 "options '--from' and '$option' exclude each other"
  done
}

@test "the last line of help is lost: standard output is full" {
  run --separate-stderr sh -c 'cs-create --help >/dev/full'
  ended 1
  complained 'cs-create: cannot write standard output: No space left on device'
}

@test "standard output is closed" {
  run --separate-stderr sh -c 'cs-create --version >&-'
  ended 1
  complained 'cs-create: cannot write standard output: Bad file descriptor'
}

@test "control characters in a name cannot forge a message" {
  try cs-create $'missing\n/a.store'
  ended 1
  well_formed
  complained_part 'missing\012/a.store'
}

@test "makes a store, and says nothing" {
  try cs-create a.store
  ended 0
  quiet
  [ -f a.store ]
  [ "$(ls -A)" = a.store ]
}

@test "a store that others can write is never made" {
  run --separate-stderr sh -c 'umask 0; cs-create a.store'
  ended 0
  [ $((0$(stat -c %a a.store) & 022)) -eq 0 ]
}

@test "--verbose tells what was made, on standard error" {
  try cs-create -v a.store
  ended 0
  printed ''
  complained_part "cs-create: made 'a.store'"
}

@test "a name that starts with a dash" {
  try cs-create -- -a.store
  ended 0
  quiet
  [ -f ./-a.store ]
}

@test "works with the standard descriptors closed" {
  run --separate-stderr sh -c 'cs-create a.store <&- 2>&-'
  ended 0
  [ -f a.store ]
  try cs-run a.store -c '(display (+ 1 1))'
  ended 0
  printed 2
}

@test "--reserve sets the size of the address range" {
  try cs-create --reserve=1GiB a.store
  ended 0
  quiet
  try cs-run a.store -c '(display "works")'
  ended 0
  printed works
}

@test "--reserve larger than the address space" {
  try cs-create --reserve=8E a.store
  refused 1 'cannot reserve 9223372036854775808 bytes'
  complained_part 'the address space has room for'
  [ -z "$(ls -A)" ]
}

@test "--reserve smaller than an interpreter" {
  for size in 64K 63M; do
    try cs-create --reserve="$size" a.store
    refused 1 'a workspace needs at least 67108864'
  done
  [ -z "$(ls -A)" ]
}

@test "the smallest --reserve is enough to work in" {
  try cs-create --reserve=64M a.store
  ended 0
  quiet
  try cs-run a.store -c '(display (length (iota 1000)))'
  ended 0
  printed 1000
}

@test "refuses a name that exists, and advises --force" {
  echo precious >a.store
  try cs-create a.store
  refused 1 "'a.store'"
  complained_part --force
  [ "$(cat a.store)" = precious ]
}

@test "--force replaces a file" {
  echo precious >a.store
  try cs-create --force a.store
  ended 0
  quiet
  try cs-run a.store -c '(display "works")'
  ended 0
  printed works
}

@test "--force makes a new store as well" {
  try cs-create --force a.store
  ended 0
  quiet
  [ -f a.store ]
}

@test "--force does not replace a store that is held" {
  cp --sparse=always "$PRISTINE" a.store
  hold a.store
  before=$(state_of a.store)
  try cs-create --force a.store
  refused 3 "'a.store'"
  complained_part "$HOLDER"
  [ "$(state_of a.store)" = "$before" ]
  let_go
}

@test "--force does not replace what is not a regular file" {
  mkdir folder
  mkfifo fifo
  for name in folder fifo /dev/null; do
    try cs-create --force "$name"
    refused 1 "'$name'"
  done
  [ -d folder ] && [ -p fifo ] && [ -c /dev/null ]
}

@test "the name is a folder" {
  mkdir folder
  try cs-create folder
  refused 1 "'folder'"
  try cs-create folder/
  ended 1 && printed '' && well_formed
  [ -z "$(ls -A folder)" ]
}

@test "the folder does not exist" {
  try cs-create missing/a.store
  refused 1 "'missing/a.store'"
  complained_part 'No such file or directory'
}

@test "a part of the name is not a folder, or is too long" {
  echo >file
  try cs-create file/a.store
  refused 1 'Not a directory'
  try cs-create "$(printf '%0300d' 0)"
  refused 1 'File name too long'
}

@test "the folder cannot be written" {
  need_nobody
  mkdir -m 755 folder
  try_as_nobody cs-create folder/a.store
  refused 1 'Permission denied'
  [ -z "$(ls -A folder)" ]
}

@test "the disk is full" {
  small_file_system 4m
  try cs-create small/a.store
  refused 1 'No space left on device'
  [ -z "$(ls -A small)" ]
}

@test "there is not enough memory" {
  run --separate-stderr bash -c 'ulimit -v 60000; timeout 30 cs-create a.store'
  refused 1 'cannot boot the interpreter in 67108864 bytes'
  complained_part 'ulimit -v'
  [ -z "$(ls -A)" ]
}

@test "there is little address space, but enough" {
  run --separate-stderr bash -c 'ulimit -v 200000; timeout 30 cs-create a.store'
  ended 0
  quiet
}

@test "files may not become as large as needed" {
  for blocks in 100 1000 20000; do
    run --separate-stderr bash -c "ulimit -f $blocks; exec cs-create a.store"
    refused 1 'File too large'
    run --separate-stderr \
      bash -c "trap '' XFSZ; ulimit -f $blocks; exec cs-create a.store"
    refused 1 'File too large'
  done
  [ -z "$(ls -A)" ]
}

@test "an interrupted create leaves nothing, or all" {
  for delay in 0.005 0.02 0.05 0.1 0.2; do
    timeout -s TERM "$delay" cs-create a.store 3>&- || true
    timeout -s KILL "$delay" cs-create b.store 3>&- || true
    for name in *; do
      [ -e "$name" ] || continue
      [[ $name == [ab].store ]]
      try cs-run "$name" -c '(display "works")'
      ended 0
      printed works
      rm -rf "$name" "$name-history"
    done
  done
}

@test "a policy that is not there" {
  try cs-create --policy missing.pol a.store
  refused 1 "'missing.pol'"
  complained_part 'No such file or directory'
  [ -z "$(ls -A)" ]
}

@test "a policy that is a folder" {
  mkdir folder.pol
  try cs-create --policy folder.pol a.store
  refused 1 "'folder.pol': Is a directory"
}

@test "a policy with errors: all are reported with their place, and nothing else" {
  printf '%s\n' 'policy 1' 'persist' 'nonsense here' >bad.pol
  rules='policy, persist, restart, rebind, intern, skip, replace, files'
  for quiet in '' -q; do
    # Word splitting is meant: none, or an option.
    # shellcheck disable=SC2086
    try cs-create $quiet --policy bad.pol a.store
    ended 2
    printed ''
    complained "bad.pol:2:1: library pattern expected after 'persist'
bad.pol:3:1: unknown rule 'nonsense'; rules are $rules"
  done
  [ "$(ls -A)" = bad.pol ]
}

@test "replacements that do not exist: all are reported, nothing is made" {
  sed -e 's/store:free$/store:fre/' -e 's/store:malloc in/store:mallo in/' \
    "$CS_SOURCE_DIR/policy/guile-3.0.pol" >bad.pol
  want=$(awk '{ at = match ($0, /store:(fre|mallo)( |$)/) } at {
                name = substr ($0, at); sub (/ .*/, "", name)
                print "bad.pol:" NR ":" at ": unknown replacement \047" \
                      name "\047" }' bad.pol)
  [ "$(wc -l <<<"$want")" -ge 3 ]
  try cs-create --policy bad.pol a.store
  ended 2 && printed '' && complained "$want"
  [ "$(ls -A)" = bad.pol ]
}

@test "the policy that is shipped is the one built in" {
  try cs-create --policy "$CS_SOURCE_DIR/policy/guile-3.0.pol" a.store
  ended 0
  quiet
  try cs-run a.store -c '(display "works")'
  ended 0
  printed works
}

@test "a table that is not there, or is none" {
  try cs-create --table missing.cst a.store
  refused 1 'No such file or directory'
  head -c 5000 /dev/zero >zero.cst
  try cs-create --table zero.cst a.store
  refused 4 "'zero.cst'"
  [ ! -e a.store ]
}

@test "an interpreter that is not there, or is none" {
  try cs-create --libguile missing.so a.store
  refused 1 "'missing.so'"
  complained_part 'No such file or directory'
  echo 'not a library' >text.so
  try cs-create --libguile text.so a.store
  [ "$status" -eq 4 ] || [ "$status" -eq 5 ] || differ 'wanted 4 or 5'
  printed '' && complained_part "'text.so'" && well_formed
  [ ! -e a.store ]
  try cs-create --libguile "$(library_of libm.so.6)" a.store
  refused 5 "'libm.so.6' is not the library of Guile 3.0"
  complained_part --libguile
  [ ! -e a.store ]
}

@test "--table does not say that rules match nothing" {
  cs-intern -q -o guile.cst "$(library_of libguile-3.0.so.1)" 3>&-
  try cs-create --table guile.cst a.store
  ended 0
  quiet
  try cs-run a.store -c '(display "works")'
  ended 0
  printed works
}

# Print where ld.so finds guile's library $1.
library_of ()
{
  ldd "$(type -p guile)" | sed -n "s/.*$1 => \([^ ]*\) .*/\1/p"
}

# A source with something in it.
make_source ()
{
  cp --sparse=always "$PRISTINE" source.store
  try cs-run source.store -c '(define x 42)'
  ended 0
}

@test "--from copies a workspace, and leaves its source alone" {
  make_source
  before=$(state_of source.store)
  try cs-create --from source.store a.store
  ended 0
  quiet
  [ "$(state_of source.store)" = "$before" ]
  [ "$(stat -c %a a.store)" = 600 ]
  try cs-run a.store -c '(display x) (set! x 43)'
  ended 0
  printed 42
  try cs-run source.store -c '(display x)'
  ended 0
  printed 42
  rm source.store
  try cs-run a.store -c '(display x)'
  ended 0
  printed 43
}

@test "--from keeps holes" {
  make_source
  try cs-create --from source.store a.store
  ended 0
  [ "$(stat -c %s a.store)" -eq "$(stat -c %s source.store)" ]
  [ "$(stat -c %b a.store)" -le $(($(stat -c %b source.store) + 64)) ]
}

@test "--from a store with a writer copies its last checkpoint" {
  make_source
  hold source.store
  try cs-create --from source.store a.store
  ended 0
  quiet
  try cs-run a.store -c '(display x)'
  ended 0
  printed 42
  let_go
}

@test "--from to a name that exists" {
  make_source
  echo precious >a.store
  try cs-create --from source.store a.store
  refused 1 'exists already'
  complained_part --force
  [ "$(cat a.store)" = precious ]
  try cs-create --from source.store --force a.store
  ended 0
  quiet
  try cs-run a.store -c '(display x)'
  ended 0
  printed 42
}

@test "--from onto itself" {
  make_source
  before=$(state_of source.store)
  try cs-create --from source.store --force source.store
  refused 1 'it is the source itself'
  [ "$(state_of source.store)" = "$before" ]
}

@test "--from to a store that is held" {
  make_source
  cp --sparse=always "$PRISTINE" a.store
  hold a.store
  before=$(state_of a.store)
  try cs-create --from source.store --force a.store
  refused 3 "'a.store'"
  complained_part "$HOLDER"
  [ "$(state_of a.store)" = "$before" ]
  let_go
}

@test "--from something that is not there, or not a store" {
  try cs-create --from missing.store a.store
  refused 1 "'missing.store'"
  complained_part 'No such file or directory'
  echo 'not a store' >text.store
  try cs-create --from text.store a.store
  refused 4 "'text.store'"
  complained_part 'this is not a store'
  head -c 100000 /dev/zero >zero.store
  try cs-create --from zero.store a.store
  refused 4 "'zero.store'"
  complained_part 'this is not a store'
  mkdir folder.store
  try cs-create --from folder.store a.store
  refused 1 'not a regular file'
  [ ! -e a.store ]
}

@test "--from a store that is cut short" {
  make_source
  truncate -s -4096 source.store
  try cs-create --from source.store a.store
  refused 4 "'source.store'"
  complained_part 'committed length'
  truncate -s 70000 source.store
  try cs-create --from source.store a.store
  refused 4 "'source.store'"
  [ ! -e a.store ]
}

@test "--from a store of another format version" {
  make_source
  other_version source.store
  try cs-create --from source.store a.store
  refused 5 'format version'
  [ ! -e a.store ]
}

# Make the store $1 one of version 99: bytes 8 to 11 of both superblocks, and
# their CRC-32 at 120.  gzip ends with the same CRC of what it was given.
other_version ()
{
  local slot

  for slot in 0 4096; do
    printf '\143' | write_at "$1" $((slot + 8))
    tail -c +$((slot + 1)) "$1" | head -c 120 | gzip -nc | tail -c 8 \
      | head -c 4 | write_at "$1" $((slot + 120))
  done
}

write_at ()
{
  dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "--from a store that others can write" {
  make_source
  chmod g+w source.store
  try cs-create --from source.store a.store
  refused 1 'lets others write'
  [ ! -e a.store ]
}

@test "--from to a full disk" {
  make_source
  small_file_system 4m
  try cs-create --from source.store small/a.store
  refused 1 'No space left on device'
  [ -z "$(ls -A small)" ]
}

@test "--policy without the rules for Guile's files: a warning, and none are carried" {
  grep -vE 'process:l?stat' "$CS_SOURCE_DIR/policy/guile-3.0.pol" > older.pol
  try cs-create --policy=older.pol older.store
  ended 0
  complained "cs-create: warning: Guile's modules are not carried: the policy has no rule 'replace ... with process:stat'"
  try cs-create --policy=older.pol --bundle=libraries libraries.store
  ended 0
  complained ''
}
