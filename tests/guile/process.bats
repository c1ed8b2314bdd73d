#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# process.bats -- what belongs to the process is the new process's: its
# arguments, environment, descriptors, status; and what may write the store.

load helper

# Start cs-run with ARG... in the background, its standard input and output
# joined to the FIFOs in and out of the case's directory, open here as
# descriptors $to and $from; its pid in $runner.  The commands sent must print
# what the test waits for, so nobody has to sleep.
start ()
{
  mkfifo in out
  cs-run "$@" < in > out 2> err 3>&- &
  runner=$!
  exec {to}> in {from}< out
}

# Wait for a line from what start started.
heard ()
{
  local line

  read -r -t "$CS_TEST_TIMEOUT" -u "$from" line
  [ "$line" = "$1" ] || { echo "wanted: $1"; echo "heard: $line"; cat err; return 1; }
}

# Once it was waited for, its number may be another process's.
teardown ()
{
  case " $(jobs -p | tr '\n' ' ') " in
    *" ${runner:-none} "*) kill -9 "$runner" 2> /dev/null || true ;;
  esac
}

# An expression that says ready and then reads and evaluates expressions from
# standard input until the end of it.
obey='(display "ready\n") (force-output)
(let loop ((e (read)))
  (if (not (eof-object? e))
      (begin (display (eval e (current-module))) (newline) (force-output)
             (loop (read)))))'

@test "program-arguments are those of the new process" {
  run --separate-stderr bounded cs-run "$STORE" -c '(define a (cdr (program-arguments)))' one two < /dev/null
  ended 0
  run --separate-stderr bounded cs-run "$STORE" -c '(write (list a (cdr (program-arguments)) (cdr (command-line))))' three "f o u r" < /dev/null
  ended 0
  printed '(("one" "two") ("three" "f o u r") ("three" "f o u r"))'
}

@test "the environment is that of the new process" {
  A=1 B=x persist '(define a (getenv "A")) (setenv "C" "set")'
  A=2 answers '("1" "2" #f #f)' '(write (list a (getenv "A") (getenv "B") (getenv "C")))'
}

@test "setenv in one process reaches its own children only" {
  persist '(putenv "CS_T=1")'
  answers '(42 #f)' '(setenv "CS_U" "42") (write (list (status:exit-val (system "exit $CS_U")) (getenv "CS_T")))'
}

@test "the current directory is that of the new process" {
  mkdir a b
  cd a
  persist '(define here (getcwd)) (chdir "/")'
  cd ../b
  answers "(\"$BATS_TEST_TMPDIR/a\" \"$BATS_TEST_TMPDIR/b\")" '(write (list here (getcwd)))'
}

@test "the pid, the parent and the clocks are the new process's" {
  persist '(define pid (getpid)) (define t (get-internal-real-time)) (define now (current-time))'
  answers '(#t #t #t)' '(write (list (not (= pid (getpid))) (>= (current-time) now) (file-exists? (string-append "/proc/" (number->string (getppid))))))'
  local leave
  for leave in persist killed; do
    $leave '(define (seconds t) (/ t internal-time-units-per-second)) (let loop () (if (< (seconds (get-internal-run-time)) 1/5) (loop)))'
    # The one before has taken more.
    answers '#t' '(write (< 0 (seconds (get-internal-run-time)) 1/5))'
    answers '#t' "(let* ((real (seconds (get-internal-real-time))) (now (gettimeofday))) (write (< 0 real (- (+ (car now) (/ (cdr now) 1000000)) (/ $(date +%s%N) 1000000000)))))"
  done
}

@test "the umask is the new process's" {
  umask 022
  persist '(umask #o77)'
  umask 027
  answers '#o27' '(display "#o") (display (number->string (umask) 8))'
  umask 022
}

@test "standard input is a pipe, a file, /dev/null and closed" {
  persist '(use-modules (ice-9 rdelim))'
  run --separate-stderr bash -c 'echo piped | timeout 60 cs-run "$1" -c "(write (read-line))"' - "$STORE"
  ended 0
  printed '"piped"'
  echo filed > file
  run --separate-stderr bounded cs-run "$STORE" -c '(write (read-line))' < file
  ended 0
  printed '"filed"'
  answers '#<eof>' '(write (read-line))'
  run --separate-stderr bounded cs-run "$STORE" -c '(write 1)' <&-
  ended 0
  printed 1
  answers '2' '(write 2)'
}

@test "input left unread in one process is not seen by the next" {
  printf 'one\ntwo\n' > file
  run --separate-stderr bounded cs-run "$STORE" -c '(read) (use-modules (ice-9 rdelim))' < file
  ended 0
  printf 'three\n' > file2
  run --separate-stderr bounded cs-run "$STORE" -c '(write (read))' < file2
  ended 0
  printed three
}

