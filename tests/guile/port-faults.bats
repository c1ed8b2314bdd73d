#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# port-faults.bats -- a write that fails, and a reader that does not read: the
# workspace is saved, and the next process has ports that work and no text of
# the last one's.

load helper

setup_file ()
{
  pristine
  export FAIL_WRITE=$BATS_FILE_TMPDIR/fail-write.so
  cc -shared -fPIC -o "$FAIL_WRITE" "$BATS_TEST_DIRNAME/fail-write.c"
}

teardown ()
{
  talk_over
}

# Run a command whose Nth write fails with the error of that number: N:ERROR.
failing ()
{
  local when=$1

  shift
  rm -f hit
  run --separate-stderr bounded env CS_FAIL_WRITE="$when" LD_PRELOAD="$FAIL_WRITE" "$@" < /dev/null
}

# The standard ports of a new process work, and bring nothing but its own.
ports_work ()
{
  run_in "$STORE" '(display 42) (display "e" (current-error-port))'
  # shellcheck disable=SC2154 # set by run
  [ "$status" -eq 0 ] && printed 42 && [ "$stderr" = e ] || show || return 1
  fails 1 '(error "told")' && complained told
}

# The numbers in FILE are numbers from 0 on, in order, none twice.
in_order ()
{
  tr ' ' '\n' < "$1" | grep -v '^$' > numbers
  sort -n -u numbers | cmp - numbers
}

@test "after a failed write to a standard port the next process prints" {
  local stream
  for stream in /dev/stdout /dev/stderr; do
    for expr in '(display (make-string 100000 #\z) p)' '(display "z" p)' '(begin (setvbuf p (quote block)) (catch #t (lambda () (display (make-string 5000 #\z) p)) (const #f)) (display "z" p))'; do
      store_fresh
      case $stream in
        /dev/stdout) bounded cs-run "$STORE" -c "(let ((p (current-output-port))) $expr)" > /dev/full 2> err < /dev/null || [ $? -eq 1 ] ;;
        /dev/stderr) bounded cs-run "$STORE" -c "(let ((p (current-error-port))) $expr)" 2> /dev/full < /dev/null || [ $? -eq 1 ] ;;
      esac
      ports_work
    done
  done
  echo '(display "repl")' | bounded cs-run "$STORE" > out 2> err
  grep -q repl out
}

@test "text that a reader did not want is not the next process's" {
  local expr
  for expr in '(let l () (display "spam\n") (l))' '(begin (setvbuf (current-output-port) (quote block) 100000) (display (make-string 5000 #\z)) (force-output) (display (make-string 5000 #\z)))'; do
    store_fresh
    mkfifo in
    # The reader opens the FIFO and closes it; SIGPIPE is ignored, as by systemd.
    bash -c 'trap "" PIPE; timeout 60 cs-run "$1" -c "$2" < /dev/null 2> err; echo $? > code' - "$STORE" "(begin (open-input-file \"in\") $expr)" > >(exec < /dev/null; : > in)
    rm in
    [ "$(cat code)" -le 1 ]
    ports_work
  done
}

