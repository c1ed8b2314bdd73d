# SPDX-License-Identifier: LGPL-3.0-or-later
# shellcheck shell=bash
# helper.bash -- what the tests of persistence share.
#
# Each case owns one store, $STORE, a copy of a store made once a file.
# The verbs:
#
#   persist [EXPR]       run EXPR in the store; it must succeed silently on
#                        stderr, what it prints is not looked at
#   answers WANT [EXPR]  the same, and stdout must be exactly WANT
#   fails STATUS [EXPR]  run EXPR; it must end with exactly STATUS
#   killed [EXPR]        run EXPR, save the workspace, and be killed
#   survives [EXPR]      run EXPR; success or an ordinary Guile error, never
#                        death by a signal or a failure of cs-run itself
#   same_as_guile ARG... run guile and cs-run with ARG...; stdout, stderr and
#                        status must agree
#
# EXPR is read from standard input (a here-document) when it is not given,
# so that quotes in Scheme need no care.  Every command is bounded in time
# and reads nothing from standard input unless the test says so.

# shellcheck disable=SC2154     # output, stderr and status are set by run

bats_require_minimum_version 1.5.0

: "${CS_TEST_TIMEOUT:=60}"

setup_file ()
{
  pristine
}

setup ()
{
  store_new
}

# At the end of a case each pointer of its workspace leads to an object.  A
# store that the case has damaged on purpose is not for this check.
teardown ()
{
  local found

  [ -e "${STORE:-}" ] || return 0
  found=$(timeout -k 5 "$CS_TEST_TIMEOUT" cs-inspect --verify-heap "$STORE" 2>&1 3>&-) \
    || [ "${found%lead to no object*}" = "$found" ] \
    || { printf '%s\n' "$found"; return 1; }
}

# Make the store that each case copies.
pristine ()
{
  export BATS_TEST_TIMEOUT=150
  export GUILE_AUTO_COMPILE=0 HOME=$BATS_FILE_TMPDIR
  unset GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_JIT_THRESHOLD LANG
  export PRISTINE=$BATS_FILE_TMPDIR/pristine.store
  bounded cs-create "$PRISTINE" < /dev/null
}

# Give the case its own store, $STORE, or one more called NAME, printed
# nowhere: it is $BATS_TEST_TMPDIR/NAME.store.
# shellcheck disable=SC2120     # the cases pass the name
store_new ()
{
  local path=$BATS_TEST_TMPDIR/${1:-s}.store

  rm -rf "$path-history"
  cp --sparse=always "$PRISTINE" "$path"
  if [ $# -eq 0 ]; then
    STORE=$path
    cd "$BATS_TEST_TMPDIR" || return 1
  fi
}

# Make the case's store anew.  libguile reads GUILE_JIT_THRESHOLD when it is
# booted, so the store keeps the one of its cs-create.
store_fresh ()
{
  rm -rf "$STORE" "$STORE-history"
  bounded cs-create "$STORE" < /dev/null
}

# Run a command that must end in time, without the descriptor bats keeps
# for itself.  One that does not is told of on stderr: it may have to be
# killed, as others kill themselves.
bounded ()
{
  timeout --verbose -k 5 "$CS_TEST_TIMEOUT" "$@" 3>&-
}

# Print what the last run left, for the reader of a failed case; the last line
# of an error first, as that says what it was.
show ()
{
  printf '%s\n' "status: $status" "error: ${stderr##*$'\n'}" \
    "generation: $(cs-inspect "$STORE" 2>&1 | grep -i generation)" \
    "stdout: $output" "stderr: $stderr"
  return 1
}

# Print the expression given as an argument or on standard input.
expression ()
{
  if [ $# -gt 0 ]; then
    printf '%s' "$1"
  else
    cat
  fi
}

# Run EXPR in STORE; status, output and stderr are left as by run.
run_in ()
{
  run --separate-stderr bounded cs-run "$1" -c "$2" < /dev/null
}

# The last run ended with STATUS and, if that is 0, silent on stderr.
ended ()
{
  [ "$status" -eq "$1" ] || show || return 1
  [ "$1" -ne 0 ] || [ -z "$stderr" ] || show
}

# The last run printed exactly WANT.
printed ()
{
  [ "$output" = "$1" ] || { printf 'wanted: %s\n' "$1"; show; }
}

# The last run's stderr contains TEXT.
complained ()
{
  case $stderr in
    *"$1"*) ;;
    *) printf 'wanted in stderr: %s\n' "$1"; show ;;
  esac
}

