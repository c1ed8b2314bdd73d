#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# What a store carries: it runs where there is no Guile, and none of the
# libraries that Guile needs.

# shellcheck disable=SC2154     # output, stderr and status are set by run
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

# Run Guile's REPL there with the lines on standard input.
repl_there ()
{
  run --separate-stderr bounded "${enter[@]}" /cs-run /s.store
}

@test "without Guile on the system: modules, errors and backtraces" {
  persist '(define (inner x) (car x)) (define (outer x) (list (inner x)))'
  bare_root
  there '#(3 (a b) #t)' <<'END'
    (use-modules (rnrs io ports) (ice-9 peg) (ice-9 pretty-print) (srfi srfi-171))
    (define-peg-pattern digits all (+ (range #\0 #\9)))
    (write (vector (list-transduce (tmap 1+) + '(0 1))
                   (with-input-from-string "(a b)" read)
                   (and (peg:tree (match-pattern digits "42")) #t)))
END
  run --separate-stderr bounded "${enter[@]}" /cs-run /s.store -c '(outer 1)' < /dev/null
  ended 1
  complained 'In procedure car: Wrong type argument in position 1 (expecting pair): 1'
  complained 'Backtrace:'
  there '/share/guile/' <<'END'
    (define path (search-path %load-path "ice-9/match.scm"))
    (display (substring path (string-contains path "/share/guile/") (+ 13 (string-contains path "/share/guile/"))))
END
}

@test "without Guile on the system: the REPL, its commands, the compiler" {
  bare_root
  repl_there <<'END'
(define (f x) (* 2 x))
(f 21)
(car 5)
,bt
,pretty-print (quote (define (a b) c))
(use-modules (system base compile))
(call-with-output-file "/tmp/m.scm" (lambda (p) (write (quote (begin (use-modules (srfi srfi-1)) (define-public answer (fold + 0 (iota 10))))) p)))
(compile-file "/tmp/m.scm" #:output-file "/tmp/m.go")
(load-compiled "/tmp/m.go")
answer
(include-from-path "ice-9/match.upstream.scm")
END
  [[ $output == *'= 42'* && $output == *'= 45'* ]] || show
  [[ $output == *'(raise-exception _ #:continuable? _)'* ]] || show
  [[ $output == *'(define (a b) c)'* ]] || show
  [[ $output == *'Wrong type argument in position 1 (expecting pair): 5'* ]] || show
  [[ $output$stderr != *'bytecode'* && $output$stderr != *'No such file'* ]] || show
}

@test "another Guile's files are not the store's: neither modules nor caches" {
  local guile=$BATS_TEST_TMPDIR/newer name library ccache

  unshare -m true 2> /dev/null || skip "this user cannot make a mount namespace"
  library=$(guile -c '(display (%library-dir))')
  ccache=$(guile -c "(display (assq-ref %guile-build-info 'ccachedir))")
  # A file of a later release: code of another version, source that fails.
  mkdir -p "$guile"/{library,ccache,site}/{ice-9,site}
  for name in ice-9/peg ice-9/pretty-print ice-9/boot-9; do
    mkdir -p "$guile/ccache/$(dirname "$name")" "$guile/library/$(dirname "$name")"
    head -c 5000 "$ccache/ice-9/peg.go" > "$guile/ccache/$name.go"
    echo '(error "of another Guile")' > "$guile/library/$name.scm"
  done
  echo '(define-module (site newer)) (define-public value 3)' > "$guile/site/site/newer.scm"
  cat > compiled.scm <<'END'
(let* ((path (cadr (command-line)))
       (bytes ((@ (ice-9 binary-ports) get-bytevector-all)
               (open-file (caddr (command-line)) "rb"))))
  ;; DT_GUILE_VM_VERSION, then its value: one minor number more.
  (let loop ((i 0))
    (if (= ((@ (rnrs bytevectors) bytevector-u32-native-ref) bytes i) #x37146003)
        (let ((at (+ i (if (= (* 8 ((@ (system foreign) sizeof) '*)) 64) 8 4))))
          ((@ (rnrs bytevectors) bytevector-u16-native-set!) bytes at
           (1+ ((@ (rnrs bytevectors) bytevector-u16-native-ref) bytes at))))
        (loop (+ i 4))))
  ((@ (ice-9 binary-ports) put-bytevector) (open-file path "wb") bytes))
END
  mkdir -p "$guile/compiled/site"
  guile -s compiled.scm "$guile/compiled/site/newer.go" "$ccache/ice-9/peg.go"
  touch -d tomorrow "$guile"/compiled/site/newer.go
  run --separate-stderr bounded unshare -m sh -c "mount --bind $guile/library $library
    mount --bind $guile/ccache $ccache
    exec cs-run $STORE -L $guile/site -C $guile/compiled -c '(use-modules (ice-9 peg) (ice-9 pretty-print) (site newer)) (pretty-print value)'" < /dev/null
  ended 0
  printed 3
}

@test "--bundle=none and libraries: what is not carried is the system's" {
  local what

  for what in none libraries; do
    bounded cs-create --bundle="$what" "$what.store" < /dev/null
    run_in "$what.store" '(use-modules (ice-9 peg)) (write (expt 2 100))'
    ended 0
    printed 1267650600228229401496703205376
    run --separate-stderr cs-inspect --libraries "$what.store"
    [[ $output =~ NEEDED.*libgmp ]] || [ "$what" = libraries ] || show
    [[ ! $output =~ NEEDED.*libgmp ]] || [ "$what" = none ] || show
  done
  STORE=$BATS_TEST_TMPDIR/libraries.store
  bare_root
  run --separate-stderr bounded "${enter[@]}" /cs-run /s.store -c '(use-modules (srfi srfi-171))' < /dev/null
  [ "$status" -eq 1 ] || show
}

@test "a library that is not carried has gone: its name, the store's, and advice" {
  bounded cs-create --bundle=none none.store < /dev/null
  STORE=$BATS_TEST_TMPDIR/none.store
  bare_root
  run --separate-stderr bounded "${enter[@]}" /cs-run /s.store -c 1 < /dev/null
  [ "$status" -eq 125 ] || show
  complained "cs-run: '/s.store': cannot load 'libguile-3.0.so.1': lib"
  complained $'\n  install lib'
  complained ' again: the store does not carry it'
}

@test "a clone and a restored backup carry the same" {
  cs-create --from="$STORE" clone.store
  cs-backup -o all.gz "$STORE"
  cs-create --from=all.gz restored.store
  for STORE in $BATS_TEST_TMPDIR/clone.store $BATS_TEST_TMPDIR/restored.store; do
    rm -rf "$BATS_TEST_TMPDIR/root"
    bare_root
    there '(a b)' "(use-modules (ice-9 pretty-print)) (display (with-output-to-string (lambda () (pretty-print '(a b)))))"
  done
}

@test "a port on a carried file goes on where it stood" {
  persist "(use-modules (ice-9 rdelim)) (define p (open-input-file (search-path %load-path \"ice-9/match.scm\"))) (read-line p)"
  local line
  line=$(guile -c '(use-modules (ice-9 rdelim)) (define p (open-input-file (search-path %load-path "ice-9/match.scm"))) (read-line p) (display (read-line p))')
  [ -n "$line" ]
  bare_root
  there "$line" '(display (read-line p))'
}
