#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-backup.bats -- cs-backup, what cs-create --from makes of it, and the
# script for each night.

load helper

hint="  try 'cs-backup --help'"

setup_file ()
{
  store_for_file
}

setup ()
{
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
}

teardown ()
{
  remove_small_file_system
}

# A store of one more generation than $PRISTINE.
make_source ()
{
  cp --sparse=always "$PRISTINE" a.store
  try cs-run a.store -c '(define x 42)'
  ended 0
}

# Are the stores $1 and $2 the same in every byte from the sums of the pages
# on, and in all that is told of them, once they are all image?
same_stores ()
{
  cs-inspect --apply "$1" >/dev/null
  cs-inspect --apply "$2" >/dev/null
  cmp -i 65536 "$1" "$2"
  # How many blocks a file has is the file system's affair.
  diff <(cs-inspect "$1" | tail -n +2 | grep -v '^on disk') \
    <(cs-inspect "$2" | tail -n +2 | grep -v '^on disk')
}

# `try` with a pipe, which makes one command of several.
try_shell ()
{
  try bash -c "set -o pipefail; $1"
}

write_at ()
{
  dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "--help, --version" {
  try cs-backup --help
  ended 0
  complained ''
  printed_part 'Usage: cs-backup [OPTION...] STORE'
  for option in force level=LEVEL output=FILE 'since=GENERATION|BACKUP' quiet \
    verbose help version
  do
    printed_part "--$option"
  done
  try cs-backup --version
  ended 0
  [[ $output =~ ^cs-backup\ \(ColdStore\ for\ Guile\)\ [0-9.]+$ ]]
}

@test "misuse" {
  try cs-backup
  ended 2
  printed ''
  complained "cs-backup: missing operand, expected: STORE
$hint"
  for arguments in 'a b' '--nonsense a' '--level 0 a' '--level 10 a' \
    '--level= a' '--since 0 a' '--since 99999999999999999999 a'
  do
    # Word splitting is meant.
    # shellcheck disable=SC2086
    try cs-backup $arguments
    refused 2 "" || return
  done
}

@test "a store that is restored is the one that was backed up" {
  make_source
  try cs-backup -o a.gz a.store
  ended 0
  quiet
  [ "$(stat -c %a a.gz)" = 600 ]
  try cs-create --from=a.gz b.store
  ended 0
  quiet
  same_stores a.store b.store
  [ "$(du -k b.store | cut -f 1)" -le "$(du -k a.store | cut -f 1)" ]
  try cs-inspect --check b.store
  ended 0
  try cs-run b.store -c '(display x)'
  ended 0
  printed 42
}

@test "standard output is a gzip stream; --verbose, --level, -o -" {
  make_source
  cs-backup a.store >a.gz
  gzip -t a.gz
  [ "$(gzip -dc a.gz | head -c 7)" = ColdBak ]
  cs-backup --level=9 -o - a.store >b.gz
  [ "$(stat -c %s b.gz)" -lt "$(stat -c %s a.gz)" ]
  cmp <(gzip -dc a.gz) <(gzip -dc b.gz)
  try cs-backup -v -o c.gz a.store
  ended 0
  printed ''
  complained_part "cs-backup: wrote generation 2 of 'a.store': all, "
}

@test "not to a terminal, nor from one" {
  make_source
  run script -qec "cs-backup a.store; echo status \$?" /dev/null </dev/null
  [[ $output == *'cannot write a backup to a terminal'*'status 1'* ]] \
    || { echo "$output"; return 1; }
  run script -qec "cs-create --from=- b.store; echo status \$?" /dev/null \
    </dev/null
  [[ $output == *'cannot read a backup from a terminal'*'status 1'* ]] \
    || { echo "$output"; return 1; }
  [ ! -e b.store ]
}

@test "on a terminal, how far it has come; not with --quiet" {
  make_source
  slow='{ sleep 1; cat; } >a.gz'
  run script -qec "cs-backup a.store | $slow" /dev/null </dev/null
  [[ $output =~ [0-9]+\ of\ [0-9]+\ MiB,\ [0-9.]+\ MiB/s,\ [0-9]+:[0-9]+\ left ]] \
    || { echo "$output"; return 1; }
  gzip -t a.gz
  run script -qec "cs-backup -q a.store | $slow" /dev/null </dev/null
  [ -z "$output" ]
  slow='{ head -c 500000 a.gz; sleep 1; tail -c +500001 a.gz; }'
  run script -qec "$slow | cs-create --from=- b.store" /dev/null </dev/null
  [[ $output == *' left'* ]] || { echo "$output"; return 1; }
  same_stores a.store b.store
}

@test "through pipes, both ways" {
  make_source
  try_shell 'cs-backup a.store | cat | cs-create --from - b.store'
  ended 0
  quiet
  same_stores a.store b.store
  cs-backup -o a.gz a.store
  cs-create --from - c.store <a.gz
  same_stores a.store c.store
}

@test "a pipe that ends too early" {
  make_source
  try_shell 'cs-backup a.store | head -c 100000 | cs-create --from - b.store'
  complained_part "cs-create: cannot create 'b.store': backup 'standard input'"
  complained_part 'it is cut short here'
  complained_part "cs-backup: cannot back up 'a.store': write the backup: Broken"
  try_shell 'head -c 0 | cs-create --from - b.store'
  refused 4 'it is cut short here'
  try_shell 'cs-create --from - b.store <&-'
  refused 1 'Bad file descriptor'
  [ ! -e b.store ]
}

@test "increments: since each generation, since a backup, and all in a row" {
  make_source
  cs-backup -o 2.gz a.store
  for i in 3 4 5; do
    cs-run a.store -c "(define y$i (iota (* 10000 $i)))" </dev/null 3>&-
    cs-backup --since=$((i - 1)) -o "$((i - 1))-$i.gz" a.store
  done
  for i in 2 3 4 5; do
    cs-backup --since="$i" -o "since-$i.gz" a.store
  done
  try cs-create --from=2.gz --from=since-2.gz b.store
  ended 0
  quiet
  same_stores a.store b.store
  try cs-create --force --from=2.gz --from=2-3.gz --from=3-4.gz --from=4-5.gz \
    b.store
  ended 0
  quiet
  same_stores a.store b.store
  try cs-backup -v --since=2.gz -o since.gz a.store
  ended 0
  complained_part 'changes since generation 2, '
  cmp since.gz since-2.gz
  [ "$(stat -c %s since-4.gz)" -lt $(($(stat -c %s 2.gz) / 3)) ]
  # Nothing has changed since the last one.
  [ "$(stat -c %s since-5.gz)" -lt 1000 ]
  try cs-create --force --from=2.gz --from=since-2.gz --from=since-5.gz b.store
  ended 0
  same_stores a.store b.store
}

@test "backups that do not follow each other" {
  make_source
  cs-backup -o 2.gz a.store
  cs-run a.store -c '(define y 1)' </dev/null 3>&-
  cs-backup --since=2 -o 2-3.gz a.store
  cs-run a.store -c '(define z 1)' </dev/null 3>&-
  cs-backup --since=3 -o 3-4.gz a.store
  try cs-create --from=2-3.gz b.store
  refused 1 "backup '2-3.gz': it leads from generation 2 to 3, and no backup"
  try cs-create --from=2.gz --from=3-4.gz b.store
  refused 1 "'3-4.gz': it starts from generation 3, but '2.gz' leads to 2"
  try cs-create --from=2.gz --from=2.gz b.store
  refused 1 "only the first one may be"
  try cs-create --from=a.store --from=2-3.gz b.store
  refused 1 "'a.store' is no backup"
  cs-create --from=a.store other.store
  cs-backup -o other.gz other.store
  try cs-create --from=other.gz --from=3-4.gz b.store
  refused 1 "it is of store "
  try cs-backup --since=other.gz -o x.gz a.store
  refused 1 "'other.gz' is a backup of store "
  [ ! -e b.store ] && [ ! -e x.gz ]
}

@test "since a generation that is not kept: those that are, are named" {
  make_source
  try cs-backup --since=99 -o a.gz a.store
  refused 1 'generation 99 is not kept'
  complained_part 'generations that are kept: 1 to 2'
  rm -r a.store-history
  try cs-backup --since=1 -o a.gz a.store
  refused 1 'generation 1 is not kept'
  complained_part 'generations that are kept: 2 to 2'
  [ ! -e a.gz ]
}

# Does what is restored from the backups have what one checkpoint wrote?
is_one_state ()
{
  cs-create --force "${@/#/--from=}" b.store
  cs-inspect --check b.store >/dev/null
  try cs-run b.store -c '(if (not (and (= (car pair) (cdr pair))
                                       (= (car pair) (vector-ref big 0)
                                          (vector-ref big 99999))))
                             (exit 1))'
  ended 0
}