@test "each write fails once: the program ends, the next one has its ports" {
  local error n
  for error in 32 28 5 11; do
    for ((n = 1; ; n++)); do
      store_new
      rm -f file
      failing "$n:$error" cs-run "$STORE" -c '(begin
        (define file (open-output-file "file"))
        (define (say . ports)
          (let ((i next))
            (set! next (+ next 1))
            (for-each (lambda (p) (catch #t (lambda () (display (format #f "~a " i) p)) (const #f))) ports)))
        (define next 0)
        (define ports (list file (current-output-port) (current-error-port)))
        (setvbuf (current-error-port) (quote none))
        (do ((i 0 (+ i 1))) ((= i 40)) (apply say ports))
        (setvbuf (current-error-port) (quote line))
        (setvbuf (current-output-port) (quote none))
        (do ((i 0 (+ i 1))) ((= i 560)) (apply say ports))
        (catch #t (lambda () (force-output file)) (const #f))
        (do ((i 0 (+ i 1))) ((= i 10)) (say file (current-output-port))))'
      [ "$status" -le 1 ] || show
      echo "$output" > out
      in_order out
      in_order file
      [ "$error" -ne 11 ] || [ "$(wc -w < file)" -eq 610 ]
      [ -e hit ] || break
      # The middle ones are all alike.
      [ "$n" -lt 3 ] || [ "$n" -gt 600 ] || n=$((n + 139))
      ports_work
      run_in "$STORE" '(begin (display next file) (force-output file) (write next))'
      ended 0
      printed 610
      in_order file
    done
    [ "$n" -gt 600 ]
  done
}

@test "what a file did not take is written by the next process, once" {
  failing 1:28:on cs-run "$STORE" -c '(define p (open-output-file "file")) (display "text" p)'
  [ "$status" -eq 0 ] || show
  complained "cannot write 4 bytes to '$PWD/file': No space left on device; the workspace keeps them"
  [ ! -s file ]
  # It is not there yet: told once more.
  failing 1:28:on cs-run "$STORE" -c '1'
  complained 'cannot write 4 bytes'
  answers 1 '(write 1)'
  [ "$(cat file)" = text ]
  persist '(display ", more" p)'
  [ "$(cat file)" = 'text, more' ]
}

@test "what a file did not take is not written to another one, which is reported" {
  failing 1:28:on cs-run "$STORE" -c '(use-modules (coldstore)) (define p (open-output-file "file")) (set-port-resume-rule! p (quote reopen)) (display "text" p)'
  mv file old
  echo new > file
  run_in "$STORE" '(for-each (lambda (l) (display (cdr l)) (newline)) (resume-report)) (display "!" p)'
  ended 0
  [[ $output = *'4 bytes that could not be written to it in the last process are dropped'* ]] || show
  [ ! -s old ]
  [[ $(cat file) != *text* ]]
}

@test "what a file without a name did not take is lost, and so it is said" {
  failing 1:28:on cs-run "$STORE" -c '(define p (open-output-file "file")) (display "text" p) (delete-file "file")'
  [ "$status" -eq 0 ] || show
  complained 'cannot write 4 bytes'
  [[ $stderr != *keeps* ]] || show
  answers 1 '(write 1)'
}

@test "a checkpoint leaves a failed write to the program" {
  persist '(use-modules (coldstore)) (define p (open-output-file "/dev/full")) (display "text" p) (checkpoint!)
           (write (catch (quote system-error) (lambda () (force-output p) 1) (lambda _ 2)))'
  [ "$output" = 2 ]
}

@test "a pipe that nobody reads does not keep the workspace from being left" {
  local make
  mkfifo fifo
  for make in '(cdr (pipe))' '(begin (set! z (pipe)) (cdr z))' '(open-file "fifo" "r+")' '(begin (set! z (socketpair PF_UNIX SOCK_STREAM 0)) (car z))'; do
    fails 141 "(define x \"$RANDOM\") (define z 0) (define p $make) (define y x) (setvbuf p 'block 2000000) (display (make-string 1000000 #\\a) p)"
    answers '#t' '(write (eq? x y))'
  done
  # Each is the other's reader.
  fails 141 "(define z 7) (define s (socketpair PF_UNIX SOCK_STREAM 0)) (for-each (lambda (p) (setvbuf p 'block 2000000) (display (make-string 1000000 #\\a) p)) (list (car s) (cdr s)))"
  answers 7 '(write z)'
}

@test "a thread of the program may read what is written when it is left" {
  persist '(use-modules (ice-9 threads) (ice-9 binary-ports) (rnrs bytevectors))
    (define ends (pipe))
    (setvbuf (cdr ends) (quote block) 400000)
    (define file (open-output-file "file"))
    (setvbuf file (quote none))
    (define reader (call-with-new-thread (lambda ()
      (let loop () (let ((b (get-bytevector-some (car ends))))
        (unless (eof-object? b) (put-bytevector file b) (loop)))))))
    (put-bytevector (cdr ends) (make-bytevector 300000 97))'
  [ "$(wc -c < file)" -ge 200000 ]
}

@test "a thread that reads much is waited for as long as it reads" {
  persist '(use-modules (ice-9 threads) (ice-9 binary-ports) (rnrs bytevectors))
    (define ends (pipe))
    (setvbuf (cdr ends) (quote block) 5000000)
    (define file (open-output-file "file"))
    (setvbuf file (quote none))
    (define reader (call-with-new-thread (lambda ()
      (let loop () (let ((b (get-bytevector-some (car ends))))
        (unless (eof-object? b) (put-bytevector file b) (loop)))))))
    (put-bytevector (cdr ends) (make-bytevector 4000000 97))'
  # What the pipe holds at the end is lost with it.
  [ "$(wc -c < file)" -ge 3900000 ]
}

# The pipe takes a part at a time if it does not wait for its reader.
@test "the image is written before a slow reader reads, who gets all of it in order" {
  local flags generation=2
  persist '(define x 1)'
  for flags in '' '(fcntl (current-output-port) F_SETFL (logior O_NONBLOCK (fcntl (current-output-port) F_GETFL)))'; do
    generation=$((generation + 1))
    bash -c 'timeout 60 cs-run "$1" -c "(begin $2 (set! x (1+ x)) (setvbuf (current-output-port) (quote block) 400000) (do ((i 0 (1+ i))) ((= i 50000)) (write i) (newline)))" < /dev/null; echo $? > code' - "$STORE" "$flags" | {
      for ((i = 0; i < 3000; i++)); do
        ! cs-inspect "$STORE" | grep -q "^generation  *$generation" || break
        sleep 0.01
      done
      [ "$i" -lt 3000 ] && cat > out
    }
    [ "$(cat code)" -eq 0 ]
    seq 0 49999 | cmp - out
  done
  answers 3 '(write x)'
}

@test "a signal ends a process that waits, saved, for a reader" {
  persist '(define x 1)'
  mkfifo fifo
  exec {reader}<> fifo
  cs-run "$STORE" -c '(begin (sigaction SIGTERM (lambda (n) n)) (set! x 2) (setvbuf (current-output-port) (quote block) 400000) (display (make-string 300000 #\a)))' < /dev/null > fifo 2> err 3>&- &
  runner=$!
  for ((i = 0; i < 3000; i++)); do
    ! cs-inspect "$STORE" | grep -q '^generation  *3' || break
    sleep 0.01
  done
  # Some come before it waits.
  bounded sh -c 'while kill -TERM '"$runner"' 2> /dev/null; do sleep 0.05; done'
  wait "$runner" || code=$?
  exec {reader}<&-
  [ "$code" -eq 143 ]
  answers 2 '(write x)'
}

@test "a port that was being read when the process was left can be closed" {
  start cs-run "$STORE" -c '(begin (display "reading") (newline) (force-output) (read-char))'
  heard reading
  # In read(2), with its share of the port.
  for ((i = 0; i < 3000; i++)); do
    # shellcheck disable=SC2154 # set by start
    ! grep -q ') S ' "/proc/$runner/stat" || break
    sleep 0.01
  done
  kill -TERM "$runner"
  ends 143
  answers '#f' '(begin (close-port (current-input-port)) (write (file-exists? "/proc/self/fd/0")))'
}
