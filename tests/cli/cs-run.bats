#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-run.bats -- the command line of cs-run, and its own failures: 125.

load helper

hint="  try 'cs-run --help'"

setup_file ()
{
  store_for_file
}

setup ()
{
  # bats keeps files of its own in its folder.
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
  cp --sparse=always "$PRISTINE" a.store
}

teardown ()
{
  remove_small_file_system
}

@test "--help explains every option on standard output" {
  try cs-run --help
  ended 0
  complained ''
  printed_part 'Usage: cs-run [OPTION...] STORE [GUILE-OPTION...]'
  for option in changed-files=RULE checkpoint-every=TIME ephemeral no-save stack-size=SIZE quiet verbose help version
  do
    printed_part "--$option"
  done
}

@test "--version prints one line" {
  try cs-run --version
  ended 0
  complained ''
  printed "cs-run (ColdStore for Guile) $(cat "$CS_SOURCE_DIR/VERSION")"
}

@test "misuse is a failure of cs-run: 125" {
  try cs-run
  ended 125
  printed ''
  complained "cs-run: missing operand, expected: STORE [GUILE-OPTION...]
$hint"
  try cs-run --nonsense a.store
  ended 125
  printed ''
  complained "cs-run: unknown option '--nonsense'
$hint"
  try cs-run --stack-size
  refused 125 "option '--stack-size' needs an argument"
  try cs-run --changed-files=open a.store
  refused 125 "option '--changed-files': 'open' is not reopen, reopen-at-end, close or fail"
  try cs-run ''
  refused 125 'empty operand'
}

@test "stack sizes that are none, too small, too large" {
  try cs-run --stack-size=much a.store
  refused 125 "'much' is not a size"
  try cs-run --stack-size=1K a.store
  refused 125 "'1K' is less than 256 KiB"
  try cs-run --stack-size=15E a.store
  refused 125 'too large'
}

@test "a stack that there is no room for" {
  try cs-run --stack-size=4E a.store -c 1
  ended 125 && printed '' && well_formed
}

@test "--help that cannot be written" {
  run --separate-stderr sh -c 'cs-run --help >/dev/full'
  ended 125
  complained 'cs-run: cannot write standard output: No space left on device'
}

@test "no such store" {
  try cs-run missing.store -c 1
  refused 125 "'missing.store'"
  complained_part 'No such file or directory'
  [ ! -e missing.store ]
}

@test "not a store: a folder, a pipe, a device" {
  mkdir folder
  mkfifo fifo
  for name in folder fifo /dev/null /dev/zero; do
    try cs-run "$name" -c 1
    refused 125 "'$name'"
    try cs-run --ephemeral "$name" -c 1
    refused 125 "'$name'"
  done
}

@test "not a store: empty, text, zeros, noise" {
  : >empty
  echo '(display "I am a script")' >text
  head -c 200000 /dev/zero >zeros
  head -c 200000 /dev/urandom >noise
  chmod 600 empty text zeros noise
  for name in empty text zeros noise; do
    try cs-run "$name" -c 1
    refused 125 "'$name'"
  done
}

@test "a store that was cut off" {
  for len in 100 4096 8192 65536 70000 1000000; do
    head -c "$len" "$PRISTINE" >short
    chmod 600 short
    try cs-run short -c 1
    refused 125 "'short'"
  done
}

@test "a store that others can write" {
  for mode in 620 602; do
    chmod $mode a.store
    try cs-run a.store -c 1
    refused 125 "'a.store'"
    complained_part chmod
  done
}

@test "a store of another user, and one that cannot be read" {
  need_nobody
  chown 1234 a.store
  chmod 644 a.store
  try_as_nobody cs-run --ephemeral "$PWD/a.store" -c 1
  refused 125 "a.store'"
  chown 0 a.store
  chmod 600 a.store
  try_as_nobody cs-run "$PWD/a.store" -c 1
  refused 125 'Permission denied'
}

@test "a store of root may be looked at by anybody" {
  need_nobody
  chmod 644 a.store
  try_as_nobody cs-run --ephemeral "$PWD/a.store" -c '(display (getuid))'
  ended 0
  printed 65534
}

@test "evaluates, prints, saves" {
  try cs-run a.store -c '(define x 42)'
  ended 0
  quiet
  try cs-run a.store -c '(display x)'
  ended 0 && printed 42 && complained ''
}

@test "options after STORE are Guile's" {
  try cs-run a.store --version
  ended 0
  printed_part 'GNU Guile'
  try cs-run a.store --help
  ended 0
  printed_part 'Evaluate'
  try cs-run a.store -c '(write (command-line))' --help --no-save -q '' 'a b'
  ended 0
  printed '("cs-run" "--help" "--no-save" "-q" "" "a b")'
  try cs-run a.store --nonsense
  ended 1
  printed ''
  complained_part nonsense
}