@test "beside a writer that checkpoints all the time" {
  make_source
  cs-run a.store -c '(use-modules (coldstore))
    (define pair (cons 0 0))
    (define big (make-vector 100000 0))
    (checkpoint!)
    (close-port (open-output-file "begun"))
    (let loop ((n 1))
      (set-car! pair n)
      (vector-fill! big n)
      (set-cdr! pair n)
      (checkpoint!)
      (if (not (access? "stop" F_OK)) (loop (+ n 1))))' </dev/null 3>&- &
  writer=$!
  for i in {1..300}; do
    [ ! -e begun ] || break
    sleep 0.1
  done
  for i in 1 2 3 4 5 6; do
    cs-backup -o "$i.gz" a.store
    sleep 0.2
  done
  cs-backup --since=6.gz -o since.gz a.store || rm -f since.gz
  touch stop
  wait "$writer"
  for i in 1 2 3 4 5 6; do
    is_one_state "$i.gz"
  done
  [ ! -e since.gz ] || is_one_state 6.gz since.gz
  # The log is gone once nobody reads it.
  cs-backup -o last.gz a.store
  cs-create --force --from=last.gz b.store
  same_stores a.store b.store
}

@test "a file that exists, the store itself, no regular file" {
  make_source
  echo precious >a.gz
  before=$(state_of a.store a.gz)
  try cs-backup -o a.gz a.store
  refused 1 "cannot create 'a.gz': exists already"
  complained_part '--force'
  try cs-backup --force -o a.store a.store
  refused 1 'it is the store itself'
  try cs-backup --force -o . a.store
  refused 1 'not a regular file'
  try cs-backup -o missing/a.gz a.store
  refused 1 'No such file or directory'
  [ "$(state_of a.store a.gz)" = "$before" ]
  try cs-backup --force -o a.gz a.store
  ended 0
  gzip -t a.gz
  try cs-create --force --from=a.gz a.gz
  refused 1 "it is the backup 'a.gz' itself"
}

