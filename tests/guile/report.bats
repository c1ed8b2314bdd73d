#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# report.bats -- the resume report: its lines, its readers, and an empty one.

load helper

# Run EXPR with --verbose; stderr is the report.
verbosely ()
{
  run --separate-stderr bounded cs-run --verbose "$STORE" -c "$1" < /dev/null
  [ "$status" -eq 0 ] || show
}

# Stderr is exactly this.
reported ()
{
  # shellcheck disable=SC2154   # set by run
  [ "$stderr" = "$1" ] || { printf 'wanted in stderr: %s\n' "$1"; show; }
}

told='(use-modules (coldstore)) (write (resume-report))'

@test "nothing to say: nothing printed, an empty list, no history" {
  persist "(define x 1) (sigaction SIGUSR2 (lambda (s) (set! x s)))"
  verbosely "$told"
  printed '()' && reported ''
  # The thread that ran the program goes on; the one that delivers signals is
  # Guile's own.
  run_in "$STORE" '(checkpoint!) (kill (getpid) SIGKILL)'
  [ "$status" -eq 137 ]
  verbosely "$told"
  printed '()' && reported ''
  [ "$(cs-inspect --history "$STORE" | sed '1,/^RESUMED/d' | wc -l)" -eq 0 ]
}

@test "threads that were alive are counted, after an exit and after a kill" {
  persist '(use-modules (ice-9 threads) (coldstore)) (define (go) (call-with-new-thread (lambda () (sleep 1000)))) (define a (go)) (define b (go))'
  verbosely "$told"
  printed '((weeded . "threads: 2 of the last process"))'
  reported 'cs-run: weeded: threads: 2 of the last process'
  answers '()' "$told"
  run_in "$STORE" '(go) (go) (go) (checkpoint!) (kill (getpid) SIGKILL)'
  [ "$status" -eq 137 ]
  answers '((weeded . "threads: 3 of the last process"))' "$told"
}

@test "files that are open again, and those that are not" {
  local leave
  for leave in persist killed; do
    store_fresh
    rm -f d
    seq 9 > a; seq 9 > b; seq 9 > c; seq 9 > e
    $leave "(define p (map open-input-file '(\"a\" \"b\" \"c\" \"e\"))) (define q (pipe)) (read (list-ref p 3))"
    rm b; mv c d; seq 9 > c; : > e
    verbosely "$told"
    [ "$(sed -E 's/ .descriptor [0-9]+.//' <<< "$stderr" | sort)" = \
"cs-run: changed: file '$PWD/e': it is shorter than it was: at offset 0
cs-run: closed: file '$PWD/b': No such file or directory
cs-run: closed: file '$PWD/c': another file has its name
cs-run: closed: pipe: it ended with its process
cs-run: closed: pipe: it ended with its process
cs-run: reopened: file '$PWD/a' at offset 0" ] || show
    # What was closed then is told once.
    answers '(reopened reopened)' '(use-modules (coldstore)) (write (map car (resume-report)))'
    [ "$(cs-inspect --history "$STORE" | sed '1,/^RESUMED/d' | awk '{ print $5 }' | sort | uniq -c | xargs)" = '1 changed 4 closed 3 reopened' ]
  done
}

@test "a library that is missing, and a function that a new build lacks" {
  local leave
  for leave in persist killed; do
    store_fresh
    c_library report <<< 'int f (void) { return 1; } int g (void) { return 2; }'
    $leave "(use-modules (system foreign)) (define l (dynamic-link \"$PWD/libreport.so\")) (define f (pointer->procedure int (dynamic-func \"f\" l) '())) (define g (pointer->procedure int (dynamic-func \"g\" l) '()))"
    answers '()12' "$told (write (f)) (write (g))"
    c_library report <<< 'int f (void) { return 3; }'
    answers "((changed . \"library '$PWD/libreport.so': another build of it\") (missing . \"function 'g' of '$PWD/libreport.so'\"))3" "$told (write (f))"
    answers "((missing . \"function 'g' of '$PWD/libreport.so'\"))3" "$told (write (f))"
    rm libreport.so
    verbosely "(use-modules (coldstore)) (write (map car (resume-report)))"
    printed '(missing)'
    case $stderr in
      "cs-run: missing: library '$PWD/libreport.so': "*) ;;
      *) show ;;
    esac
  done
}

# A point release: libpoint.so.1 leads to another file, and the old one goes.
release ()
{
  cc -shared -fPIC -Wl,-soname,libpoint.so.1 -o "$1/libpoint.so.1.0.$2" -x c - \
    <<< "int f (void) { return $2; }" && ln -sf "libpoint.so.1.0.$2" "$1/libpoint.so.1"
  rm -f "$1/libpoint.so.1.0.$(($2 - 1))"
}

@test "a library whose file a point release renames" {
  local name
  local gone="library '$PWD/libpoint.so.1.0.0': it is gone, and"
  for name in libpoint.so.1 libpoint.so.1.0.0; do
    store_fresh
    release . 0
    persist "(use-modules (system foreign)) (define f (pointer->procedure int (dynamic-func \"f\" (dynamic-link \"$PWD/$name\")) '()))"
    release . 1
    run_in "$STORE" "$told (write (f))"
    ended 0
    case $name in
      libpoint.so.1) printed "((changed . \"library '$PWD/$name': another build of it\"))1" ;;
      *) printed "((changed . \"$gone '$PWD/libpoint.so.1' has taken its place\") (changed . \"library '$PWD/$name': another build of it\"))1" ;;
    esac
  done
  # The directory is gone, too; ld.so finds it.
  mkdir elsewhere
  release elsewhere 2
  rm -f libpoint.so.*
  export LD_LIBRARY_PATH=$PWD/elsewhere
  run_in "$STORE" "$told (write (f))"
  ended 0
  printed "((changed . \"$gone '$PWD/elsewhere/libpoint.so.1' has taken its place\") (changed . \"library '$PWD/libpoint.so.1.0.0': another build of it\"))2"
}

@test "the program itself may be another build without being told of" {
  persist "(use-modules (system foreign)) (define f (pointer->procedure int (dynamic-func \"abs\" (dynamic-link)) (list int)))"
  mkdir other
  cp "$(type -p cs-run)" other
  objcopy --update-section .note.gnu.build-id=<(objcopy -O binary --dump-section .note.gnu.build-id=/dev/stdout other/cs-run /dev/null | tr '\1-\177' '\2-\177\1') other/cs-run
  run --separate-stderr bounded other/cs-run "$STORE" -c "$told (write (f -3))" < /dev/null
  ended 0
  printed '()3'
}

@test "another build of a library that Guile needs, where it is not carried" {
  local real id
  real=$(ldd "$(type -p guile)" | sed -n 's/.*libgmp[^ ]* => \([^ ]*\) .*/\1/p')
  [ -e "$real" ] || skip "libgmp is not found"
  mkdir new
  cp "$real" new/
  # The first bytes of the build id, after the name in its note.
  id=$(grep -obUaP '\x03\0\0\0GNU\0' "$real" | head -n 1 | cut -d : -f 1)
  printf XXXX | dd of="new/${real##*/}" bs=1 seek=$((id + 8)) conv=notrunc status=none
  local changed="((changed . \"library '${real##*/}': another build of it\"))"
  bounded cs-create --force --bundle=none "$STORE"
  answers '()' "$told"
  export LD_LIBRARY_PATH=$PWD/new
  answers "$changed" "$told"
  answers '()' "$told"
  unset LD_LIBRARY_PATH
  answers "$changed" "$told"
}
