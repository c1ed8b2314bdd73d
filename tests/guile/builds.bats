#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# builds.bats -- a store made by one build of the commands, used by another:
# other compiler or optimization, other addresses.

load helper

setup ()
{
  store_new
  other=$CS_BUILD_DIR/other/bin
  [ -x "$other/cs-run" ] || skip "no other build: make other"
  ! cmp -s "$other/cs-run" "$(type -p cs-run)" || skip 'the builds are the same'
  # Each build lies at the same address in each of its processes, so that
  # addresses of the one are addresses in the other.
  fixed=()
  setarch -R true 2> /dev/null && fixed=(setarch -R)
}

# Run EXPR in the workspace with the build in directory $1.
with ()
{
  run --separate-stderr bounded "${fixed[@]}" "$1/cs-run" "$STORE" -c "$2" < /dev/null
  ended 0
}

# Each kind of object is used by both in turn; the first makes them.
take_turns ()
{
  local bin

  with "$1" "(load \"$CS_SOURCE_DIR/tests/debian/kinds.scm\") (kinds-again) (use-kinds)"
  for bin in "$2" "$1" "$2"; do
    with "$bin" '(use-kinds)'
    printed '65 kinds'
  done
  with "$2" '(kinds-again)'
  with "$1" '(use-kinds)'
  printed '65 kinds'
}

@test "every kind of object, made by this build and used by another" {
  take_turns "$CS_BUILD_DIR/bin" "$other"
}

@test "and the other way round" {
  rm -rf "$STORE" "$STORE-history"
  bounded "$other/cs-create" "$STORE" < /dev/null
  take_turns "$other" "$CS_BUILD_DIR/bin"
}

@test "handlers that one build has replaced are put back in the other" {
  with "$CS_BUILD_DIR/bin" '(sigaction SIGTERM (lambda _ 1)) (sigaction SIGHUP (lambda _ 1)) (sigaction SIGUSR1 (lambda _ 1))'
  with "$other" '(restore-signals)'
  with "$other" '(define after 1) (sigaction SIGTERM (lambda _ 1))'
  run --separate-stderr bounded "${fixed[@]}" "$CS_BUILD_DIR/bin/cs-run" "$STORE" \
    -c '(restore-signals) (define after 2) (kill (getpid) SIGTERM) (sleep 30)' < /dev/null
  ended 143
  with "$other" '(write after)'
  printed 2
}
