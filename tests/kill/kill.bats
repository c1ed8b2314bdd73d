#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# kill.bats -- cs-run and cs-create are killed, with SIGKILL, wherever they
# are.  What was acknowledged before is there afterwards, and what was not is
# there as a whole or not at all.
#
# Named points are the store's system calls: copies of the commands in the
# folder tests/dying of the build die in the one that CS_DIE names
# (tests/kill/die.c).  Random times are random.
#
# KILL_ROUNDS is the number of kills, about (20).

load ../guile/helper

: "${KILL_ROUNDS:=20}"

setup_file ()
{
  pristine
  export BATS_TEST_TIMEOUT=$((120 + KILL_ROUNDS * 5))
  DYING=$(dirname "$(command -v cs-run)")/../tests/dying
  [ -x "$DYING/cs-run" ]
  export DYING
  # One step changes some two hundred pages, all of them or none.
  persist_for_file <<'SCHEME'
(begin
  (use-modules (coldstore))
  (define counter 0)
  (define table (make-hash-table))
  (define numbers (make-vector 100000 0))
  (define (line i) (string-append "line " (number->string i)))
  (define (step!)
    (set! counter (1+ counter))
    (hash-set! table counter (line counter))
    (vector-fill! numbers counter))
  (define (work n)
    (do ((i 0 (1+ i))) ((= i n))
      (step!)
      (checkpoint!)
      (display counter)
      (newline)
      (force-output)))
  (define (sound?)
    (gc)
    (and (= (hash-count (const #t) table) counter)
         (let loop ((i 1))
           (or (> i counter)
               (and (equal? (hash-ref table i) (line i)) (loop (1+ i)))))
         (let loop ((i 0))
           (or (= i (vector-length numbers))
               (and (= (vector-ref numbers i) counter) (loop (1+ i))))))))
SCHEME
}

setup ()
{
  store_new
  acknowledged=0 kills=0 when=named
}

# Say how many kills there were.
teardown ()
{
  [ -n "$BATS_TEST_COMPLETED" ] || return 0
  echo "# figure: $BATS_TEST_DESCRIPTION: 0 lost in $kills kills" >&3
  echo "$when $kills" >> "$BATS_FILE_TMPDIR/kills"
}

teardown_file ()
{
  awk '{ nr[$1] += $2 }
       END { printf "# figure: 0 lost in %d kills at named points and %d at random times\n", nr["named"], nr["random"] }' \
    "$BATS_FILE_TMPDIR/kills" >&3
}

# Run a command whose numbers go to the file `numbers`; $end is its status.
numbers_of ()
{
  end=0
  { "$@" > numbers 2> errors < /dev/null 3>&- || end=$?; } 2> /dev/null
  case $end in
    0) ;;
    137) kills=$((kills + 1)) ;;
    *) cat errors; echo "status $end"; return 1 ;;
  esac
}

# The same for a run that dies as CS_DIE=$1 says, of EXPR $2.
dying_run ()
{
  numbers_of env CS_DIE="$1" timeout 60 "$DYING/cs-run" "$STORE" -c "$2"
}

# The same for a run that is killed at any time.
work_until_killed ()
{
  local pid

  cs-run "$STORE" -c '(work 1000000)' &
  pid=$!
  sleep "0.$((RANDOM % 300 + 100))"
  kill -KILL "$pid"
  wait "$pid"
}

short_run ()
{
  numbers_of work_until_killed
  [ "$end" -eq 137 ]
}

# The store holds what was acknowledged, or at most $1 steps more (1), as a
# whole.
check_store ()
{
  local last found

  last=$(tail -n 1 numbers)
  [ -z "$last" ] || acknowledged=$last
  run_in "$STORE" \
    '(begin (write counter) (display (if (sound?) " sound" " broken")))'
  ended 0 || return 1
  found=${output% *}
  if [ "${output#* }" != sound ] || [ "$found" -lt "$acknowledged" ] \
     || [ "$found" -gt $((acknowledged + ${1:-1})) ]; then
    echo "acknowledged: $acknowledged"
    show
    return 1
  fi
  # What was seen is what counts from now on.
  acknowledged=$found
}

# The same, seen by those who do not recover it.
check_ephemeral ()
{
  run --separate-stderr bounded cs-run --ephemeral "$STORE" \
    -c '(write (sound?))' < /dev/null
  ended 0 && printed '#t' || return 1
  run --separate-stderr bounded cs-inspect --check "$STORE"
  [ "$status" -eq 0 ] || show
}

# A clean end, and nothing damaged.
check_end ()
{
  [ "$acknowledged" -gt 0 ]
  answers '#t' '(begin (step!) (write (sound?)))'
  run --separate-stderr bounded cs-inspect --check "$STORE"
  [ "$status" -eq 0 ] || show
}

# Somebody who reads the store from now on.
reader_begins ()
{
  cs-run --ephemeral "$STORE" -c '(begin (display 1) (force-output) (sleep 60))' \
    > reads 2>&1 < /dev/null 3>&- &
  reader=$!
  until [ -s reads ]; do sleep 0.01; done
}

reader_ends ()
{
  kill -KILL "$reader"
  wait "$reader" || true
}

@test "a run that is killed in a system call of the store" {
  local call n

  for call in openat ftruncate fallocate fsync fdatasync mkdirat unlinkat; do
    for ((n = 1; n <= KILL_ROUNDS / 8 + 1; n++)); do
      dying_run "$call:$n" '(work 3)'
      check_ephemeral
      check_store
      [ "$end" -ne 0 ] || break
    done
  done
  check_end
}

@test "a run that is killed in the middle of a write" {
  local round

  for ((round = 0; round < KILL_ROUNDS / 4 + 1; round++)); do
    dying_run "pwrite:$((RANDOM % 400 + 1))" '(work 5)'
    check_ephemeral
    check_store
  done
  check_end
}