@test "what is no store" {
  echo text >text
  : >empty
  try cs-backup text
  refused 4 "cannot open 'text'"
  try cs-backup empty
  refused 4 "cannot open 'empty'"
  try cs-backup .
  refused 1 'not a regular file'
  try cs-backup missing
  refused 1 'No such file or directory'
  make_source
  cs-backup -o a.gz a.store
  try cs-backup a.gz
  refused 4 "cannot open 'a.gz'"
}

@test "a damaged page: it is named, and nothing is written" {
  make_source
  # One in the middle of the pages of the image that are there.
  page=$(($(image_start) + 40 * 4096))
  while [ "$(dd if=a.store bs=4096 skip=$((page / 4096)) count=1 status=none \
             | tr -d '\0' | wc -c)" -lt 100 ]; do
    page=$((page + 4096))
  done
  printf '\125\252\125\252' | write_at a.store $((page + 1000))
  try cs-backup -o a.gz a.store
  refused 4 "at offset $page: checksum: expected 0x"
  [ ! -e a.gz ]
  try_shell 'cs-backup a.store | cs-create --from - b.store'
  complained_part 'checksum: expected'
  complained_part 'it is cut short here'
  [ ! -e b.store ]
}

@test "a backup cut short, or with a flipped bit: noticed, and nothing made" {
  make_source
  cs-backup -o a.gz a.store
  len=$(stat -c %s a.gz)
  for n in 0 1 2 9 10 11 100 5000 $((len / 2)) $((len - 31)) $((len - 30)) \
    $((len - 8)) $((len - 1))
  do
    head -c "$n" a.gz >b.gz
    try cs-create --from=b.gz b.store
    refused 4 '' || { echo "cut at $n"; return 1; }
  done
  for n in 0 1 2 3 4 7 8 9 10 20 300 7000 $((len / 3)) $((len / 2)) \
    $((len - 40)) $((len - 31)) $((len - 30)) $((len - 20)) $((len - 1))
  do
    cp a.gz b.gz
    byte=$(tail -c +$((n + 1)) a.gz | head -c 1 | od -An -tu1)
    # One octal escape is meant.
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((byte ^ (1 << n % 8))))" | write_at b.gz "$n"
    try cs-create --from=b.gz b.store
    refused 4 '' || { echo "bit of byte $n"; return 1; }
  done
  { cat a.gz; echo more; } >b.gz
  try cs-create --from=b.gz b.store
  refused 4 'found more'
  [ "$(ls)" = "a.gz
a.store
a.store-history
b.gz" ]
}

