#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# links.bats -- symbolic links that lead to what is made or replaced.
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

# Another user's links, in a directory where all may make files, to ours.
make_trap ()
{
  need_nobody
  mkdir --mode=1777 shared
  for name in mine.store mine.backup mine.cst; do
    echo 'my own' >$name
    chmod 600 $name
    setpriv --reuid=65534 --regid=65534 --clear-groups \
      ln -s "$PWD/$name" shared/$name \
      || skip 'another user cannot look into the folder of the tests'
  done
  state=$(state_of mine.*)
}

untouched ()
{
  [ "$(state_of mine.*)" = "$state" ] || differ 'a file was replaced'
}

@test "nothing is replaced through a link of somebody else's" {
  make_trap
  try cs-create --force shared/mine.store
  refused 1 "symbolic link 'mine.store' was made by user 65534"
  try cs-create --force --from=a.store shared/mine.store
  refused 1 "symbolic link 'mine.store' was made by user 65534"
  try cs-backup --force -o shared/mine.backup a.store
  refused 1 "symbolic link 'mine.backup' was made by user 65534"
  : >mine.cst
  state=$(state_of mine.*)
  library=$(ldconfig -p | awk '/libguile-3.0.so.1 / { print $NF; exit }')
  [ -n "$library" ] || skip 'no libguile of the system'
  try cs-intern --policy="$CS_SOURCE_DIR/policy/guile-3.0.pol" \
    -o shared/mine.cst "$library"
  refused 1 "symbolic link 'mine.cst' was made by user 65534"
  untouched
}

@test "nor through a link of ours that leads to one of somebody else's" {
  make_trap
  ln -s shared/mine.backup mine
  try cs-backup --force -o mine a.store
  refused 1 "symbolic link 'mine.backup' was made by user 65534"
  untouched
}

@test "a workspace is not run through a link of somebody else's" {
  make_trap
  cp --sparse=always a.store mine.store
  try cs-run shared/mine.store -c '(define x 1)'
  refused 125 "symbolic link 'mine.store' was made by user 65534"
}

@test "links of one's own are followed, wherever they are" {
  mkdir --mode=1777 shared
  mkdir d
  ln -s ../d/b.backup shared/b.backup
  ln -s shared/b.backup b.backup
  : >d/b.backup
  try cs-backup --force -o b.backup a.store
  ended 0
  [ -L b.backup ] && [ -L shared/b.backup ] && [ -s d/b.backup ]
  ln -s "$PWD/a.store" shared/a.store
  try cs-run shared/a.store -c '(define x 7)'
  ended 0
  quiet
  try cs-run a.store -c '(write x)'
  printed 7
}

@test "a link that leads nowhere, or in a circle" {
  ln -s nowhere b
  try cs-backup --force -o b a.store
  refused 1 'symbolic link: No such file or directory'
  ln -s d c
  ln -s c d
  try cs-backup --force -o d a.store
  refused 1 'symbolic link: Too many levels of symbolic links'
  [ ! -e nowhere ]
}
