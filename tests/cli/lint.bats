#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# lint.bats -- the source, the documents, and the tools around them.

load helper

# Run one check; status 77 means that its tool is not here.
check ()
{
  run "$@"
  [ "$status" -ne 77 ] || skip "$output"
  [ "$status" -eq 0 ] || { echo "$output"; false; }
}

lint ()
{
  local machine

  machine=$(uname -m | sed 's/i.86/i386/')
  CPPFLAGS="-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilibcs -Icmd \
    -Iarch/$machine $(pkg-config --cflags guile-3.0 2>/dev/null)" \
    check sh "$CS_SOURCE_DIR/tools/lint" "$@"
}

@test "shell scripts" {
  lint scripts
}

@test "manual pages" {
  lint man
}

@test "headers compile alone" {
  lint headers
}

@test "layers include downwards only" {
  lint layers
}

@test "conditionals on machines are where they belong" {
  lint machines
}

@test "files have their licence tag" {
  lint licence
}

@test "no tabs, no blanks at line ends, no overlong lines" {
  lint text
}

@test "help, manual pages and completions name the same options" {
  check bash "$CS_SOURCE_DIR/tools/check-docs" options
}

@test "manual pages have their sections" {
  check bash "$CS_SOURCE_DIR/tools/check-docs" statuses
}

@test "functions in headers have contracts" {
  check bash "$CS_SOURCE_DIR/tools/check-docs" contracts
}

@test "libcs and the commands do not need libguile" {
  for file in "$CS_BUILD_DIR"/bin/cs-* "$CS_BUILD_DIR"/libcs.so.0; do
    ! readelf -d "$file" | grep NEEDED | grep -E 'guile|libgc\.'
  done
}

@test "installs and uninstalls, under a name with a space" {
  cd "$CS_SOURCE_DIR"
  to="$BATS_TEST_TMPDIR/a root"
  run make --no-print-directory BUILD="${CS_BUILD_DIR#"$PWD/"}" WERROR=1 \
    PREFIX=/usr DESTDIR="$to" install
  [ "$status" -eq 0 ] || { echo "$output"; false; }
  [ -x "$to/usr/bin/cs-create" ] && [ -x "$to/usr/bin/cs-run" ]
  "$to/usr/bin/cs-run" --version
  [ -f "$to/usr/share/man/man1/cs-run.1" ]
  [ -f "$to/usr/include/libcs/err.h" ]
  run make --no-print-directory BUILD="${CS_BUILD_DIR#"$PWD/"}" WERROR=1 \
    PREFIX=/usr DESTDIR="$to" uninstall
  [ "$status" -eq 0 ] || { echo "$output"; false; }
  run find "$to" ! -type d
  [ -z "$output" ] || { echo "$output"; false; }
}