@test "the end of one process's input is not the next one's" {
  answers '#t' '(write (eof-object? (read)))'
  run --separate-stderr bash -c 'echo 42 | timeout 60 cs-run "$1" -c "(write (read))"' - "$STORE"
  ended 0
  printed 42
}

@test "standard output is a file, a pipe and /dev/null" {
  bounded cs-run "$STORE" -c '(display "to a file")' < /dev/null > file
  [ "$(cat file)" = "to a file" ]
  run --separate-stderr bash -c 'timeout 60 cs-run "$1" -c "(display \"to a pipe\")" < /dev/null | tr a-z A-Z' - "$STORE"
  printed 'TO A PIPE'
  bounded cs-run "$STORE" -c '(display "to nowhere")' < /dev/null > /dev/null
  answers 'back' '(display "back")'
}

@test "much output through a pipe is complete" {
  persist '(define (lines n) (do ((i 0 (1+ i))) ((= i n)) (display i) (newline)))'
  run --separate-stderr bash -c 'timeout 60 cs-run "$1" -c "(lines 200000)" < /dev/null | md5sum' - "$STORE"
  [ "$output" = "$(seq 0 199999 | md5sum)" ]
}

@test "output left unflushed by the program arrives once" {
  printf '(display "unflushed")' > s.scm
  answers 'a' '(display "a")'
  answers 'b' '(display "b")'
  run --separate-stderr bounded cs-run "$STORE" s.scm < /dev/null
  ended 0
  printed 'unflushed'
  answers 'c' '(display "c")'
}

@test "a closed standard output is what it is for guile" {
  persist '(define x 1)'
  local want got
  want=0 got=0
  bounded guile -c '(display 1)' < /dev/null >&- 2> want || want=$?
  bounded cs-run "$STORE" -c '(display x)' < /dev/null >&- 2> got || got=$?
  [ "$want" -eq "$got" ]
  [ "$(normalise < want)" = "$(normalise < got)" ]
  answers 1 '(display x)'
}

@test "all three standard descriptors closed at once" {
  persist '(define x 1)'
  bounded cs-run "$STORE" -c '(set! x 2)' <&- >&- 2>&-
  answers 2 '(display x)'
}

@test "a full device is an error, and the store goes on" {
  persist '(define x 1)'
  local got=0
  bounded cs-run "$STORE" -c '(display x) (force-output)' < /dev/null > /dev/full 2> err || got=$?
  [ "$got" -eq 1 ]
  [ -s err ]
  answers 1 '(display x)'
}

@test "a reader that went away is what it is for guile" {
  persist '(define (lines n) (do ((i 0 (1+ i))) ((= i n)) (display i) (newline)))'
  run bash -c 'timeout 60 cs-run "$1" -c "(lines 200000)" < /dev/null 2> /dev/null | head -n 1; exit ${PIPESTATUS[0]}' - "$STORE"
  local got=$status
  run bash -c 'timeout 60 guile -c "(do ((i 0 (1+ i))) ((= i 200000)) (display i) (newline))" < /dev/null 2> /dev/null | head -n 1; exit ${PIPESTATUS[0]}'
  [ "$got" -eq "$status" ]
  answers '0' '(lines 1)'
}

@test "standard error is the new process's" {
  persist '(define (warn-me) (display "careful" (current-error-port)))'
  bounded cs-run "$STORE" -c '(warn-me)' < /dev/null 2> file
  [ "$(cat file)" = careful ]
  bounded cs-run "$STORE" -c '(warn-me)' < /dev/null 2> file2
  [ "$(cat file2)" = careful ]
}

@test "standard output and standard error on one file keep their order" {
  persist '(define (both) (display "one\n") (force-output) (display "two\n" (current-error-port)) (display "three\n"))'
  bounded cs-run "$STORE" -c '(both)' < /dev/null > file 2>&1
  [ "$(cat file)" = $'one\ntwo\nthree' ]
}

@test "a terminal is a terminal, then a pipe is a pipe" {
  command -v script > /dev/null || skip "no script command"
  persist '(define (tty) (map isatty? (list (current-input-port) (current-output-port))))'
  run bounded script -qec "cs-run $STORE -c '(write (tty))'" /dev/null < /dev/null
  [[ $output == *'(#t #t)'* ]]
  answers '(#f #f)' '(write (tty))'
}

@test "a port kept from an earlier process goes on where it was" {
  printf 'one\ntwo\nthree\n' > file
  persist '(use-modules (ice-9 rdelim)) (define p (open-input-file "file")) (read-line p)'
  answers '("two" "three" 3)' '(let* ((a (read-line p)) (b (read-line p))) (write (list a b (port-line p))))'
}

