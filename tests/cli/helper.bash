# SPDX-License-Identifier: LGPL-3.0-or-later
# shellcheck shell=bash
# helper.bash -- what the tests of the command line share.
#
#   try COMMAND...      run it, bounded in time, with nothing on stdin; keep
#                       status, output (stdout) and stderr
#   ended STATUS        the last one ended with exactly that status
#   printed TEXT        its stdout was exactly TEXT (a last newline aside)
#   printed_part TEXT   its stdout has TEXT in it
#   complained TEXT     its stderr was exactly TEXT
#   complained_part TEXT
#                       its stderr has TEXT in it
#   quiet               both were empty
#   refused STATUS TEXT status, nothing on stdout, TEXT in stderr, and stderr
#                       is one line and at most one indented line of advice
#
# All of them print what the command left when they do not hold.

# Where the image of a store begins: behind 4 bytes for each page of 64 GiB.
image_start() {
  echo $((65536 + (64 << 20)))
}

# shellcheck disable=SC2154     # output, stderr and status are set by run

bats_require_minimum_version 1.5.0

: "${CS_TEST_TIMEOUT:=60}"

try ()
{
  run --separate-stderr timeout -k 5 "$CS_TEST_TIMEOUT" "$@" </dev/null 3>&-
}

differ ()
{
  printf '%s\n' "$1" "status: $status" "stdout: $output" "stderr: $stderr"
  return 1
}

ended ()
{
  [ "$status" -eq "$1" ] || differ "wanted status: $1"
}

printed ()
{
  [ "$output" = "$1" ] || differ "wanted stdout: $1"
}

printed_part ()
{
  [[ $output == *"$1"* ]] || differ "wanted in stdout: $1"
}

complained ()
{
  [ "$stderr" = "$1" ] || differ "wanted stderr: $1"
}

complained_part ()
{
  [[ $stderr == *"$1"* ]] || differ "wanted in stderr: $1"
}

quiet ()
{
  printed '' && complained ''
}

refused ()
{
  ended "$1" && printed '' && complained_part "$2" && well_formed
}

# A message is one line, `command: text`, and perhaps one of advice.
well_formed ()
{
  local lines

  mapfile -t lines <<<"$stderr"
  [[ ${lines[0]} =~ ^cs-[a-z-]+:\ [^A-Z] ]] \
    || differ 'wanted a message with the name of the command' || return
  [[ ${lines[0]} != *. ]] || differ 'a full stop ends the message' || return
  [ ${#lines[@]} -eq 1 ] \
    || { [ ${#lines[@]} -eq 2 ] && [[ ${lines[1]} == '  '[^\ ]* ]]; } \
    || differ 'wanted one line, and one of advice at most'
}

# A store that all cases of a file copy, made once.
store_for_file ()
{
  export PRISTINE=$BATS_FILE_TMPDIR/pristine.store
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-create "$PRISTINE" </dev/null 3>&-
}

# Print the identity of the files: names, sizes, contents.
state_of ()
{
  local file

  for file; do
    stat -c '%n %s %a' "$file"
    sha256sum "$file"
  done
}

# Start cs-run on $1 in the background and wait until it holds the store.
# It stays until `let_go`.
hold ()
{
  mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
  cs-run "$1" -c '(display "up") (newline) (force-output) (read-char)' \
    <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  HOLDER=$!
  # Opening a pipe waits for its other end.
  exec 8>"$BATS_TEST_TMPDIR/in" 9<"$BATS_TEST_TMPDIR/out"
  read -r -t 30 -u 9 line && [ "$line" = up ]
}

let_go ()
{
  exec 8>&- 9<&-
  wait "$HOLDER"
}

# Skip the case unless it can be run as another user.
need_nobody ()
{
  if [ "$(id -u)" -ne 0 ] \
     || ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null
  then
    skip 'cannot become another user'
  fi
}

# As `try`, as a user who owns nothing here.  The checkout need not be
# readable for that user, so the command is copied.
try_as_nobody ()
{
  local command=$1

  shift
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || true
  install -m 755 "$(command -v "$command")" "$BATS_TEST_TMPDIR/$command"
  chmod 755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/work"
  setpriv --reuid=65534 --regid=65534 --clear-groups \
    test -x "$BATS_TEST_TMPDIR/$command" \
    || skip 'another user cannot look into the folder of the tests'
  try setpriv --reuid=65534 --regid=65534 --clear-groups \
    "$BATS_TEST_TMPDIR/$command" "$@"
}

# Mount a file system of $1 bytes on $PWD/small, or skip.
small_file_system ()
{
  mkdir "$PWD/small"
  mount -t tmpfs -o "size=$1" tmpfs "$PWD/small" 2>/dev/null \
    || skip 'cannot mount a small file system'
}

remove_small_file_system ()
{
  ! mountpoint -q "$PWD/small" \
    || umount -l "$PWD/small"
}
