#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# forbidden.bats -- what the system or a policy does not let a workspace do is
# said as that, with what helps.
# shellcheck disable=SC2154     # output, stderr and status are set by run

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
  ! mountpoint -q "$PWD/noexec" || umount -l "$PWD/noexec"
}

@test "a file system that is mounted noexec: said at create and at a start" {
  mkdir noexec
  mount -t tmpfs -o noexec,size=1G tmpfs noexec 2>/dev/null \
    || skip 'cannot mount a file system'
  try cs-create noexec/b.store
  refused 1 'its file system is mounted noexec'
  complained_part 'mount that one with exec'
  [ -z "$(ls noexec)" ]
  cp --sparse=always a.store noexec/
  try cs-run noexec/a.store -c 1
  refused 125 "cannot open 'noexec/a.store': its file system is mounted noexec"
}

@test "no memory that can be written to and executed: the same" {
  "${CC:-cc}" -o deny-exec "$CS_SOURCE_DIR/tests/cli/deny-exec.c" \
    || skip 'no compiler'
  ./deny-exec true || skip 'this kernel cannot deny it'
  try ./deny-exec cs-create b.store
  refused 1 'may not have memory that it can both write to and execute'
  complained_part 'MemoryDenyWriteExecute=no'
  [ ! -e b.store ]
  try ./deny-exec cs-run a.store -c 1
  refused 125 'may not have memory that it can both write to and execute'
}

@test "a policy that lacks rules of the built-in one is told which" {
  for lacking in 'replace' 'process:pthread_key_create'; do
    grep -v "replace .*${lacking#replace}" \
      "$CS_SOURCE_DIR/policy/guile-3.0.pol" >lacking.pol
    try cs-create --policy=lacking.pol b.store
    refused 5 "the policy has no rule 'replace ... with "
    [ "$lacking" = replace ] || complained_part "with $lacking'"
    [ ! -e b.store ]
  done
}

@test "chown is not advised to a user who cannot do it" {
  need_nobody
  chown 1234 a.store
  chmod 644 a.store
  try_as_nobody cs-run --ephemeral "$PWD/a.store" -c 1
  refused 125 'owned by user 1234'
  complained_part 'make a copy that is your own'
  try cs-run a.store -c 1
  refused 125 'owned by user 1234'
  complained_part "chown 0 'a.store'"
}