@test "an output port kept from an earlier process appends to its file" {
  persist '(define p (open-output-file "file")) (display "one " p)'
  persist '(display "two" p) (close-port p)'
  [ "$(cat file)" = "one two" ]
}

@test "a port kept on a file that is gone gives an error or end of file, no crash" {
  echo hello > file
  persist '(define p (open-input-file "file")) (define w (open-file "other" "w"))'
  rm file other
  survives '(write (read-char p))'
  survives '(display 1 w) (force-output w)'
  answers 2 '(write 2)'
}

@test "a pipe kept from an earlier process is closed, no crash" {
  persist '(use-modules (ice-9 popen) (ice-9 rdelim)) (define p (open-input-pipe "echo a; echo b")) (read-line p)'
  survives '(write (read-line p))'
  survives '(close-pipe p)'
  answers '"new"' '(let* ((p (open-input-pipe "echo new")) (l (read-line p))) (close-pipe p) (write l))'
}

@test "a socket and a directory stream of an earlier process give no crash" {
  persist '(define s (socket PF_UNIX SOCK_STREAM 0)) (define d (opendir "/"))'
  survives '(connect s AF_UNIX "/no/such/socket")'
  survives '(readdir d)'
  answers 'ok' '(set! s #f) (set! d #f) (gc) (gc) (display "ok")'
}

@test "descriptors inherited from the parent are open" {
  echo inherited > file
  persist '(use-modules (ice-9 rdelim))'
  local fd
  for fd in 4 5 7 9 20; do
    run --separate-stderr bash -c "timeout 60 cs-run \"\$1\" -c '(write (read-line (fdopen $fd \"r\")))' < /dev/null $fd< file" - "$STORE"
    ended 0
    printed '"inherited"'
  done
}

@test "exit statuses pass through" {
  fails 7 '(exit 7)'
  fails 0 '(exit #t)'
  fails 1 '(exit #f)'
  fails 0 '(exit)'
  fails 3 '(quit 3)'
  fails 255 '(exit 255)'
  fails 9 '(primitive-exit 9)'
  fails 1 '(error "uncaught")'
  fails 1 "(throw 'mine)"
  fails 0 '1'
}

@test "a process that exits with a status of its own has saved" {
  fails 7 '(define x 5) (exit 7)'
  answers 5 '(write x)'
  fails 1 '(set! x 6) (exit #f)'
  answers 6 '(write x)'
}

@test "exit in a dynamic-wind, with the out guard run, saves what it did" {
  persist '(define x 0)'
  fails 4 '(dynamic-wind (lambda () #f) (lambda () (exit 4)) (lambda () (set! x 1)))'
  answers 1 '(write x)'
}

@test "exit-hook runs when the REPL is left" {
  persist '(add-hook! exit-hook (lambda () (display "bye")))'
  run --separate-stderr bounded cs-run "$STORE" -q < /dev/null
  [ "$status" -eq 0 ] || show
  [[ $output == *bye ]] || show
}

@test "errors are reported in guile's own words" {
  local e
  # A collection while a call is on the stack makes a backtrace show `_' for
  # arguments that are not needed any more (module/system/vm/frame.scm,
  # frame-call-representation): have one before.
  echo '(gc)' > gc.scm
  for e in '(error "broken:" 1 (list 2))' '(car 5)' '(no-such-variable)' \
    '(vector-ref (vector 1) 7)' "(throw 'mine 1 2)" '(+ 1 "a")' '(open-input-file "/no/such")' '(1 2)' '(let)' '(exit "x")'; do
    same_as_guile -l gc.scm -c "$e"
  done
}

@test "a syntax error and an unfinished expression" {
  same_as_guile -c '(if)'
  same_as_guile -c '(+ 1'
  same_as_guile -c '1 2)'
}

@test "a script with arguments" {
  echo '(write (cdr (command-line))) (define ran (length (command-line)))' > script.scm
  run --separate-stderr bounded cs-run "$STORE" script.scm a b < /dev/null
  ended 0
  printed '("a" "b")'
  answers 3 '(write ran)'
}

@test "a script is the same as for guile" {
  printf '(display (command-line)) (newline) (display (current-filename)) (exit 3)' > script.scm
  same_as_guile script.scm a b
  [ "$status" -eq 3 ]
  same_as_guile -s script.scm a -b --c
  same_as_guile --no-auto-compile script.scm
  same_as_guile absent.scm
}

@test "an error in a script reads as guile's" {
  printf '(define (f x)\n  (car x))\n(f 1)\n' > script.scm
  same_as_guile script.scm
  [ "$status" -eq 1 ]
}

