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
  CPPFLAGS="-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -Ilibcs -Icmd \
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

@test "completions describe options as help does" {
  check bash "$CS_SOURCE_DIR/tools/check-docs" texts
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

@test "an installed libcs is found, and used by a program of one's own" {
  cd "$CS_SOURCE_DIR"
  to=$BATS_TEST_TMPDIR/to
  run make --no-print-directory BUILD="${CS_BUILD_DIR#"$PWD/"}" WERROR=1 \
    PREFIX="$to" install
  [ "$status" -eq 0 ] || { echo "$output"; false; }
  cd "$BATS_TEST_TMPDIR"
  cat >own.c <<'END'
#include <stdio.h>
#include <store/store.h>

int
main (int argc, char **argv)
{
  struct cs_err err = CS_ERR_INIT;
  struct cs_store *store;

  if (argc != 2 || cs_store_open (argv[1], CS_STORE_READ, &store, &err) != 0)
    return puts (err.text) < 0 ? 1 : cs_err_status (err.code);
  printf ("%d\n", (int) cs_store_superblock (store)->generation);
  cs_store_close (store);
  return 0;
}
END
  export PKG_CONFIG_PATH=$to/lib/pkgconfig
  # Word splitting is meant.
  # shellcheck disable=SC2046
  cc -Wall -Werror -o own own.c $(pkg-config --cflags --libs libcs) 3>&-
  "$to/bin/cs-create" own.store 3>&-
  "$to/bin/cs-run" own.store -c '(define x 1)' 3>&-
  LD_LIBRARY_PATH=$to/lib run ./own own.store
  [ "$status" -eq 0 ] && [ "$output" = 2 ]
  LD_LIBRARY_PATH=$to/lib run ./own own.c
  [ "$status" -eq 4 ] && [[ $output == *superblock* ]]
  # Each public header is complete by itself, and nothing else is installed.
  find "$to/include/libcs" -name '*.h' -printf '%P\n' | sort >headers
  diff headers - <<'END'
err.h
intern/file-rules.h
store/backup.h
store/store.h
workspace/workspace.h
END
  while read -r header; do
    # shellcheck disable=SC2046
    printf '#include <%s>\n' "$header" \
      | cc -fsyntax-only -xc -Wall -Werror $(pkg-config --cflags libcs) - 3>&-
  done <headers
}

@test "lint notices a function that libcs.so should export" {
  cd "$CS_SOURCE_DIR"
  cp -r Makefile VERSION libcs tools "$BATS_TEST_TMPDIR"
  cd "$BATS_TEST_TMPDIR"
  check sh tools/lint exports
  sed -i '/cs_store_open;/d' libcs/libcs.sym
  run sh tools/lint exports
  [ "$status" -ne 0 ] && [[ $output == *cs_store_open* ]]
}
