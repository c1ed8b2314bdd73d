#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# storm.bats -- `make storm` finds what it looks for.  See tests/storm/run.

bats_require_minimum_version 1.5.0

# Run the storm in a copy whose storm.scm was changed by sed with $1; it must
# find something that contains $2.
finds ()
{
  local dir=$BATS_TEST_TMPDIR/storm

  mkdir -p "$dir"
  cp "$CS_SOURCE_DIR/tests/storm/run" "$dir"
  sed "$1" "$CS_SOURCE_DIR/tests/storm/storm.scm" > "$dir/storm.scm"
  ! cmp -s "$CS_SOURCE_DIR/tests/storm/storm.scm" "$dir/storm.scm" || return 1
  run bash "$dir/run" --plan plan --times 3 3>&-
  [ "$status" -eq 1 ] && [[ $output == *FAILED*"$2"* ]]
}

@test "what is torn, lost, or left behind is found" {
  export STORM_TRIES=0 STORM_LIMIT=5 BUILD=$BATS_TEST_TMPDIR
  echo 'exit 200 0 0 loop loop' > plan
  finds 's/(cell-set! (slot-last slot) n)/#t/' 'a slot is torn'
  finds 's/(set! life number)/#t/' 'a life is lost'
  finds 's/((exit) (exit 0))/((exit) (sleep 1000))/' 'it hangs'
  finds 's/((exit) (exit 0))/((exit) (system "sleep 50 \&") (exit 0))/' 'left behind'
  echo 'exit 200 0 0 checkpoint checkpoint' > plan
  finds 's/    (checkpoint!)$/#t/; s/((exit) (exit 0))/((exit) (kill (getpid) SIGKILL))/' 'status 137'
}

@test "a storm that is killed leaves neither processes nor files behind" {
  local tries runner life
  export TMPDIR=$BATS_TEST_TMPDIR/tmp BUILD=$BATS_TEST_TMPDIR
  mkdir "$TMPDIR"
  echo 'exit 100000 0 0 loop' > plan
  bash "$CS_SOURCE_DIR/tests/storm/run" --plan plan > out 2>&1 3>&- &
  runner=$!
  for ((tries = 0; tries < 600; tries++)); do
    ! cat "$TMPDIR"/cs-storm.*/life > life 2> errors || [ ! -s life ] || break
    sleep 0.1
  done
  life=$(cat life)
  kill -0 "$life"
  kill -KILL "$runner"
  for ((tries = 0; tries < 300; tries++)); do
    kill -0 "$life" 2> errors || [ -n "$(ls "$TMPDIR")" ] || return 0
    sleep 0.1
  done
  ls "$TMPDIR"
  return 1
}