@test "-e calls main, now and in a later process" {
  echo '(define (main args) (write (cdr args)))' > script.scm
  same_as_guile -e main -s script.scm x y
  printed '("x" "y")'
  run --separate-stderr bounded cs-run "$STORE" -e main -c 1 z < /dev/null
  ended 0
  printed '("z")'
}

@test "-l loads files in order, before -c" {
  echo '(define a 1)' > a.scm
  echo '(define b (+ a 1))' > b.scm
  run --separate-stderr bounded cs-run "$STORE" -l a.scm -l b.scm -c '(write (list a b))' < /dev/null
  ended 0
  printed '(1 2)'
  answers '(1 2)' '(write (list a b))'
}

@test "options are refused as guile refuses them" {
  run --separate-stderr bounded guile --no-such-option < /dev/null
  local code=$status
  run --separate-stderr bounded cs-run "$STORE" --no-such-option < /dev/null
  [ "$status" -eq "$code" ] || show
  complained 'no-such-option'
  answers 1 '(write 1)'
}

@test "--use-srfi, --r6rs, -x and -- are understood" {
  run --separate-stderr bounded cs-run "$STORE" --use-srfi=1 -c '(write (take (list 1 2 3) 2))' < /dev/null
  ended 0
  printed '(1 2)'
  run --separate-stderr bounded cs-run "$STORE" --r7rs -c '(write 1)' < /dev/null
  ended 0
  printed 1
}

@test "the REPL reads a pipe, and its definitions are there next time" {
  run --separate-stderr bash -c 'printf "(define z 3)\n" | timeout 60 cs-run "$1"' - "$STORE"
  [ "$status" -eq 0 ] || show
  answers 3 '(write z)'
}

@test "the REPL prints what guile's prints" {
  printf '(define z 3)\n(* z 5)\n"text"\n(values 1 2)\n' > input
  INPUT=input same_as_guile -q
}

@test "the REPL after an error goes on, and saves" {
  printf '(car 1)\n(define after 8)\n,q\n,q\n(define later 9)\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 0 ] || show
  answers '(8 #f)' "(write (list after (defined? 'later)))"
}

@test "the REPL's commands work in a resumed workspace" {
  persist '(define (square x) "Squares." (* x x))'
  printf ',time (square 4)\n,describe square\n,module\n,expand (let ((x 1)) x)\n,pp (list 1)\n,bt\n,options\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 0 ] || show
  [[ $output == *'Squares.'* ]] || show
}

@test "the REPL's history of values goes on" {
  printf '(+ 40 2)\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 0 ] || show
  printf '(* 2 $1)\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 0 ] || show
  [[ $output == *'84'* ]] || show
}

@test "-c after the REPL, and the REPL after -c" {
  persist '(define a 1)'
  printf '(set! a (+ a 1))\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 0 ] || show
  answers 2 '(write a)'
}

@test "--ephemeral sees the store and never changes it" {
  persist '(define x 1)'
  local before
  before=$(digest)
  run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(set! x 2) (define big (iota 100000)) (gc) (write x)' < /dev/null
  ended 0
  printed 2
  [ "$(digest)" = "$before" ]
  run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(set! x 2) (exit 5)' < /dev/null
  ended 5
  [ "$(digest)" = "$before" ]
  answers 1 '(write x)'
}

@test "--ephemeral runs from a store that cannot be written" {
  persist '(define x 1)'
  chmod 400 "$STORE"
  run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(set! x (1+ x)) (write x)' < /dev/null
  ended 0
  printed 2
}

@test "--no-save drops what the run changed" {
  persist '(define x 1)'
  run --separate-stderr bounded cs-run --no-save "$STORE" -c '(set! x 2) (write x)' < /dev/null
  ended 0
  printed 2
  answers 1 '(write x)'
}

@test "many ephemeral runs at once" {
  persist '(define x 40)'
  local i pids=()
  for i in 1 2 3 4 5 6 7 8; do
    bounded cs-run --ephemeral "$STORE" -c "(set! x (+ x $i)) (gc) (write x)" < /dev/null > "out.$i" 2> "err.$i" &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i"
  done
  for i in 1 2 3 4 5 6 7 8; do
    [ "$(cat "out.$i")" = $((40 + i)) ]
    [ ! -s "err.$i" ]
  done
}

@test "ephemeral runs beside a writer see the last saved state" {
  persist '(define x 1)'
  start "$STORE" -c "$obey"
  heard ready
  echo '(begin (set! x 2) x)' >&"$to"
  heard 2
  local i
  for i in 1 2 3; do
    run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(write x)' < /dev/null
    ended 0
    printed 1
  done
  exec {to}>&-
  wait "$runner"
  answers 2 '(write x)'
}