@test "a -- before STORE ends cs-run's options, one after it is Guile's" {
  cp --sparse=always a.store ./-b.store
  try cs-run -- -b.store -c '(display "works")'
  ended 0
  printed works
  try cs-run a.store -c '(write (command-line))' -- x
  ended 0
  printed '("cs-run" "--" "x")'
}

@test "Guile sees the name cs-run was called by" {
  # shellcheck disable=SC2016     # expanded by the inner shell
  run --separate-stderr bash -c 'exec -a other-name "$(command -v cs-run)" \
    a.store -c "(write (command-line))"'
  ended 0
  printed '("other-name")'
}

@test "a script and its arguments" {
  echo '(write (cdr (command-line)))' >script.scm
  try cs-run a.store script.scm 1 --ephemeral
  ended 0
  printed '("1" "--ephemeral")'
  try cs-run a.store -s script.scm x
  ended 0
  printed '("x")'
}

@test "expressions from standard input" {
  run --separate-stderr bash -c \
    'echo "(display (* 6 7))" | cs-run a.store -q 3>&-'
  ended 0
  printed_part 42
}

@test "Guile's exit status is passed on, and the workspace saved" {
  for code in 0 1 2 3 77 124 126 255; do
    try cs-run a.store -c "(define code $code) (exit $code)"
    ended $code
    try cs-run a.store -c '(display code)'
    ended 0
    printed $code
  done
}

@test "an error in the program is Guile's: status 1" {
  try cs-run a.store -c '(car 1)'
  ended 1 && printed '' && complained_part 'car'
}

@test "--no-save forgets" {
  try cs-run --no-save a.store -c '(define x 42) (display x)'
  ended 0
  printed 42
  try cs-run a.store -c '(display (defined? (quote x)))'
  ended 0
  printed '#f'
}

@test "--ephemeral does not write to the file, --no-save not to its image" {
  before=$(state_of a.store)
  try cs-run --ephemeral a.store -c '(define x (make-vector 100000 1)) (gc)'
  ended 0
  [ "$(state_of a.store)" = "$before" ]
  # A holder leaves its name in front of the image.
  before=$(tail -c +65537 a.store | sha256sum)
  try cs-run --no-save a.store -c '(define x (make-vector 100000 1)) (gc)'
  ended 0
  [ "$(tail -c +65537 a.store | sha256sum)" = "$before" ]
}

@test "a held store is refused with the holder's number" {
  hold a.store
  try cs-run a.store -c 1
  refused 125 "'a.store'"
  complained_part "$HOLDER"
  try cs-run --no-save a.store -c 1
  refused 125 "'a.store'"
  let_go
  try cs-run a.store -c '(display "free")'
  ended 0
  printed free
}

@test "--ephemeral works beside a holder" {
  hold a.store
  try cs-run --ephemeral a.store -c '(display "beside")'
  ended 0
  printed beside
  let_go
}

@test "a killed process holds nothing and changes nothing" {
  try cs-run a.store -c '(define x 1)'
  ended 0
  run timeout -s KILL 2 cs-run a.store -c '(set! x 2) (sleep 60)' 3>&-
  try cs-run a.store -c '(display x)'
  ended 0
  printed 1
}

@test "the disk is full at the checkpoint: 125, and the last one stands" {
  len=$(du -k a.store | cut -f 1)
  small_file_system $((len + len / 2))k
  cp --sparse=always a.store small/b.store
  try cs-run small/b.store -c '(define x 1)'
  if [ "$status" -eq 0 ]; then
    try cs-run small/b.store -c "(use-modules (rnrs bytevectors))
      (define y (make-bytevector (* 1024 $len) 7))"
  fi
  ended 125
  complained_part 'No space left on device'
  well_formed
  try cs-run --ephemeral small/b.store \
    -c '(display (defined? (quote y)))'
  ended 0
  printed '#f'
}

@test "the disk is full before a run: no signal, and nothing is lost" {
  small_file_system 24m
  cp --sparse=always a.store small/b.store
  head -c 40m /dev/zero >small/fill 2>/dev/null || true
  try cs-run small/b.store -c '(define x (make-bytevector 5000000 7))'
  ended 125 && printed '' && well_formed
  try cs-intern --store small/b.store -q "$CS_BUILD_DIR/libcs.so.0"
  ended 1 && printed '' && well_formed
  try cs-inspect --repair small/b.store
  [ "$status" -eq 0 ] || { ended 1 && well_formed; }
  rm small/fill
  try cs-run small/b.store -c '(display (+ 1 1))'
  ended 0
  printed 2
  remove_small_file_system
}

@test "the folder cannot be written: saved, but no older state is kept" {
  need_nobody
  mkdir -m 755 folder
  cp --sparse=always a.store folder/b.store
  chown 65534 folder/b.store
  chmod 600 folder/b.store
  try_as_nobody cs-run "$PWD/folder/b.store" -c '(define x 1)'
  ended 0
  try_as_nobody cs-run "$PWD/folder/b.store" -c '(display x)'
  ended 0
  printed 1
  [ "$(ls folder)" = b.store ]
}

