#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-intern.bats -- the command line of cs-intern.

load helper

hint="  try 'cs-intern --help'"
magic=ColdTab

# Build lib$1.so.1 from the C text on stdin; the rest is for the compiler.
library ()
{
  local name=$1

  shift
  cc "${CS_TEST_MACHINE[@]}" -shared -fPIC -O1 -nostdlib \
    -Wl,-soname,"lib$name.so.1" -o "lib$name.so.1" -xc - -xnone "$@" 3>&-
}

# make-store has the sanitizers of the build it is linked with.
setup_file ()
{
  local archive=$CS_BUILD_DIR/libcs.a flags=()

  if nm "$archive" 2>/dev/null | grep -q __asan_init; then
    flags=(-fsanitize={address,undefined})
  fi
  export MAKE_STORE=$BATS_FILE_TMPDIR/make-store
  cc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
    -I"$CS_SOURCE_DIR" -I"$CS_SOURCE_DIR/libcs" "${flags[@]}" -o "$MAKE_STORE" \
    "$CS_SOURCE_DIR/tests/cli/make-store.c" "$archive" \
    -lelf -lz -lpthread -ldl 3>&-
}

setup ()
{
  CS_TEST_MACHINE=()
  cd "$BATS_TEST_TMPDIR" || return
  cat >a.pol <<'END'
policy 1
persist liba.so.*
intern function * in persistent
skip function a_skipped
intern data a_data
END
  library a <<'END'
int a_one (int n) { return n; }
int a_two (int n) { return a_one (n) + 1; }
int a_skipped (void) { return 0; }
int a_data[4];
int a_other[4];
END
}

# A store with the symbols of liba, in a.store.
store ()
{
  "$MAKE_STORE" a.store a.pol ./liba.so.1 3>&-
}

@test "--help explains every option on standard output" {
  try cs-intern --help
  ended 0
  complained ''
  printed_part 'Usage: cs-intern [OPTION...] LIBRARY...'
  for option in check json list output=TABLE policy=FILE store=STORE quiet \
    verbose help version
  do
    printed_part "--$option"
  done
  printed_part '-o, --output'
}

@test "--version prints one line" {
  try cs-intern --version
  ended 0
  complained ''
  [ "$output" = "cs-intern (ColdStore for Guile) $(cat "$CS_SOURCE_DIR/VERSION")" ]
}

@test "an unknown option" {
  try cs-intern --nonsense liba.so.1
  ended 2
  printed ''
  complained "cs-intern: unknown option '--nonsense'
$hint"
}

@test "no library" {
  try cs-intern --policy a.pol
  ended 2
  printed ''
  complained "cs-intern: missing operand, expected: LIBRARY...
$hint"
}

@test "options that exclude each other" {
  try cs-intern --store a.store -o a.cst liba.so.1
  ended 2
  printed ''
  complained "cs-intern: options '--store' and '--output' exclude each other
$hint"
  try cs-intern --check -o a.cst liba.so.1
  ended 2
  complained "cs-intern: options '--check' and '--output' exclude each other
$hint"
  try cs-intern --check --store a.store --list liba.so.1
  ended 2
  complained "cs-intern: with '--store', options '--check' and '--list' exclude each other
$hint"
  [ ! -e a.cst ]
}

@test "writes the table under the first library's soname" {
  try cs-intern --policy a.pol ./liba.so.1
  ended 0
  quiet
  [ "$(head -c 7 liba.so.1.cst)" = "$magic" ]
  [ "$(echo *.so*)" = 'liba.so.1 liba.so.1.cst' ]
}

@test "-o names the table, and writes the same bytes each time" {
  try cs-intern --policy a.pol -o one.cst liba.so.1
  ended 0
  quiet
  try cs-intern --policy a.pol --output two.cst liba.so.1
  ended 0
  quiet
  cmp one.cst two.cst
  [ ! -e liba.so.1.cst ]
}

@test "-v says what was done" {
  try cs-intern -v --policy a.pol liba.so.1
  ended 0
  printed ''
  complained "cs-intern: the policy interns 3 symbols of 1 libraries
cs-intern: wrote 'liba.so.1.cst'"
}