@test "an ephemeral run is not disturbed by a writer that saves meanwhile" {
  persist '(define l (iota 200000)) (define (sum) (apply + l))'
  start --ephemeral "$STORE" -c "$obey"
  heard ready
  persist '(set! l (make-list 200000 1)) (gc)'
  persist '(set! l (make-list 300000 2)) (gc)'
  echo '(begin (gc) (apply + l))' >&"$to"
  heard 19999900000
  exec {to}>&-
  wait "$runner"
  answers 600000 '(write (apply + l))'
}

@test "a second writer is refused and told who holds the store" {
  persist '(define x 1)'
  start "$STORE" -c "$obey"
  heard ready
  run_in "$STORE" '(set! x 3)'
  ended 125
  complained "$runner"
  exec {to}>&-
  wait "$runner"
  answers 1 '(write x)'
}

@test "a run killed in the middle leaves the last saved state" {
  persist '(define x 1)'
  start "$STORE" -c "$obey"
  heard ready
  echo '(begin (set! x 2) (gc) x)' >&"$to"
  heard 2
  kill -9 "$runner"
  wait "$runner" || true
  answers 1 '(write x)'
  persist '(set! x 5)'
  answers 5 '(write x)'
}

@test "SIGTERM and SIGHUP save, then leave" {
  local sig
  for sig in TERM HUP; do
    rm -f in out
    persist '(define x 1)'
    start "$STORE" -c "$obey"
    heard ready
    echo '(begin (set! x 2) x)' >&"$to"
    heard 2
    kill -"$sig" "$runner"
    wait "$runner" || true
    exec {to}>&- {from}<&-
    answers 2 '(write x)'
  done
}

@test "SIGUSR1 saves and the run goes on" {
  persist '(define x 1)'
  local before
  before=$(digest)
  start "$STORE" -c "$obey"
  heard ready
  echo '(begin (set! x 2) x)' >&"$to"
  heard 2
  kill -USR1 "$runner"
  local i
  for ((i = 0; i < 500; i++)); do
    echo x >&"$to"
    heard 2
    [ "$(digest)" = "$before" ] || break
  done
  echo '(begin (set! x 3) x)' >&"$to"
  heard 3
  kill -9 "$runner"
  wait "$runner" || true
  [ "$(digest)" != "$before" ]
  answers 2 '(write x)'
}

# Let the program answer $1 questions, but stop as soon as the rest is true.
busy_until ()
{
  local i nr=$1

  shift
  for ((i = 0; i < nr; i++)); do
    echo 0 >&"$to"
    heard 0
    if "$@"; then return; fi
  done
  return 1
}

is_other ()
{
  [ "$(digest)" != "$1" ]
}

@test "--checkpoint-every saves again and again while the program goes on" {
  local before x

  persist '(define x 1)'
  start --checkpoint-every=50ms "$STORE" -c "$obey"
  heard ready
  for x in 2 3; do
    before=$(digest)
    echo "(begin (set! x $x) x)" >&"$to"
    heard $x
    # Perhaps what it saved was from before that: the second is not.
    busy_until 5000 is_other "$before"
    before=$(digest)
    echo '(begin (define y 1) 1)' >&"$to"
    heard 1
    busy_until 5000 is_other "$before"
  done
  kill -9 "$runner"
  wait "$runner" || true
  answers 3 '(write x)'
}

@test "--checkpoint-every: a program goes on whose checkpoints take longer than that" {
  run --separate-stderr bounded cs-run --checkpoint-every=1ms "$STORE" -c \
    "(use-modules (rnrs bytevectors)) (define b (make-bytevector 8000000 1)) (let step ((n 1)) (when (< n 100) (let fill ((i 0)) (when (< i 8000000) (bytevector-u8-set! b i n) (fill (+ i 4096)))) (step (1+ n)))) (write (bytevector-u8-ref b 4096))" < /dev/null
  ended 0
  printed 99
}

@test "--checkpoint-every: a program that waits is saved, and waits on" {
  local before i

  persist '(define x 1)'
  start --checkpoint-every=50ms "$STORE" -c "$obey"
  heard ready
  before=$(digest)
  echo '(begin (set! x 2) x)' >&"$to"
  heard 2
  for ((i = 0; i < 1000; i++)); do
    if is_other "$before"; then break; fi
    sleep 0.02
  done
  echo x >&"$to"
  heard 2
  exec {to}>&-
  wait "$runner"
  [ ! -s err ]
}

@test "--checkpoint-every: a failure is told once, and the program goes on" {
  persist '(define x 1)'
  start --checkpoint-every=20ms "$STORE" -c "$obey"
  heard ready
  cs-create --from="$STORE" other 3>&-
  mv other "$STORE"
  echo '(begin (set! x 2) x)' >&"$to"
  heard 2
  busy_until 5000 test -s err
  busy_until 100 false || true
  echo x >&"$to"
  heard 2
  kill -9 "$runner"
  wait "$runner" || true
  [ "$(grep -c "^cs-run: " err)" -eq 1 ]
  rm -r "$STORE-history"        # of the store that was replaced
  answers 1 '(write x)'
}

