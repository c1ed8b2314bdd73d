#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# mutants.bats -- what runs mutants of the source (tests/mutants), with a few of
# them.

load helper

# Some are built.
export CS_TEST_TIMEOUT=500

mutants ()
{
  BUILD=$CS_BUILD_DIR try bash "$CS_SOURCE_DIR/tests/mutants/run" "$@"
}

# A table of one mutant, which replaces $1 by $2 in zone.c.
table ()
{
  printf '%s\n' 'mutant one' 'file libcs/process/memory/zone.c' "old $1" "new $2" \
    'suite test-zone' >one.mutants
}

@test "the text of each mutant is there once" {
  mutants --check
  ended 0
  printed_part ' passed, 0 failed, 0 skipped'
}

@test "some mutants, each of which a suite notices" {
  mutants --quick
  ended 0
  printed_part '6 passed, 0 failed, 0 skipped'
}

@test "a mutant that no suite notices is a failure, unless there is a reason" {
  table 'Most of what it scans as roots' 'What it scans as roots'
  mutants -f one.mutants
  ended 1
  printed_part 'SURVIVED   1 one (libcs/process/memory/zone.c)'
  printed_part '0 passed, 1 failed, 0 skipped'
  echo 'survives it is a comment' >>one.mutants
  mutants -f one.mutants
  ended 0
  printed_part 'it is a comment'
  printed_part '0 passed, 0 failed, 1 skipped'
}

@test "a text that is gone, or there more than once, and one that does not compile" {
  table 'no such text' ''
  mutants -f one.mutants
  ended 1
  printed_part 'the text is there 0 times: no such text'
  table 'image->zone_len' 'x'
  mutants -f one.mutants --check
  ended 1
  printed_part 'the text is there 3 times'
  table 'image->zone_len -= room;' 'no such variable;'
  mutants -f one.mutants
  ended 1
  printed_part 'it cannot be built'
}