@test "--list prints the columns in a fixed order" {
  try cs-intern --policy a.pol --list liba.so.1
  ended 0
  complained ''
  [ -e liba.so.1.cst ]
  [ "${lines[0]}" = 'SYMBOL  KIND          SIZE  LIBRARY    RULE  TRAMPOLINE' ]
  [ "${#lines[@]}" -eq 4 ]
  [ "$(awk 'NR > 1 { print $1, $2, $4, $5 }' <<<"$output" | sort)" = \
    'a_data data liba.so.1 5
a_one function liba.so.1 3
a_two function liba.so.1 3' ]
  [ "$(awk 'NR > 1 { print $6 }' <<<"$output")" = '0
1
2' ]
  printed_part 'a_data  data            16  liba.so.1     5  '
}

@test "--json has the documented members" {
  try cs-intern --policy a.pol --json --check liba.so.1
  ended 0
  complained ''
  [ ! -e liba.so.1.cst ]
  [ "${lines[0]}" = '{' ]
  [ "${lines[1]}" = '  "command": "cs-intern",' ]
  [ "${lines[2]}" = '  "schema": 1,' ]
  printed_part '"policy": "a.pol"'
  printed_part '"store": null'
  printed_part '"table": null'
  printed_part '"soname": "liba.so.1", "path": "liba.so.1", "build_id": '
  printed_part '"role": "persist"'
  printed_part '{"symbol": "a_data", "version": null, "library": "liba.so.1", "kind": "data", "size": 16, "rule": 5, "index": '
}

@test "--check without a store writes nothing" {
  try cs-intern --policy a.pol --check liba.so.1
  ended 0
  quiet
  [ ! -e liba.so.1.cst ]
}

@test "a policy with three errors: all of them, in order" {
  printf 'policy 1\npresist liba.so.*\nintern function * in\n  replace x with [\n' >bad.pol
  try cs-intern --policy bad.pol liba.so.1
  ended 2
  printed ''
  complained "bad.pol:2:1: unknown rule 'presist'; rules are policy, persist, restart, rebind, intern, skip, replace, files
bad.pol:3:19: library pattern expected after 'in'
bad.pol:4:18: replacement '[' is not of the form NAMESPACE:NAME, as in store:malloc"
  [ ! -e liba.so.1.cst ]
}

@test "a replacement that does not exist" {
  printf 'replace free with store:fre\n' >>a.pol
  try cs-intern --policy a.pol liba.so.1
  ended 2
  printed ''
  complained "a.pol:6:19: unknown replacement 'store:fre'"
}

@test "a rule that matches nothing is a warning" {
  printf 'intern function a_tow\noptional intern data nothing\n' >>a.pol
  try cs-intern --policy a.pol liba.so.1
  ended 0
  printed ''
  complained "cs-intern: warning: a.pol:6:1: rule 'intern function a_tow' matches nothing"
  [ -e liba.so.1.cst ]
  try cs-intern --quiet --policy a.pol liba.so.1
  ended 0
  quiet
}

@test "a pattern that matches nothing is a warning" {
  printf 'intern data a_other a_othr\n' >>a.pol
  try cs-intern --policy a.pol liba.so.1
  ended 0
  printed ''
  complained "cs-intern: warning: a.pol:6:21: pattern 'a_othr' matches nothing"
}

@test "the shipped policy makes no noise" {
  guile=$(ldconfig -p | sed -n 's/.*libguile-3\.0\.so\.1 .*=> //p' | head -n 1)
  [ -n "$guile" ] || skip 'no libguile-3.0.so.1'
  try cs-intern --policy "$CS_SOURCE_DIR/policy/guile-3.0.pol" "$guile"
  ended 0
  quiet
  mv libguile-3.0.so.1.cst given.cst
  try cs-intern "$guile"
  ended 0
  quiet
  cmp libguile-3.0.so.1.cst given.cst
  try cs-intern --check --list "$guile"
  printed_part 'libgc.so.1'
}

@test "a needed library that persists is found beside the first" {
  library b <<<'int a_one (int); int b_one (void) { return a_one (1); }' \
    liba.so.1
  sed -i 's/liba/lib[ab]/' a.pol
  try cs-intern --verbose --policy a.pol --list ./libb.so.1
  ended 0
  complained_part "also reading './liba.so.1', which the policy persists"
  printed_part ' liba.so.1 '
}

@test "a needed library that persists is not found" {
  library b <<<'int a_one (int); int b_one (void) { return a_one (1); }' \
    liba.so.1
  sed -i 's/liba/lib[ab]/' a.pol
  rm liba.so.1
  try cs-intern --policy a.pol ./libb.so.1
  ended 5
  printed ''
  complained "cs-intern: cannot find 'liba.so.1', which './libb.so.1' needs and the policy carries
  install it where ld.so looks for libraries; to cs-intern its file can be given as well"
}

@test "a needed library that is found damaged is not passed over" {
  library b <<<'int a_one (int); int b_one (void) { return a_one (1); }' \
    liba.so.1
  sed -i 's/liba/lib[ab]/' a.pol
  truncate -s 500 liba.so.1
  try cs-intern --policy a.pol ./libb.so.1
  refused 4 "cannot read './liba.so.1': "
}

@test "two libraries of one soname" {
  try cs-intern --policy a.pol liba.so.1 ./liba.so.1
  refused 1 "'liba.so.1' and './liba.so.1' have the same soname 'liba.so.1'"
}

@test "bad libraries: missing, folder, pipe, device, empty, text, truncated" {
  try cs-intern missing.so
  refused 1 "'missing.so'"
  mkdir folder.so
  try cs-intern folder.so
  refused "$status" "'folder.so'"
  [ "$status" -eq 1 ] || [ "$status" -eq 4 ]
  mkfifo fifo.so
  for name in fifo.so /dev/zero; do
    try cs-intern "$name"
    refused 1 "cannot read '$name': not a regular file"
  done
  : >empty.so
  try cs-intern empty.so
  refused 4 "'empty.so'"
  echo 'not a library' >text.so
  try cs-intern text.so
  refused 4 "'text.so'"
  size=$(stat -c %s liba.so.1)
  for length in 4 16 63 64 200 "$((size / 4))" "$((size / 2))"; do
    head -c "$length" liba.so.1 >short.so
    try cs-intern short.so
    refused 4 "'short.so'"
  done
  [ "$(echo ./*.cst)" = './*.cst' ]
}

@test "bad policies: missing, folder, binary" {
  try cs-intern --policy missing.pol liba.so.1
  refused 1 "cannot open policy 'missing.pol': No such file or directory"
  try cs-intern --policy . liba.so.1
  refused 1 "cannot read policy '.': Is a directory"
  try cs-intern --policy liba.so.1 liba.so.1
  ended 2
  printed ''
  complained_part 'liba.so.1:1:'
}

@test "a file that is no table is not replaced by one" {
  try cs-intern --policy a.pol -o liba.so.1 liba.so.1
  refused 1 "cannot write table 'liba.so.1': the file there is no table"
  "$MAKE_STORE" a.store a.pol ./liba.so.1 3>&-
  before=$(state_of a.store)
  try cs-intern --policy a.pol -o a.store liba.so.1
  refused 1 "cannot write table 'a.store': the file there is no table"
  complained_part 'with --store'
  [ "$(state_of a.store)" = "$before" ]
  for contents in C ColdTa 'text, and more'; do
    printf %s "$contents" >other
    try cs-intern --policy a.pol -o other liba.so.1
    refused 1 'is no table'
    [ "$(cat other)" = "$contents" ]
  done
  : >empty
  try cs-intern --policy a.pol -o empty liba.so.1
  ended 0
  quiet
  try cs-intern --policy a.pol -o empty liba.so.1
  ended 0
  quiet
}

@test "a table that cannot be written" {
  try cs-intern --policy a.pol -o missing/a.cst liba.so.1
  refused 1 "cannot write table 'missing/a.cst': directory 'missing/': No such file"
  mkdir folder
  try cs-intern --policy a.pol -o folder liba.so.1
  refused 1 "cannot write table 'folder': not a regular file"
  try cs-intern --policy a.pol -o /dev/null liba.so.1
  refused 1 "cannot write table '/dev/null': not a regular file"
  [ -c /dev/null ]
}

@test "standard output that cannot be written" {
  [ -c /dev/full ] || skip 'no /dev/full'
  # shellcheck disable=SC2016     # for the inner shell
  try sh -c 'cs-intern --policy a.pol --check --list liba.so.1 >/dev/full'
  refused 1 'cannot write standard output'
}

@test "--store adds what the policy selects, once" {
  store
  printf 'intern data a_other\n' >>a.pol
  try cs-intern -v --policy a.pol --store a.store liba.so.1
  ended 0
  printed ''
  complained_part "'a.store': 1 symbols added, 4 in all"
  # Only the lock record, which is between, may change.
  head -c 8192 a.store >before
  tail -c +65537 a.store >>before
  try cs-intern -v --policy a.pol --store a.store liba.so.1
  ended 0
  complained_part "'a.store': 0 symbols added, 4 in all"
  { head -c 8192 a.store; tail -c +65537 a.store; } | cmp - before
  [ ! -e liba.so.1.cst ]
}

@test "--list with --store prints trampolines" {
  store
  try cs-intern --policy a.pol --store a.store --list liba.so.1
  ended 0
  complained ''
  [ "$(awk 'NR > 1 { print $6 }' <<<"$output" | grep -c '^0x[0-9a-f]*$')" -eq 3 ]
  [ "$(awk 'NR > 1 { print $6 }' <<<"$output" | sort -u | wc -l)" -eq 3 ]
  try cs-intern --policy a.pol --store a.store --json liba.so.1
  ended 0
  printed_part '"store": "a.store"'
  printed_part '"trampoline": "0x'
}

@test "--check: all the same" {
  store
  before=$(state_of a.store)
  try cs-intern -v --policy a.pol --check --store a.store liba.so.1
  ended 0
  complained "cs-intern: 'a.store': 3 same, 0 moved, 0 size changed, 0 kind changed, 0 missing, 0 of other libraries"
  [ "${lines[0]}" = 'SYMBOL  KIND          SIZE  LIBRARY    STATUS' ]
  [ "$(awk 'NR > 1 { print $5 }' <<<"$output" | sort | uniq -c \
       | awk '{ print $1, $2 }')" = '3 same' ]
  [ "$(state_of a.store)" = "$before" ]
}

@test "--check: missing, and changed in kind and size" {
  store
  library a <<'END'
int a_one[1];
int a_data[5];
END
  try cs-intern --policy a.pol --check --store a.store liba.so.1
  ended 1
  complained "cs-intern: 'a.store': 1 of 3 interned symbols missing from these libraries"
  [ "$(awk 'NR > 1 { print $1, $2, $5, $6 }' <<<"$output" | sort)" = \
    'a_data data size-changed 20
a_one function kind-changed data
a_two function missing ' ]
}

@test "--check: moved, which is no reason to fail" {
  store
  library a <<'END'
int a_before (int n) { return n * n * n + 7; }
int a_one (int n) { return n; }
int a_two (int n) { return a_one (n) + 1; }
int a_data[4];
END
  try cs-intern --policy a.pol --check --store a.store liba.so.1
  ended 0
  complained ''
  printed_part '  moved  0x'
}

@test "--check: another library" {
  store
  library b <<<'int b_one (void) { return 1; }'
  try cs-intern --policy a.pol --check --store a.store libb.so.1
  ended 0
  complained "cs-intern: warning: none of the store's symbols is of these libraries"
  [ "$(awk 'NR > 1 { print $5 }' <<<"$output" | sort -u)" = 'not-checked' ]
}

@test "--check --json" {
  store
  library a <<<'int a_data[5]; int f (int n) { return n * n + 9 * n; }
    int g (int n) { return n * n + 8; } int a_one (int n) { return n; }'
  try cs-intern --policy a.pol --check --json --store a.store liba.so.1
  ended 1
  complained_part '1 of 3 interned symbols missing'
  printed_part '
  "summary": {
    "same": 0,
    "moved": 1,
    "size-changed": 1,
    "kind-changed": 0,
    "missing": 1,
    "not-checked": 0
  },
'
  printed_part '"status": "missing", "new_kind": null, "new_size": null}'
  printed_part '"status": "size-changed", "new_kind": "data", "new_size": 20}'
}

@test "bad stores: missing, not a store" {
  try cs-intern --policy a.pol --store missing.store liba.so.1
  refused 1 "'missing.store'"
  head -c 100000 /dev/zero >zero.store
  chmod 600 zero.store
  try cs-intern --policy a.pol --store zero.store liba.so.1
  refused 4 "'zero.store'"
  try cs-intern --policy a.pol --check --store zero.store liba.so.1
  refused 4 "'zero.store'"
}