# wait_hard() blocks the signal by which threads are stopped, behind the
# interpreter's back: there is no way to stop a thread in it.
unstoppable ()
{
  c_library hard << 'E'
#include <signal.h>
#include <unistd.h>
int
wait_hard (int told, int awaited)
{
  char byte = 'x';
  sigset_t set, old;
  sigemptyset (&set);
  sigaddset (&set, SIGRTMAX - 1);
  sigprocmask (SIG_BLOCK, &set, &old);
  write (told, &byte, 1);
  read (awaited, &byte, 1);
  sigprocmask (SIG_SETMASK, &old, 0);
  return byte;
}
E
  hard="(use-modules (coldstore) (system foreign) (ice-9 threads))
    (define wait-hard (pointer->procedure int (dynamic-func \"wait_hard\" (dynamic-link \"$PWD/libhard\")) (list int int)))
    (define in (pipe)) (define out (pipe))
    (define hard-one (call-with-new-thread (lambda () (wait-hard (fileno (cdr in)) (fileno (car out))))))
    (read-char (car in))"
}

@test "a thread that cannot be stopped is named in a warning, and goes on" {
  unstoppable
  run_in "$STORE" "$hard (let ((g (workspace-generation)))
    (define saved (= (checkpoint!) (1+ g)))
    (write-char #\\y (cdr out)) (force-output (cdr out))
    (write (list saved (join-thread hard-one))))"
  [ "$status" -eq 0 ]
  printed '(#t 121)'
  [ "$(grep -c '^cs-run: warning: ' <<< "${stderr-}")" -eq 1 ]
  complained "warning: the thread #<thread "
  complained "in the foreign function 'wait_hard'"
  answers '#t' '(write (thread-exited? hard-one))'
}

@test "a thread that cannot be stopped when Guile is left is named, too" {
  unstoppable
  run_in "$STORE" "$hard (define x 5)"
  [ "$status" -eq 0 ]
  complained "warning: the thread #<thread "
  answers '(5 #t)' '(write (list x (thread-exited? hard-one)))'
}

# Foreign code that leaves: exit() of libc itself, and a library that calls it.
leaver ()
{
  c_library leaver << 'E'
#include <pthread.h>
#include <stdlib.h>
void leave (int status) { exit (status); }
static void *body (void *status) { exit ((int) (long) status); }
void leave_on_thread (int status)
{
  pthread_t thread;
  pthread_create (&thread, 0, body, (void *) (long) status);
  pthread_join (thread, 0);
}
E
  leaves="(use-modules (coldstore) (system foreign) (ice-9 threads))
    (define (c-call name library status)
      (display (quote said))
      ((pointer->procedure void (dynamic-func name library) (list int)) status))"
}

@test "exit() of foreign code saves and flushes, with its status" {
  local call n=0

  leaver
  for call in '"exit" (dynamic-link)' \
    "\"leave\" (dynamic-link \"$PWD/libleaver\")" \
    "\"leave_on_thread\" (dynamic-link \"$PWD/libleaver\")"
  do
    n=$((n + 1))
    run_in "$STORE" "$leaves (define here $n) (define seen #f)
      (add-hook! before-checkpoint-hook (lambda () (set! seen here)))
      (c-call $call 3)"
    [ "$status" -eq 3 ]
    printed said
    [ -z "$stderr" ] || show
    answers "($n $n)" '(write (list here seen))'
    run_in "$STORE" "$leaves (define here 'thread)
      (join-thread (call-with-new-thread (lambda () (c-call $call 4))))"
    [ "$status" -eq 4 ]
    printed said
    answers thread '(write here)'
  done
}

@test "an exit handler that calls exit() gives the status, and work is saved" {
  local end kind

  extension bye << 'E'
#include <libguile.h>
#include <stdlib.h>
static void bye (void) { exit (9); }
static void bye_too (int status, void *unused) { exit (status + 1); }
static void *leave (void *unused)
{ scm_primitive_exit (scm_from_int (9)); return unused; }
static void bye_in_guile (void) { scm_with_guile (leave, 0); }
static SCM leave_by (SCM kind)
{
  switch (scm_to_int (kind)) {
  case 0: atexit (bye); break;
  case 1: on_exit (bye_too, 0); break;
  case 2: atexit (bye_in_guile); break;
  }
  return SCM_UNSPECIFIED;
}
static SCM leave_now (SCM status) { exit (scm_to_int (status)); }
void init_bye (void)
{
  scm_c_define_gsubr ("leave-by", 1, 0, 0, leave_by);
  scm_c_define_gsubr ("leave-now", 1, 0, 0, leave_now);
}
E
  for kind in 0 1 2; do
    for end in '(exit 8)' '(leave-now 8)' \
      '(join-thread (call-with-new-thread (lambda () (primitive-exit 8))))'
    do
      store_new
      run_in "$STORE" "(load-extension \"$PWD/libbye\" \"init_bye\")
        (use-modules (ice-9 threads)) (define x 'work) (leave-by $kind) $end"
      [ "$status" -eq 9 ] || show
      [ -z "$stderr" ] || show
      run_in "$STORE" '(write x)'
      printed work
      [ "$status" -lt 128 ] || show
    done
  done
}

@test "exit() of foreign code in a forked child, or with nothing to save" {
  leaver
  answers 'said(0 parent)' "$leaves (define here 'parent)
    (let ((pid (primitive-fork)))
      (when (zero? pid) (set! here 'child) (c-call \"exit\" (dynamic-link) 0))
      (write (list (status:exit-val (cdr (waitpid pid))) here)))"
  answers parent '(write here)'
  run --separate-stderr bounded cs-run --no-save "$STORE" -c \
    "(set! here 'lost) (c-call \"exit\" (dynamic-link) 5)" < /dev/null
  [ "$status" -eq 5 ]
  printed said
  answers parent '(write here)'
}

@test "a forked child that exits does not save, its parent does" {
  persist '(define x 1)'
  answers '(3)' <<'E'
(let ((pid (primitive-fork)))
  (if (zero? pid)
      (begin (set! x 'child) (exit 3))
      (begin (set! x 'parent)
             (write (list (status:exit-val (cdr (waitpid pid))))))))
E
  answers parent '(write x)'
}

@test "a forked child that leaves by primitive-exit does not save" {
  persist '(define x 1)'
  answers '(4 5)' <<'E'
(define (run thunk)
  (let ((pid (primitive-fork)))
    (if (zero? pid) (begin (set! x 'child) (thunk)) (status:exit-val (cdr (waitpid pid))))))
(let* ((a (run (lambda () (primitive-exit 4)))) (b (run (lambda () (primitive-_exit 5)))))
  (write (list a b)))
E
  answers 1 '(write x)'
}

@test "a forked child works hard, collects, and leaves no trace" {
  persist '(define x (iota 10000))'
  answers '(0 49995000)' <<'E'
(let ((pid (primitive-fork)))
  (if (zero? pid)
      (begin (set! x (make-list 500000 7)) (gc) (gc) (exit 0))
      (let ((s (status:exit-val (cdr (waitpid pid)))))
        (gc)
        (write (list s (apply + x))))))
E
  answers 49995000 '(gc) (write (apply + x))'
}

@test "a forked child that outlives its parent does not write" {
  persist '(define x 1)'
  mkfifo go
  # The reader of the pipe ends when the last holder of its other end is gone.
  (
    bounded cs-run "$STORE" -c '(let ((pid (primitive-fork))) (if (zero? pid) (begin (call-with-input-file "go" read) (set! x (quote child)) (exit 0)) (set! x 2)))' < /dev/null 2> err
    sha256sum < "$STORE" > left
    bounded sh -c 'echo 1 > go'
  ) | cat > all
  [ "$(sha256sum < "$STORE")" = "$(cat left)" ]
  answers 2 '(write x)'
}

@test "a forked child sees what it forked from, whatever its parent saves" {
  persist '(define v (make-vector 100000 1))'
  mkfifo go
  (
    bounded cs-run "$STORE" -c '(let ((pid (primitive-fork))) (if (zero? pid) (begin (call-with-input-file "go" read) (let loop ((i 0) (n 0)) (if (< i 100000) (loop (1+ i) (+ n (vector-ref v i))) (call-with-output-file "seen" (lambda (p) (write n p))))) (primitive-_exit 0)) (begin (vector-fill! v 2) ((@ (coldstore) checkpoint!)))))' < /dev/null 2> err
    answers 200000 '(begin (vector-fill! v 3) (write 200000))'
    bounded sh -c 'echo 1 > go'
  ) | cat > all
  [ "$(cat seen)" = 100000 ] || { cat seen err; return 1; }
  answers 300000 '(write (apply + (vector->list v)))'
}

@test "a run that is killed leaves no lock to those it forked" {
  persist '(use-modules (ice-9 popen)) (define x 1) (define (end) (kill (getpid) SIGKILL))'
  mkfifo go
  # The reader of the pipe ends when the last of the children has.
  (
    trap 'bounded sh -c "echo 1 > go"' EXIT
    end=0
    bounded cs-run "$STORE" -c '(begin (if (zero? (primitive-fork)) (begin (call-with-input-file "go" read) (primitive-_exit 0))) (set! x 2) ((@ (coldstore) checkpoint!)) (end))' < /dev/null 2> err || end=$?
    [ "$end" -eq 137 ] || { cat err; exit 1; }
    answers 2 '(begin (write x) (set! x 3))'
    for round in {3..9}; do
      end=0
      bounded cs-run "$STORE" -c '(begin (open-output-pipe "cat go") (end))' < /dev/null 2> err || end=$?
      [ "$end" -eq 137 ] || { cat err; exit 1; }
      answers "$round" '(begin (write x) (set! x (1+ x)))'
    done
  ) | cat > all || { cat all; return 1; }
}

@test "system, system* and open-pipe run commands and do not save" {
  persist '(use-modules (ice-9 popen) (ice-9 rdelim)) (define x 1)'
  local before
  before=$(digest)
  run --separate-stderr bounded cs-run --no-save "$STORE" -c '(write (list (status:exit-val (system "exit 3")) (status:exit-val (system* "sh" "-c" "exit 4")) (let* ((p (open-input-pipe "echo out")) (l (read-line p))) (list l (status:exit-val (close-pipe p))))))' < /dev/null
  ended 0
  printed '(3 4 ("out" 0))'
  answers '(3 4 ("out" 0))' '(set! x 2) (write (list (status:exit-val (system "exit 3")) (status:exit-val (system* "sh" "-c" "exit 4")) (let* ((p (open-input-pipe "echo out")) (l (read-line p))) (list l (status:exit-val (close-pipe p))))))'
  answers '(2 "again")' '(write (list x (let* ((p (open-input-pipe "echo again")) (l (read-line p))) (close-pipe p) l)))'
  [ -n "$before" ]
}

@test "commands run from a resumed workspace hold none of its descriptors" {
  persist '(define x 1)'
  run_in "$STORE" '(system "ls -l /proc/self/fd | grep -c -e [.]store || true")'
  [ "$status" -eq 0 ] || show
  printed 0
}

@test "a command started by the workspace does not keep the store locked" {
  mkfifo go
  run_in "$STORE" '(define x 1) (system "cat go > /dev/null 2>&1 &")'
  [ "$status" -eq 0 ] || show
  answers 1 '(write x)'
  bounded sh -c ': > go'
}

@test "a pipe to a command and a pipe from it" {
  persist '(use-modules (ice-9 popen) (ice-9 rdelim))'
  answers '"CBA"' '(let ((p (open-pipe* OPEN_BOTH "sh" "-c" "read x; echo $x | rev | tr a-z A-Z"))) (display "abc\n" p) (force-output p) (let ((l (read-line p))) (close-pipe p) (write l)))'
}

@test "files, stat and temporary files" {
  persist '(define (put n s) (call-with-output-file n (lambda (p) (display s p)))) (put "a" "text")'
  answers '(4 "text" #t)' '(use-modules (ice-9 textual-ports)) (let ((p (mkstemp! (string-copy "t-XXXXXX")))) (display 1 p) (close-port p)) (write (list (stat:size (stat "a")) (call-with-input-file "a" get-string-all) (= 1 (length ((@ (ice-9 ftw) scandir) "." (lambda (n) (string-prefix? "t-" n)))))))'
}

@test "sockets within a process" {
  persist '(define (echo) (let* ((p (socketpair PF_UNIX SOCK_STREAM 0))) (write (quote (1 2)) (car p)) (newline (car p)) (force-output (car p)) (read (cdr p))))'
  answers '(1 2)' '(write (echo))'
  answers '(1 2)' '(write (echo))'
}

@test "the user database and the host's name" {
  persist '(define who (passwd:name (getpw (getuid))))'
  answers '#t' '(write (equal? who (passwd:name (getpw (getuid)))))'
  answers "\"$(uname -n)\"" '(write (gethostname))'
}

@test "the soft limit of the stack and of the address space are respected" {
  persist '(define (sum n) (if (zero? n) 0 (+ n (sum (1- n)))))'
  ulimit -S -s 1024
  answers '50005000' '(write (sum 10000))'
}

@test "current ports redirected for a while are the process's again" {
  persist '(define (quietly thunk) (with-output-to-string thunk)) (quietly (lambda () (display "x")))'
  answers 'visible"hidden"' '(display "visible") (write (quietly (lambda () (display "hidden"))))'
}

@test "set-current-output-port to a string in one process, and back" {
  run_in "$STORE" '(define o (current-output-port)) (define s (open-output-string)) (set-current-output-port s) (display "in s")'
  ended 0
  run_in "$STORE" '(display " more" s) (display (get-output-string s) (fdopen 1 "w")) (force-output)'
  [ "$status" -eq 0 ] || show
  [[ $output == *'in s more'* ]] || show
}
