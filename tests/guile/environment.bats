#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# environment.bats -- what comes from the environment and from Guile's options
# is the new process's, and what the program did itself stays.

load helper

# Leave EXPR in the store twice over: by an ordinary end, and by a checkpoint
# that is followed by a kill.
persist_and_kill ()
{
  persist "$1"
  killed "$1"
}

paths='(write (list %load-path %load-compiled-path %load-extensions %compile-fallback-path %load-should-auto-compile %fresh-auto-compile (and (memq (quote warn-deprecated) (debug-options)) #t)))'

# What Guile sets up in this environment with these options is what the
# workspace has.
same_paths ()
{
  same_as_guile "$@" -c "$paths"
  [ "$status" -eq 0 ]
}

@test "load paths follow the environment, in Guile's own order" {
  GUILE_LOAD_PATH=/old:...:/end GUILE_LOAD_COMPILED_PATH=/oldc store_fresh
  same_paths
  GUILE_LOAD_PATH=/a:/b GUILE_LOAD_COMPILED_PATH=/c same_paths
  GUILE_LOAD_PATH=/b:...:/z same_paths
  GUILE_LOAD_PATH='' same_paths
  GUILE_SYSTEM_PATH="$(guile -c '(display (%library-dir))'):/r" \
    GUILE_SYSTEM_COMPILED_PATH="$(guile -c "(display (assq-ref %guile-build-info 'ccachedir))"):/s" \
    same_paths
  same_paths
}

@test "load paths follow the environment after a kill" {
  GUILE_LOAD_PATH=/first killed '(define x 1)'
  GUILE_LOAD_PATH=/second same_paths
  same_paths
}

@test "a module is found where the environment says today" {
  mkdir a b
  echo '(define-module (here) #:export (where)) (define where "a")' > a/here.scm
  echo '(define-module (there) #:export (where)) (define where "b")' > b/there.scm
  GUILE_LOAD_PATH=$PWD/a answers '"a"' '(write (@ (here) where))'
  GUILE_LOAD_PATH=$PWD/b answers '("a" "b")' '(write (list (@ (here) where) (@ (there) where)))'
  rm -r a b
  answers '("a" "b")' '(write (list (@ (here) where) (@ (there) where)))'
}

@test "folders that the program added stay, in their places" {
  local system
  GUILE_LOAD_PATH=/e1 persist_and_kill '(if (not (member "/mine" %load-path)) (set! %load-path (append (cons "/mine" %load-path) (list "/last"))))'
  system=$(guile -c '(display (string-join (map object->string %load-path)))')
  GUILE_LOAD_PATH=/e2 answers "(\"/mine\" \"/e2\" $system \"/last\")" '(write %load-path)'
  answers "(\"/mine\" $system \"/last\")" '(write %load-path)'
}

@test "a folder of the environment that the program took out stays out" {
  persist '(set! %load-path (delete (%global-site-dir) %load-path))'
  GUILE_LOAD_PATH=/e answers '("/e" #f)' '(write (list (car %load-path) (member (%global-site-dir) %load-path)))'
  answers '#f' '(write (member (%global-site-dir) %load-path))'
}

@test "a load path that the program set to something else altogether" {
  persist "(set! %load-path '(\"/only\"))"
  GUILE_LOAD_PATH=/e answers '("/e" "/only")' '(write %load-path)'
  answers '("/only")' '(write %load-path)'
  persist '(set! %load-path 42)'
  run --separate-stderr env GUILE_LOAD_PATH=/e timeout 60 cs-run "$STORE" -c '(write %load-path)' < /dev/null
  [ "$status" -eq 0 ] || show
  printed 42
}

@test "-L, -C, -x and the auto-compile options hold for one run" {
  persist '(set! %load-path (cons "/mine" %load-path))'
  local before
  before=$(bounded cs-run "$STORE" -c "$paths" < /dev/null)
  run --separate-stderr bounded cs-run "$STORE" -L /x -C /y -x .foo -L /z --no-auto-compile -c '(write (list (list-head %load-path 3) (car %load-compiled-path) (car %load-extensions) %load-should-auto-compile))' < /dev/null
  ended 0
  printed '(("/x" "/z" "/mine") "/y" ".foo" #f)' || printed '(("/z" "/x" "/mine") "/y" ".foo" #f)'
  GUILE_LOAD_PATH=/e run --separate-stderr bounded cs-run "$STORE" -L /x --fresh-auto-compile -c 1 -L /not < /dev/null
  ended 0
  answers "$before" "$paths"
  store_fresh
  same_paths -L /x -L /z -C /y -x .foo --no-auto-compile
  same_paths -L /x -L /z -C /y -x .foo --no-auto-compile
  same_paths
}

@test "compiling or not, and where to, follow the environment" {
  GUILE_AUTO_COMPILE=0 same_paths
  GUILE_AUTO_COMPILE=1 same_paths
  GUILE_AUTO_COMPILE=fresh same_paths
  GUILE_AUTO_COMPILE=fresh killed 1
  GUILE_AUTO_COMPILE=0 same_paths --auto-compile
  HOME=/elsewhere same_paths
  HOME=/elsewhere XDG_CACHE_HOME=/cache same_paths
  (unset HOME && same_paths)
  same_paths
}

@test "a file is compiled into the folder of today" {
  echo '(define-module (compiled) #:export (x)) (define x 7)' > compiled.scm
  mkdir one two
  XDG_CACHE_HOME=$PWD/one persist '(define y 1)'
  GUILE_AUTO_COMPILE=1 GUILE_LOAD_PATH=$PWD XDG_CACHE_HOME=$PWD/two bounded cs-run "$STORE" -c '(write (@ (compiled) x))' < /dev/null > out 2> err
  [ "$(cat out)" = 7 ] || cat err
  [ -z "$(find one -name '*.go')" ]
  [ -n "$(find two -name 'compiled.scm.go')" ]
}

@test "what the program set of these stays" {
  persist '(set! %load-should-auto-compile #t) (set! %compile-fallback-path "/mine")'
  HOME=/elsewhere answers '("/mine" #t)' '(write (list %compile-fallback-path %load-should-auto-compile))'
  GUILE_AUTO_COMPILE=1 persist '(set! %load-should-auto-compile #f)'
  GUILE_AUTO_COMPILE=fresh answers '(#f #f)' '(write (list %load-should-auto-compile %fresh-auto-compile))'
}

@test "warnings of deprecated features follow the environment" {
  GUILE_WARN_DEPRECATED=detailed same_paths
  GUILE_WARN_DEPRECATED=no same_paths
  GUILE_WARN_DEPRECATED=detailed killed 1
  same_paths
}

@test "the paths of extensions follow the environment" {
  c_library extra <<< 'int answer (void) { return 42; }'
  mkdir ext && mv libextra.so ext/
  persist '(use-modules (system foreign-library) (system foreign)) (guile-extensions-path (cons "/mine" (guile-extensions-path)))'
  GUILE_EXTENSIONS_PATH=$PWD/ext LTDL_LIBRARY_PATH=/l GUILE_SYSTEM_EXTENSIONS_PATH=/s \
    answers "(42 (\"$PWD/ext\" \"/mine\") (\"/l\") (\"/s\"))" "(write (list ((pointer->procedure int (foreign-library-pointer (load-foreign-library \"libextra\") \"answer\") '())) (guile-extensions-path) (ltdl-library-path) (guile-system-extensions-path)))"
  answers '(("/mine") () #t)' "(write (list (guile-extensions-path) (ltdl-library-path) (equal? (guile-system-extensions-path) (map (lambda (k) (assq-ref %guile-build-info k)) '(libdir extensiondir)))))"
}

@test "what has changed is in the resume report" {
  GUILE_LOAD_PATH=/a persist 1
  GUILE_LOAD_PATH=/b answers '((changed . "environment: GUILE_LOAD_PATH is '"'/b'"'"))' '(use-modules (coldstore)) (write (resume-report))'
  GUILE_LOAD_PATH=/b answers '()' '(write (resume-report))'
  answers '((changed . "environment: GUILE_LOAD_PATH is not set"))' '(write (resume-report))'
}

@test "an environment that is empty, and a variable that is very long" {
  persist '(define x 1)'
  run --separate-stderr env -i "$(command -v cs-run)" "$STORE" -c '(write (list x (environ)))' < /dev/null
  ended 0
  printed '(1 ())'
  local long
  long=$(printf '/%.0s' {1..100000})
  run --separate-stderr env GUILE_LOAD_PATH="$long" timeout 60 cs-run "$STORE" -c '(write (string-length (car %load-path)))' < /dev/null
  ended 0
  printed 100000
  same_paths
}

@test "the environment is the new process's" {
  local leave
  for leave in persist killed; do
    A=1 B=x $leave '(setenv "C" "set") (define a (getenv "A"))'
    A=2 answers '("1" "2" #f #f ("A=2"))' '(write (list a (getenv "A") (getenv "B") (getenv "C") (filter (lambda (e) (string-prefix? "A=" e)) (environ))))'
  done
}

@test "current directory, arguments and umask" {
  local leave
  mkdir a b
  for leave in persist killed; do
    cd "$BATS_TEST_TMPDIR/a"
    umask 022
    $leave '(define args (program-arguments)) (define here (getcwd)) (chdir "/") (umask #o777)'
    cd ../b
    umask 027
    run --separate-stderr bounded cs-run "$STORE" -c '(write (list here (getcwd) (cdr (program-arguments)) (umask)))' one two < /dev/null
    ended 0
    printed "(\"$BATS_TEST_TMPDIR/a\" \"$BATS_TEST_TMPDIR/b\" (\"one\" \"two\") $((8#27)))"
  done
}

@test "a current directory that has been removed" {
  local leave here=$PWD
  mkdir gone && cd gone && rmdir ../gone
  for leave in persist killed; do
    $leave '(define x 1)'
    answers '(1 #f)' '(write (list x (false-if-exception (getcwd))))'
  done
  cd "$here"
  answers "(1 \"$here\")" '(write (list x (getcwd)))'
}

clock='(define (clock) (strftime "%H:%M %Z" (localtime 0)))'

@test "the time zone is the new process's" {
  local leave
  for leave in persist killed; do
    TZ=UTC0 $leave "$clock (clock)"
    TZ=XYZ-3 answers '"03:00 XYZ"' '(write (clock))'
  done
  TZ=ABC+5 answers '("19:00 ABC" 18000)' '(write (list (clock) (tm:gmtoff (localtime 0))))'
  TZ=UTC0 answers '"00:00 UTC"' '(write (clock))'
}

@test "a time zone set by the program is the process's" {
  TZ=UTC0 persist "$clock "'(setenv "TZ" "XYZ-3") (tzset) (define before (clock))'
  TZ=UTC0 answers '("03:00 XYZ" "00:00 UTC")' '(write (list before (clock)))'
}

@test "random numbers go on where they were, unless they are seeded again" {
  local a b leave
  for leave in persist killed; do
    store_fresh
    $leave '(define (draw) (map (lambda (i) (random 1000000)) (iota 3)))'
    a=$(bounded cs-run --ephemeral "$STORE" -c '(write (draw))' < /dev/null)
    answers "$a" '(write (draw))'
    b=$(bounded cs-run --ephemeral "$STORE" -c '(write (draw))' < /dev/null)
    [ "$a" != "$b" ]
    # What the platform gives is no state: two processes get two.
    a=$(bounded cs-run --ephemeral "$STORE" -c '(write (random (expt 10 30) (random-state-from-platform)))' < /dev/null)
    b=$(bounded cs-run --ephemeral "$STORE" -c '(write (random (expt 10 30) (random-state-from-platform)))' < /dev/null)
    [ "$a" != "$b" ]
    $leave '(use-modules (coldstore)) (add-hook! after-resume-hook (lambda () (set! *random-state* (random-state-from-platform))))'
    a=$(bounded cs-run --ephemeral "$STORE" -c '(write (draw))' < /dev/null)
    b=$(bounded cs-run --ephemeral "$STORE" -c '(write (draw))' < /dev/null)
    [ "$a" != "$b" ]
  done
}

engine='(write ((@ (system vm vm) vm-engine)))'

@test "the debug engine is for one run only" {
  run --separate-stderr bash -c 'echo "((@ (system vm vm) vm-engine))" | timeout 60 cs-run "$1" -q' - "$STORE"
  [[ $output == *debug* ]] || show
  answers regular "$engine"
  run --separate-stderr bounded cs-run "$STORE" --debug -c "$engine" < /dev/null
  ended 0
  printed debug
  answers regular "$engine"
  killed "((@ (system vm vm) set-default-vm-engine!) 'debug) ((@ (system vm vm) set-vm-engine!) 'debug)"
  answers '(regular regular)' '(use-modules (ice-9 threads)) (write (list ((@ (system vm vm) vm-engine)) (join-thread (call-with-new-thread (@ (system vm vm) vm-engine)))))'
}