persist ()
{
  run_in "$STORE" "$(expression "$@")"
  ended 0
}

# Run EXPR in the store that all cases of the file copy, in setup_file: run has
# no directory of a case to write to there.
persist_for_file ()
{
  bounded cs-run "$PRISTINE" -c "$(expression "$@")" < /dev/null
}

answers ()
{
  local want=$1

  shift
  run_in "$STORE" "$(expression "$@")"
  ended 0 && printed "$want"
}

fails ()
{
  local want=$1

  shift
  run_in "$STORE" "$(expression "$@")"
  ended "$want"
}

killed ()
{
  run_in "$STORE" "$(expression "$@") ((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)"
  ended 137 || return 1
  [ "$stderr" = "${stderr#*timeout: sending}" ] || show
}

survives ()
{
  run_in "$STORE" "$(expression "$@")"
  [ "$status" -le 1 ] || show
}

# Talking to a program that runs.

# Start the rest in the background with standard input and output joined to
# the FIFOs in and out of the case's directory, open here as $to and $from;
# its pid in $runner.
start ()
{
  rm -f in out
  mkfifo in out
  "$@" < in > out 2> err 3>&- &
  runner=$!
  exec {to}> in {from}< out
}

# Wait for a line that contains TEXT.
heard ()
{
  local line

  while read -r -t "$CS_TEST_TIMEOUT" -u "$from" line; do
    case $line in
      *"$1"*) return 0 ;;
    esac
  done
  echo "not heard: $1"
  cat err
  return 1
}

# What start started ends with STATUS.
ends ()
{
  local got=0

  wait "$runner" || got=$?
  exec {to}>&- {from}<&-
  [ "$got" -eq "$1" ] || { echo "status: $got"; cat err; return 1; }
}

# For teardown: end what was started and still runs.
talk_over ()
{
  [ -z "${runner:-}" ] || kill -9 "$runner" 2> /dev/null || true
}

# In the REPL on a terminal, whose echo the test must not take for an answer:
# evaluate $1 and wait for the line it makes of the strings in $2 and $3.
types ()
{
  printf '(begin (display (string-append "%s" "%s")) (newline) %s)\n' "$2" "$3" "$1" >&"$to"
  heard "$2$3"
}

# Take out of a message what differs between any two runs of plain guile.
normalise ()
{
  # Addresses, also those cut short by the width of a backtrace (at a ? in
  # the locale C), the name of the program in messages of the dynamic linker,
  # and the arguments in a frame: the JIT decides which of them are still known.
  # What cs-run says of an end that does not save has two lines.
  sed -E -e '/^cs-run: .*not saved: /,+1d' \
    -e 's/[0-9a-f]{9,16}/ADDR/g' -e 's/ [0-9a-f]+(\?|…)>/ ADDR>/g' \
    -e 's/(7f|20)[0-9a-f]*(\?|…)/ADDR/g' -e 's/"(guile|cs-run): /"PROGRAM: /g' \
    -e 's/^( *([0-9]+:[0-9]+)? +[0-9]+ \([^ ]+).*/\1/'
}

# Run guile, then cs-run, with the arguments given and with standard input
# from the file $INPUT if it is set.
same_as_guile ()
{
  local input=${INPUT:-/dev/null} out err code

  run --separate-stderr bounded guile "$@" < "$input"
  out=$output err=$(normalise <<< "$stderr") code=$status
  run --separate-stderr bounded cs-run "$STORE" "$@" < "$input"
  [ "$status" -eq "$code" ] || { printf 'guile: %s\n' "$code"; show; } || return 1
  [ "$output" = "$out" ] || { printf 'guile: %s\n' "$out"; show; } || return 1
  [ "$(normalise <<< "$stderr")" = "$err" ] || { printf 'guile: %s\n' "$err"; show; }
}

# The sha256 of what is in the store, and of its journal if there is one.
digest ()
{
  cat "$STORE" "$STORE"-journal 2> /dev/null | sha256sum
}

# Compile the C source on standard input to the shared library lib$1.so of
# the case's directory.  Replaced by renaming, as a package manager does.
c_library ()
{
  local lib=$BATS_TEST_TMPDIR/lib$1.so

  shift
  cc -shared -fPIC -O1 -o "$lib.new" -x c - "$@" && mv "$lib.new" "$lib"
}

# The same for one that includes libguile.h and needs libguile.
extension ()
{
  # shellcheck disable=SC2046     # several words
  c_library "$@" $(pkg-config --cflags guile-3.0) -Wl,--no-as-needed \
    $(pkg-config --libs guile-3.0)
}
