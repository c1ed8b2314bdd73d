#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# examples.bats -- the examples of README.md and of the manual pages hold.
#
# An example is a line that begins with "$ ", among those of README.md that
# are indented by four columns, or between .EX and .EE in section EXAMPLES of
# a page.  The lines after it, up to the next one or to the end of the block,
# are what it prints; none: anything.  A line of "..." stands for any lines.
# A line that begins with "> " is more of the command.
# A line with Guile's prompt is input of the command before: then the other
# lines need only be among what is printed.
#
# All examples of a document run in one fresh folder, one after the other.
# If none of them makes notes.store, it is there already.

load helper

setup_file ()
{
  store_for_file
}

setup ()
{
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
}

# Print the blocks of examples in file $1 as plain text, with a line of "%"
# after each.
blocks ()
{
  case $1 in
    *.md) awk '/^    / { print substr ($0, 5); open = 1; next }
               open { print "%"; open = 0 }' "$1" ;;
    *) sed -n '/^\.SH EXAMPLES/,/^\.SH [^E]/p' "$1" \
         | sed -n '/^\.EX/,/^\.EE/ { /^\.EX/d; s/^\.EE.*/%/; p; }' \
         | sed -E 's/\\f[A-Z]//g; s/\\\(aq/'\''/g; s/\\\(dq/"/g; s/\\&//g
                   s/\\-/-/g; s/\\e/\\/g' ;;
  esac
}

# Turn the lines on standard input into a pattern for [[ == ]].
as_pattern ()
{
  local line pattern=''

  while IFS= read -r line; do
    if [ "$line" = ... ]; then
      pattern+='*'
    else
      pattern+=$(sed 's/[^A-Za-z0-9 ]/\\&/g' <<<"$line")$'\n'
    fi
  done
  printf '%s' "${pattern%$'\n'}"
}

# Run the example $1; $2 are the lines that follow it.
run_example ()
{
  local input wanted pattern line

  input=$(sed -n 's/^scheme@([a-z-]*)> //p' <<<"$2")
  wanted=$(grep -v '^scheme@(' <<<"$2" || true)
  # Without the tests' descriptors: nothing may keep them open.
  run --separate-stderr timeout -k 5 "$CS_TEST_TIMEOUT" bash -c "$1" \
    <<<"$input" 3>&-
  ended 0 || { echo "example: $1"; return 1; }
  [ -n "$wanted" ] || return 0
  if [ -n "$input" ]; then
    while IFS= read -r line; do
      printed_part "$line" || { echo "example: $1"; return 1; }
    done <<<"$wanted"
  else
    pattern=$(as_pattern <<<"$wanted")
    # A pattern is meant.
    # shellcheck disable=SC2053
    [[ $output == $pattern ]] \
      || differ "example: $1"$'\n'"wanted stdout: $wanted"
  fi
}

# Run all examples of file $1, at least $2 of them.
run_examples ()
{
  local line command='' after='' nr=0 text

  text=$(blocks "$CS_SOURCE_DIR/$1")
  grep -q '^\$ cs-create.* notes\.store$' <<<"$text" \
    || cp --sparse=always "$PRISTINE" notes.store
  while IFS= read -r line <&7; do
    case $line in
      '$ '* | %)
        if [ -n "$command" ]; then
          run_example "$command" "$after" || return
          nr=$((nr + 1))
        fi
        command='' after=''
        [ "$line" = % ] || command=${line#'$ '} ;;
      '> '*) command+=$'\n'${line#'> '} ;;
      *) after+=${after:+$'\n'}$line ;;
    esac
  done 7<<<"$text"
  [ "$nr" -ge "$2" ] || { echo "$nr examples, wanted $2"; return 1; }
}

@test "README.md" {
  run_examples README.md 11
}

@test "coldstore(7)" {
  run_examples man/coldstore.7 4
}

@test "cs-backup(1)" {
  run_examples man/cs-backup.1 6
}

@test "cs-create(1)" {
  [ "$(getconf LONG_BIT)" -eq 64 ] \
    || skip 'the address space is smaller than the examples say'
  run_examples man/cs-create.1 3
}

@test "cs-gc-roots(1)" {
  run_examples man/cs-gc-roots.1 2
}

@test "cs-inspect(1)" {
  run_examples man/cs-inspect.1 3
}

@test "cs-intern(1)" {
  [ -e /usr/lib/x86_64-linux-gnu/libguile-3.0.so.1 ] \
    || skip 'libguile is in another folder than the examples say'
  run_examples man/cs-intern.1 4
}

@test "cs-run(1)" {
  run_examples man/cs-run.1 9
}

@test "no page has examples that are not run" {
  for page in "$CS_SOURCE_DIR"/man/*; do
    page=${page##*/}
    [ "$(blocks "$CS_SOURCE_DIR/man/$page" | grep -c '^\$ ')" -eq 0 ] \
      || grep -q "^  run_examples man/$page " "$BATS_TEST_FILENAME"
  done
}
