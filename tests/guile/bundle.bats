#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# What a store carries: it runs where there is no Guile, and none of the
# libraries that Guile needs.

load helper

# Make a root directory, $ROOT, with the C library's own libraries and
# conversions, cs-run, and nothing else.
bare_root ()
{
  local library gconv

  ROOT=$BATS_TEST_TMPDIR/root
  mkdir -p "$ROOT"/proc "$ROOT"/tmp "$ROOT"/dev
  ldd "$(command -v cs-run)" | grep -oE '/[^ ]+/(libc\.so|ld-)[^ ]*' | while read -r library; do
    mkdir -p "$ROOT$(dirname "$library")"
    cp -L "$library" "$ROOT$library"
    case $library in
      */libc.so.*)
        for library in "${library%/*}"/lib{m,dl,pthread,rt}.so.[0-9]*; do
          [ ! -e "$library" ] || cp -L "$library" "$ROOT$library"
        done
        gconv=$(find "$(dirname "$(readlink -f "$library")")" /usr/lib \
          -type d -name gconv -path "*$(basename "$(dirname "$library")")*" -print -quit)
        mkdir -p "$ROOT$gconv"
        cp -r "$gconv"/gconv-modules* "$gconv"/ISO8859-1.so "$ROOT$gconv" ;;
    esac
  done
  cp -L "$(command -v cs-run)" "$ROOT"
  # Root needs no namespace for chroot, others need one of users.
  enter=(chroot "$ROOT")
  "${enter[@]}" /cs-run --version > /dev/null 2>&1 \
    || enter=(unshare -r chroot "$ROOT")
  "${enter[@]}" /cs-run --version > /dev/null 2>&1 \
    || skip "this user cannot change the root directory"
  mv "$STORE" "$ROOT"/s.store
}

# Run EXPR there; stdout must be exactly WANT.
there ()
{
  local want=$1

  shift
  run --separate-stderr bounded "${enter[@]}" /cs-run /s.store -c "$(expression "$@")" < /dev/null
  ended 0 && printed "$want"
}

@test "none of the libraries that libguile needs is on the system" {
  persist '(define big (expt 3 400)) (define (half n) (quotient n 2)) (use-modules (system foreign)) (dynamic-link)'
  bare_root
  there '#t' '(write (= (* big big) (expt 9 400)))'
  there '(35184372088832 "STRASSE" #t)' <<'END'
    (write (list (half (expt 2 46)) (string-upcase "strasse")
                 (string=? (string-normalize-nfc (string #\e (integer->char 769)))
                           (string (integer->char 233)))))
END
  # libgmp, libcrypt and libffi, at work in a process of their own.
  there '(#t #t 4)' <<'END'
    (write (list (positive? (modulo-expt 7 (expt 10 40) (+ (expt 10 50) 151)))
                 (string-prefix? "$6$salt$" (crypt "password" "$6$salt$"))
                 ((pointer->procedure int (dynamic-func "abs" (dynamic-link)) (list int)) -4)))
END
  there '#t' '(set! big (+ big 1)) (write (odd? (- big 1)))'
  there '#t' '(write (= big (1+ (expt 3 400))))'
}

@test "variables of libgmp begin again in each process" {
  persist <<'END'
    (use-modules (system foreign))
    (define gmp (dynamic-link "libgmp.so.10"))
    (define (gmp-errno)
      (pointer->bytevector (dynamic-pointer "__gmp_errno" gmp) 4))
    ((@ (rnrs bytevectors) bytevector-s32-native-set!) (gmp-errno) 0 77)
END
  answers 0 '(write ((@ (rnrs bytevectors) bytevector-s32-native-ref) (gmp-errno) 0))'
}