@test "a run that is killed at any time" {
  local round

  when=random
  for ((round = 0; round < KILL_ROUNDS / 4 + 1; round++)); do
    short_run
    check_store
  done
  check_end
}

@test "the same beside one who reads" {
  local round

  when=random
  for ((round = 0; round < KILL_ROUNDS / 8 + 1; round++)); do
    reader_begins
    short_run
    check_ephemeral
    check_store
    reader_ends
  done
  check_end
}

@test "a run that is killed while it leaves" {
  local n

  end=137
  for ((n = 1; end != 0; n += n * 8 / KILL_ROUNDS + 1)); do
    dying_run "any:$n" '(step!)'
    [ "$end" -ne 0 ] || acknowledged=$((acknowledged + 1))
    check_store "$((end != 0))"
  done
  check_end
}

@test "one that is killed while it recovers what another has left" {
  local n

  end=137
  for ((n = 1; end != 0; n += n * 8 / KILL_ROUNDS + 1)); do
    # Commits stay in the log as long as somebody reads.
    reader_begins
    numbers_of timeout 60 cs-run "$STORE" -c \
      '(begin (work 2) (kill (getpid) SIGKILL))'
    reader_ends
    [ "$end" -eq 137 ]
    acknowledged=$(tail -n 1 numbers)
    dying_run "any:$n" '(write counter)'
    check_ephemeral
    check_store 0
  done
  check_end
}

# Make the store $NEW with cs-create ARG..., which dies at one call after the
# other until it gets through.
create ()
{
  local n

  end=137
  for ((n = 1; end != 0; n += n * 8 / KILL_ROUNDS + 1)); do
    [ -n "$over" ] || rm -f "$NEW"
    numbers_of env CS_DIE="any:$n" timeout 60 "$DYING/cs-create" --force \
      "$@" "$NEW"
    if [ -e "$NEW" ]; then
      run --separate-stderr bounded cs-run --ephemeral "$NEW" \
        -c '(begin (gc) (write (1+ 2)))' < /dev/null
      ended 0 && printed 3 || return 1
    fi
  done
}

@test "cs-create that is killed leaves nothing, or a store" {
  NEW=$BATS_TEST_TMPDIR/new.store over=''
  create
  [ "$(echo new*)" = new.store ] || { echo new*; return 1; }
  over=1
  create
}

@test "cs-create --from that is killed leaves nothing, or a store" {
  NEW=$BATS_TEST_TMPDIR/new.store over=''
  create --from "$STORE"
  run_in "$NEW" '(write (and (sound?) counter))'
  ended 0 && printed 0
  over=1
  create --from "$STORE"
}

# Put a store with three generations before its newest one at $NEW.
put_old ()
{
  rm -rf "$NEW" "$NEW-history"
  cp --sparse=always "$OLD" "$NEW"
  cp -r "$OLD-history" "$NEW-history"
}

# What is at $NEW is the old store with its history, or a new one, for which
# no older generation counts; its next commits have a history.
check_replaced ()
{
  bounded cs-run --ephemeral "$NEW" -c "(write (defined? 'old))" \
    < /dev/null > is-old 2> errors || { cat errors; return 1; }
  if [ "$(cat is-old)" = '#t' ]; then
    for generation in 2 3 4; do
      cmp "$OLD-history/$generation" "$NEW-history/$generation" || return
      bounded cs-run --generation=$generation "$NEW" -c '(write counter)' \
        < /dev/null > /dev/null || return
    done
    return
  fi
  replaced=$((replaced + 1))
  # The newest one, the header, the end: no other line has a number first.
  [ "$(cs-inspect --history "$NEW" | grep -c '^ *[0-9][0-9]* ')" -eq 1 ] \
    || return
  for x in 1 2; do
    bounded cs-run "$NEW" -c "(define x $x)" < /dev/null 2> errors || return
    [ ! -s errors ] || { cat errors; return 1; }
  done
  cs-inspect --check "$NEW" > /dev/null || return
  [ "$(cs-inspect --history "$NEW" | grep -c '^ *[0-9][0-9]* ')" -ge 2 ]
}

# Replace $OLD's copy with cs-create ARG..., which dies at each call of each
# kind, or in which that fails for want of room.
replace ()
{
  local call n

  for call in mkdirat fsync fdatasync linkat renameat2 unlinkat pwrite; do
    end=137
    for ((n = 1; end != 0 && n < 400; n += n / 4 + 1)); do
      put_old
      numbers_of env CS_DIE="$call:$n" timeout 60 "$DYING/cs-create" \
        --force "$@" "$NEW"
      check_replaced || return
    done
  done
  for call in fsync fdatasync pwrite; do
    end=1
    for ((n = 1; end != 0 && n < 400; n += n / 4 + 1)); do
      put_old
      end=0
      CS_FAIL="$call:$n:28" timeout 60 "$DYING/cs-create" --force "$@" \
        "$NEW" > numbers 2> errors < /dev/null 3>&- || end=$?
      [ "$end" -le 1 ] || { cat errors; return 1; }
      check_replaced || return
    done
  done
}

@test "a store that is being replaced keeps its history until the new one is there" {
  local replaced=0

  OLD=$BATS_TEST_TMPDIR/old.store NEW=$BATS_TEST_TMPDIR/new.store
  cp --sparse=always "$STORE" "$OLD"
  cs-backup -o backup "$OLD"
  for x in 1 2 3; do bounded cs-run "$OLD" -c "(define old $x)" < /dev/null; done
  cs-inspect --apply "$OLD"
  ls "$OLD-history"
  replace
  replace --from "$STORE"
  replace --from backup
  [ "$replaced" -gt 0 ]
}
