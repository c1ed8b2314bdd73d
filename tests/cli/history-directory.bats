#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# history-directory.bats -- what else may have the name of a store's history,
# and whose files may be in it.

# shellcheck disable=SC2154     # output and stderr are set by run

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

# Commit a new generation, with x = $1, and say nothing.
generation ()
{
  try cs-run a.store -c "(define x $1)"
  ended 0 && quiet
}

# Commit a new generation; it is said, in one line with $2, that there is no
# history.
generation_alone ()
{
  try cs-run a.store -c "(define x $1)"
  ended 0 && printed '' || return
  [ "$(wc -l <<<"$stderr")" -eq 1 ] || differ 'wanted one line' || return
  complained_part "warning: 'a.store' keeps no older generations: " || return
  complained_part "$2"
}

# The generations are in the history, and no longer in the log.
applied ()
{
  try cs-inspect --apply a.store
  ended 0 && [[ $output == *' applied, '* ]]
}

# The same, but something is in the way: one line says so, with $1.
applied_alone ()
{
  try cs-inspect --apply a.store
  ended 0 || return
  [ "$(wc -l <<<"$stderr")" -eq 1 ] || differ 'wanted one line' || return
  complained_part "warning: 'a.store' keeps no older generations: " || return
  complained_part "$1"
}

# x is $1, and the store sound.
has ()
{
  try cs-run --ephemeral a.store -c '(write x)'
  ended 0 && printed "$1" || return
  try cs-inspect --check a.store
  ended 0
}

# The generations that are listed, on one line.
listed ()
{
  try cs-inspect --history a.store
  ended 0 || return
  output=$(sed -n '/^  GENERATION/,/^$/p' <<<"$output" \
             | awk 'NR > 1 && NF { printf "%s%s", sep, $1; sep = " " }')
}

# Each command that looks at generation 2 of the store ends without a signal.
look_back ()
{
  try cs-inspect --history a.store
  ended 0 || return
  try cs-inspect --check a.store
  [ "$status" -eq 0 ] || [ "$status" -eq 4 ] || differ 'a check' || return
  for command in "cs-inspect --threads a.store@2" \
                 "cs-create --from=a.store@2 b.store"; do
    # shellcheck disable=SC2086 # words
    try $command
    refused 1 "$1" || return
  done
  try cs-run --generation=2 a.store -c '(write x)'
  refused 125 "$1" || return
  try cs-backup --since=2 -o b.backup a.store
  ended 1 || return
  try cs-inspect --diff=2..3 a.store
  ended 1
}

@test "a file of the history that others can write to counts for nothing" {
  for x in 1 2 3 4; do generation $x; done
  applied
  chmod g+w a.store-history/2
  look_back 'generation 2 is not kept'
  try cs-run --ephemeral a.store -c '(write x)'
  printed 4
}

@test "a file of the history that is somebody else's counts for nothing" {
  need_nobody
  for x in 1 2 3 4; do generation $x; done
  applied
  chown 65534 a.store-history/2
  look_back 'generation 2 is not kept'
  try cs-run --ephemeral a.store -c '(write x)'
  printed 4
}

@test "a history that others can write to is neither read nor written to" {
  for x in 1 2 3 4; do generation $x; done
  chmod go+w a.store-history
  files=$(ls a.store-history)
  look_back "'a.store-history' is somebody else's"
  generation_alone 5 "it is somebody else's, or others can write to it"
  [ "$(ls a.store-history)" = "$files" ]
  has 5
  chmod go-w a.store-history
  generation 6
  generation 7
  listed
  printed '8 7'
}

@test "in a directory that all may write to, nobody is given pages of the heap" {
  need_nobody
  mkdir --mode=1777 shared
  cs-create shared/a.store
  setpriv --reuid=65534 --regid=65534 --clear-groups bash -c '
    umask 0
    mkdir shared/a.store-history
    for i in 1 2 3 4; do : >shared/a.store-history/$i; done' \
    || skip 'another user cannot look into the folder of the tests'
  for x in 1 2 3; do
    try cs-run shared/a.store -c "(define x (make-vector 10000 $x))"
    ended 0
    complained_part "it is somebody else's"
  done
  [ -z "$(find shared/a.store-history -type f -size +0)" ]
}

@test "a link in the place of a history's file is not followed" {
  generation 1
  echo 'my own' >mine
  ln -s ../mine a.store-history/2
  generation 2
  applied_alone 'has a generation'
  [ "$(cat mine)" = 'my own' ]
  has 2
}