@test "a name that leaves no room for the history's: saved, without one" {
  name=$(printf '%0255d' 0)
  mv a.store "$name"
  for want in 1 2 3; do
    try cs-run "$name" -c "(define x $want)"
    ended 0
    complained_part 'File name too long (the next run tries again)'
    try cs-run "$name" -c '(display x)'
    ended 0
    printed "$want"
  done
  try cs-inspect --history "$name"
  ended 0
  complained ''
  [ "$(ls -A)" = "$name" ]
}

@test "a store that may only be read: the way out is named where there is one" {
  need_nobody
  mkdir -m 755 folder
  cp --sparse=always a.store folder/b.store
  chmod 644 folder/b.store
  try_as_nobody cs-run "$PWD/folder/b.store" -c 1
  refused 125 "open for writing: Permission denied"
  complained_part 'use it without saving, if that is enough: --ephemeral'
  install -m 644 "$CS_BUILD_DIR/libcs.so.0" folder/lib.so
  try_as_nobody cs-intern -q --store "$PWD/folder/b.store" "$PWD/folder/lib.so"
  ended 1
  complained "cs-intern: cannot open '$PWD/folder/b.store': open for writing: Permission denied"
  chmod 600 folder/b.store
  try_as_nobody cs-run "$PWD/folder/b.store" -c 1
  complained "cs-run: cannot open '$PWD/folder/b.store': open for writing: Permission denied"
}

@test "standard input, output or error closed" {
  run --separate-stderr sh -c 'cs-run a.store -c "(display 1)" <&-'
  ended 0
  printed 1
  run --separate-stderr sh -c 'cs-run a.store -c "(define x 5)" <&- >&- 2>&-'
  ended 0
  try cs-run a.store -c '(display x)'
  ended 0
  printed 5
}

@test "--checkpoint-every takes a time, of what is saved" {
  for wrong in 0 much 5x -1 ''; do
    try cs-run --checkpoint-every="$wrong" a.store -c 1
    refused 125 "option '--checkpoint-every'"
  done
  for other in --ephemeral --no-save --generation=1; do
    try cs-run --checkpoint-every=1m "$other" a.store -c 1
    refused 125 "'--checkpoint-every'"
    complained_part "'${other%=*}'"
  done
  try cs-run --checkpoint-every=1h a.store -c '(display "works")'
  ended 0 && printed works && complained ''
}

@test "--stack-size gives deep C recursion its room" {
  try cs-run --stack-size=64M a.store -c '(display "works")'
  ended 0
  printed works
}

@test "control characters in a name cannot forge a message" {
  try cs-run $'no\nsuch' -c 1
  refused 125 'no\012such'
}

@test "a workspace under another name is the same workspace" {
  try cs-run a.store -c '(define x 1)'
  mv a.store 'b c.store'
  try cs-run 'b c.store' -c '(display x)'
  ended 0
  printed 1
  mkdir d
  ln -s '../b c.store' d/link.store
  try cs-run d/link.store -c '(set! x 2)'
  ended 0
  try cs-run 'b c.store' -c '(display x)'
  ended 0
  printed 2
  [ -L d/link.store ]
}

@test "a damaged page: an error that names it, never a signal, nothing saved" {
  image=$(image_start)
  # The collector's memory is the uppermost.
  heap=$(cs-inspect --heap a.store \
    | awk '/^0x/ && $3 == "rw-" && $4 == "heap" { last = $1 } END { print last }')
  base=$(cs-inspect a.store | awk '$1 == "base" { print $2 }')
  named=0
  for n in 3 40 77 114 151 188 225 262 299 336; do
    cp --sparse=always a.store b.store
    head -c 4096 /dev/zero | tr '\0' '\245' \
      | dd of=b.store bs=4096 seek=$(((image + heap - base) / 4096 + n)) \
        conv=notrunc status=none
    run --separate-stderr timeout -s KILL 20 \
      cs-run --no-save b.store -c '(begin (gc) (display 1))' 3>&-
    # 137: damage made it run for ever, until timeout(1) ended it.
    [ "$status" -le 1 ] || [ "$status" -eq 125 ] || [ "$status" -eq 137 ]
    if [ "$status" -eq 125 ]; then
      complained_part "cs-run: 'b.store' is damaged: page at 0x"
      complained_part 'nothing was saved; cs-inspect --check lists'
      named=$((named + 1))
    fi
  done
  [ "$named" -gt 0 ]
}

@test "files may not become as large as needed: a message, not the end by a signal" {
  local blocks
  for blocks in 0 4 16 1000; do
    try bash -c "ulimit -f $blocks; exec cs-run a.store -c 1 2>&1 | cat"
    [[ $output == cs-run:*'File too large'* ]] || differ "$blocks"
  done
  printed_part '  raise the limit of the length of files: ulimit -f'
}
