#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# build.sh -- compile the small libraries that the tests read and move.
#
# Usage: build.sh SOURCE-DIRECTORY OUTPUT-DIRECTORY
#
# Each NAME.c becomes NAME.so (for the compiler's own machine) and
# NAME-i386.so (with -m32), whose sonames are libcs-NAME.so.  Lines of the
# source say what is special:
#
#   /* flags: -Wl,... */     more flags; @SRC@, @OUT@ and @SUFFIX@ stand for
#                            the directories and for "" or "-i386"
#   /* kind: program */      a program instead of a library
#   /* after: NAME */        NAME is built before
#
# What the compiler or the linker cannot do is skipped, with a message.

set -eu

if [ $# -ne 2 ]; then
  echo "usage: build.sh SOURCE-DIRECTORY OUTPUT-DIRECTORY" >&2
  exit 2
fi
src=$1
out=$2
cc=${CC:-cc}
mkdir -p "$out"

# The value of the line "/* KEY: VALUE */" in FILE.
setting () {
  sed -n "s|^/\* $1: \(.*\) \*/\$|\1|p" "$2"
}

# Compile NAME with the machine's FLAG into NAME and SUFFIX.
compile () {
  name=$1
  suffix=$2
  flag=$3
  source=$src/$name.c
  flags=$(setting flags "$source" \
    | sed "s|@SRC@|$src|g; s|@OUT@|$out|g; s|@SUFFIX@|$suffix|g")
  case $(setting kind "$source") in
    program) flags="-fPIE -pie $flags" ;;
    *) flags="-fPIC -shared -Wl,-soname,libcs-$name.so $flags" ;;
  esac
  # shellcheck disable=SC2086 # several words each
  if ! $cc $flag -O1 -g0 -fno-sanitize=all -o "$out/$name$suffix.so.tmp" \
    "$source" $flags 2> "$out/$name$suffix.log"; then
    echo "build.sh: skipped $name$suffix: $(grep -m 1 -E 'error|ld:' \
      "$out/$name$suffix.log" || echo 'the compiler failed')" >&2
    rm -f "$out/$name$suffix.so.tmp"
    return 0
  fi
  rm -f "$out/$name$suffix.log"
  mv "$out/$name$suffix.so.tmp" "$out/$name$suffix.so"
}

build () {
  compile "$1" "" ""
  if [ "$m32" = yes ]; then
    compile "$1" -i386 -m32
  fi
}

m32=no
# shellcheck disable=SC2086 # several words
if echo 'int x;' | $cc -m32 -shared -fPIC -x c -o "$out/m32.tmp" - \
  2> "$out/m32.log"; then
  m32=yes
else
  echo "build.sh: skipped the i386 libraries: $cc -m32 does not work" >&2
fi
rm -f "$out/m32.tmp" "$out/m32.log"

for source in "$src"/*.c; do
  [ -n "$(setting after "$source")" ] || build "$(basename "$source" .c)"
done
for source in "$src"/*.c; do
  [ -z "$(setting after "$source")" ] || build "$(basename "$source" .c)"
done