@test "files and directories of the history have the mode of the store" {
  umask 0
  chmod 640 a.store
  generation 1
  generation 2
  [ "$(stat -c %a a.store-history a.store-history/1 | xargs)" = '750 640' ]
  chmod 600 a.store
  generation 3
  applied
  [ "$(stat -c %a a.store-history/3)" = 600 ]
}

@test "a file called STORE-history: the store goes on without a history" {
  echo 'my own' >a.store-history
  generation_alone 1 "'a.store-history': Not a directory"
  generation_alone 2 "'a.store-history': Not a directory"
  has 2
  [ "$(cat a.store-history)" = 'my own' ]
  listed
  printed 3
  rm a.store-history
  generation 3
  generation 4
  listed
  printed '5 4'
}

@test "a link called STORE-history: the store goes on without a history" {
  mkdir elsewhere
  for target in elsewhere nowhere; do
    ln -sfn $target a.store-history
    generation_alone 1 "'a.store-history': Not a directory"
    generation_alone 2 "'a.store-history': Not a directory"
    has 2
  done
  [ -z "$(ls elsewhere)" ]
}

@test "no history is said once a run, however many checkpoints it makes" {
  : >a.store-history
  try cs-run a.store -c '
    (use-modules (coldstore))
    (do ((i 0 (1+ i))) ((= i 5)) (set! x i) (checkpoint!))' \
    -c '(define x 0)'
  try cs-run a.store -c '
    (use-modules (coldstore))
    (define x 0)
    (do ((i 0 (1+ i))) ((= i 5)) (set! x (make-vector 1000 i)) (checkpoint!))'
  ended 0
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "a directory that cannot be written to: no history, said once a run" {
  need_nobody
  mkdir --mode=755 d
  cp --sparse=always a.store d/
  chown 65534 d/a.store
  chmod 755 .
  for x in 1 2; do
    try_as_nobody cs-run d/a.store -c "(define x $x)"
    ended 0
    complained_part "'d/a.store-history': Permission denied"
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
  done
}

@test "a file in the history's directory that has a generation's name stays" {
  generation 1
  echo 'my own' >a.store-history/2
  echo 'notes' >a.store-history/1999
  generation 2
  applied_alone 'has a generation'
  has 2
  for x in 3 4 5 6 7 8 9 10 11 12 13 14; do generation $x; done
  [ "$(cat a.store-history/2)" = 'my own' ]
  [ "$(cat a.store-history/1999)" = notes ]
}

@test "cs-create leaves alone what it finds in a directory STORE-history" {
  mkdir notes-history
  for year in 1 2024 2025; do echo "notes $year" >notes-history/$year; done
  state=$(state_of notes-history/*)
  for options in '' --force --from=a.store '--force --from=a.store'; do
    # shellcheck disable=SC2086 # words
    try cs-create $options notes
    refused 1 "is not of a store that is replaced"
    complained_part 'another name'
    [ ! -e notes ]
  done
  [ "$(state_of notes-history/*)" = "$state" ]
}

@test "cs-create leaves alone the history of a store that was renamed" {
  for x in 1 2 3; do generation $x; done
  state=$(state_of a.store-history/*)
  mv a.store old.store
  try cs-create a.store
  refused 1 "is not of a store that is replaced"
  [ ! -e a.store ]
  try cs-backup -o a.backup old.store
  ended 0
  try cs-create --from=a.backup a.store
  refused 1 "is not of a store that is replaced"
  cs-create b.store
  mv b.store a.store
  for options in '' --from=old.store --from=a.backup; do
    # shellcheck disable=SC2086 # words
    try cs-create --force $options a.store
    refused 1 "is not of a store that is replaced"
  done
  [ "$(state_of a.store-history/*)" = "$state" ]
  mv a.store-history old.store-history
  try cs-run --generation=2 old.store -c '(write x)'
  ended 0
  printed 1
}

@test "a store that is replaced takes its history along, and nothing else" {
  cs-backup -o a.backup a.store
  for options in '' --from=b.store --from=a.backup; do
    cp --sparse=always "$PRISTINE" a.store
    cp --sparse=always "$PRISTINE" b.store
    for x in 1 2 3; do generation $x; done
    echo mine >a.store-history/note
    # shellcheck disable=SC2086 # words
    try cs-create --force $options a.store
    ended 0
    quiet
    [ "$(ls a.store-history)" = note ]
    generation 4
    has 4
    rm -r a.store-history
  done
}

@test "the damaged history of a store that is replaced goes along" {
  generation 1
  generation 2
  truncate -s 4096 a.store-history/1
  try cs-create --force a.store
  ended 0
  [ ! -e a.store-history ]
}