@test "what is no backup" {
  echo text | gzip >text.gz
  try cs-create --from=text.gz b.store
  refused 4 "backup 'text.gz': "
  head -c 100000 /dev/zero | gzip >zeros.gz
  try cs-create --from=zeros.gz b.store
  refused 4 'not a backup of a store'
  make_source
  try_shell 'cs-create --from - b.store <a.store'
  refused 4 "backup 'standard input': "
  try cs-create --from=missing.gz b.store
  refused 1 'No such file or directory'
  cs-backup -o a.gz a.store
  chmod g+w a.gz
  try cs-create --from=a.gz b.store
  refused 1 'lets others write'
  [ ! -e b.store ]
}

@test "a store is replaced by a backup with --force only" {
  make_source
  cs-backup -o a.gz a.store
  cs-run a.store -c '(set! x 43)' </dev/null 3>&-
  try cs-create --from=a.gz a.store
  refused 1 'exists already'
  hold a.store
  try cs-create --force --from=a.gz a.store
  refused 3 "held by process $HOLDER"
  let_go
  try cs-create --force --from=a.gz a.store
  ended 0
  quiet
  [ ! -e a.store-history ]
  try cs-run a.store -c '(display x)'
  ended 0
  printed 42
}

@test "the disk is full" {
  make_source
  try_shell 'cs-backup a.store >/dev/full'
  refused 1 'write the backup: No space left on device'
  cs-backup -o a.gz a.store
  small_file_system 1m
  try cs-backup -o small/a.gz a.store
  refused 1 'No space left on device'
  try cs-create --from=a.gz small/b.store
  refused 1 'No space left on device'
  [ -z "$(ls -A small)" ]
}

@test "standard output that is closed" {
  make_source
  try_shell 'cs-backup a.store >&-'
  refused 1 'Bad file descriptor'
}

# The script for each night.  A `date` of our own tells it what night it is.

nightly ()
{
  mkdir -p bin
  cat >bin/date <<END
#!/bin/sh
case \$1 in -u) echo "$1" ;; +%w) echo "$2" ;; esac
END
  chmod +x bin/date
  PATH=$PWD/bin:$PATH try "$CS_SOURCE_DIR/doc/examples/cs-backup-nightly" \
    -k 2 a.store backups
}

@test "nightly: full on Sundays, changes otherwise, old ones go" {
  make_source
  mkdir backups
  : >backups/other.store-20260101T000000Z-full.gz
  : >backups/a.store-notes.txt
  nightly 20260102T000000Z 5            # nothing to start from
  ended 0
  quiet
  cs-run a.store -c '(set! x 43)' </dev/null 3>&-
  nightly 20260103T000000Z 6
  ended 0
  quiet
  [ "$(cd backups && ls a.store-2*)" = "a.store-20260102T000000Z-full.gz
a.store-20260103T000000Z-since.gz" ]
  cs-create --from=backups/a.store-20260102T000000Z-full.gz \
    --from=backups/a.store-20260103T000000Z-since.gz b.store
  same_stores a.store b.store
  nightly 20260104T000000Z 0
  nightly 20260111T000000Z 0
  ended 0
  quiet
  nightly 20260112T000000Z 1
  [ "$(cd backups && ls)" = "a.store-20260104T000000Z-full.gz
a.store-20260111T000000Z-full.gz
a.store-20260112T000000Z-since.gz
a.store-notes.txt
other.store-20260101T000000Z-full.gz" ]
}

@test "nightly: a full backup when the generation is not kept any more" {
  make_source
  mkdir backups
  nightly 20260102T000000Z 5
  rm -r a.store-history
  cs-run a.store -c '(set! x 43)' </dev/null 3>&-
  rm -r a.store-history
  nightly 20260103T000000Z 6
  ended 0
  quiet
  [ -e backups/a.store-20260103T000000Z-full.gz ]
  # And when the full one is damaged, which is told.
  : >backups/a.store-20260103T000000Z-full.gz
  nightly 20260104T000000Z 1
  ended 0
  complained_part "backup 'backups/a.store-20260103T000000Z-full.gz'"
  [ -e backups/a.store-20260104T000000Z-full.gz ]
}

@test "nightly: a failure removes nothing" {
  make_source
  nightly 20260102T000000Z 0
  ended 1
  complained "cs-backup-nightly: no folder 'backups'"
  mkdir backups
  for day in 01 02 03; do
    : >"backups/a.store-202601${day}T000000Z-full.gz"
  done
  truncate -s 5000 a.store
  nightly 20260104T000000Z 0
  ended 4
  [ "$(find backups -type f | wc -l)" -eq 3 ]
  try "$CS_SOURCE_DIR/doc/examples/cs-backup-nightly" -k 0 a.store backups
  ended 2
}
