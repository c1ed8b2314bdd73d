#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# standard-ports.bats -- standard input, output and error are the new
# process's, whatever the last one did with its own; and what ports hold is
# written out before the image is.

load helper

# Run EXPR, whose end is SIGKILL after a checkpoint.
killed ()
{
  run_in "$STORE" "(begin (use-modules (coldstore)) $1 (checkpoint!) (kill (getpid) SIGKILL))"
  [ "$status" -eq 137 ] || show
}

@test "ports that the program kept lead to the new descriptors" {
  local how
  for how in persist killed; do
    store_fresh
    $how '(define in (current-input-port)) (define out (current-output-port)) (define err (current-error-port))'
    echo '(input)' > in
    bounded cs-run "$STORE" -c '(write (read in) out) (display "e" err)' < in > out 2> err
    [ "$(cat out)" = '(input)' ]
    [ "$(cat err)" = e ]
  done
}

@test "ports that the program made of the standard descriptors lead to the new ones" {
  local how with
  for how in persist killed; do
    for with in 1 '(define lost (pipe))'; do
      store_fresh
      $how "(define in (fdopen 0 \"r\")) (define out (fdopen 1 \"w\")) (define err (fdopen 2 \"w0\")) $with (unread-string \"(old)\" in)"
      run --separate-stderr bounded cs-run "$STORE" -c '(write (read in) out) (display "e" err)' <<< '(input)'
      [ "$status" -eq 0 ] && printed '(input)' || show
      # shellcheck disable=SC2154 # set by run
      [ "$stderr" = e ] || show
    done
  done
}

@test "what was read ahead of standard input is gone, also what was put back" {
  printf 'one two three' > in
  local how
  for how in '' '(use-modules (coldstore)) (checkpoint!) (kill (getpid) SIGKILL)'; do
    run --separate-stderr bounded cs-run "$STORE" -c "(read) (unread-string \"back\" (current-input-port)) $how" < in
    run --separate-stderr bounded cs-run "$STORE" -c '(write (read))' <<< 'new'
    ended 0
    printed new
  done
}

@test "standard input that cannot be decoded is no trouble for the next process" {
  printf 'a\377\377\n' > in
  LC_ALL=C.UTF-8 run --separate-stderr bounded cs-run "$STORE" -c "(set-port-conversion-strategy! (current-input-port) 'error) (read-char)" < in
  ended 0
  LC_ALL=C.UTF-8 run --separate-stderr bounded cs-run "$STORE" -c '(write (read))' <<< 'new'
  ended 0
  printed new
}

@test "what was written is written by the process that wrote it" {
  bounded cs-run "$STORE" -c '(display "first")' < /dev/null > out
  bounded cs-run "$STORE" -c '(display "second")' < /dev/null > out2
  [ "$(cat out out2)" = firstsecond ]
  local code=0
  bounded cs-run "$STORE" -c '(use-modules (coldstore)) (display "third") (checkpoint!) (display "fourth") (kill (getpid) SIGKILL)' < /dev/null > out || code=$?
  [ "$code" -eq 137 ]
  bounded cs-run "$STORE" -c '(display "fifth")' < /dev/null > out2
  [ "$(cat out out2)" = thirdfifth ]
}

@test "lines and columns begin anew" {
  persist '(display "no end of line") (use-modules (ice-9 format))'
  answers '(0 0)' '(write (list (port-line (current-output-port)) (port-column (current-output-port))))'
  answers '#t' '(format #t "~&~s" #t)'
}

@test "standard ports that were closed are open again" {
  local how
  for how in persist killed; do
    store_fresh
    $how '(define x 1) (for-each close-port (list (current-input-port) (current-output-port) (current-error-port)))'
    run --separate-stderr bounded cs-run "$STORE" -c '(write (list x (read))) (display "e" (current-error-port)) (display "w" (current-warning-port))' <<< 'in'
    # shellcheck disable=SC2154 # set by run
    [ "$status" -eq 0 ] && [ "$stderr" = ew ] || show
    printed '(1 in)'
    fails 1 '(error "told")'
    complained told
  done
}

@test "a current port that did not survive gives way to the standard one" {
  local how
  for how in persist killed; do
    store_fresh
    $how '(define s (socketpair PF_UNIX SOCK_STREAM 0)) (set-current-output-port (car s)) (set-current-error-port (car s)) (set-current-input-port (car s)) (current-warning-port (car s)) (for-each close-port (list (car s) (cdr s)))'
    run --separate-stderr bounded cs-run "$STORE" -c '(write (read)) (display "w" (current-warning-port)) (error "told")' <<< 'in'
    [ "$status" -eq 1 ] && printed in
    complained told
  done
}

@test "a current port of the program's own keeps its encoding" {
  LC_ALL=C.UTF-8 persist '(define p (open-file "file" "w" #:encoding "UTF-16BE")) (set-current-output-port p)'
  LC_ALL=C.UTF-8 persist '(display "ab")'
  [ "$(od -An -tx1 < file)" = ' 00 61 00 62' ]
}

@test "buffering and encoding follow what the new process has" {
  command -v script > /dev/null || skip "no script command"
  local leave
  for leave in persist killed; do
    store_fresh
    LC_ALL=C $leave '(define out (current-output-port))'
    LC_ALL=C.UTF-8 bounded script -qec "cs-run $STORE -c '(display \"a\" out) (usleep 1) (system \"printf b\")'" /dev/null < /dev/null > terminal
    grep -q ab terminal
    LC_ALL=C $leave 1
    LC_ALL=C.UTF-8 bounded cs-run "$STORE" -c '(display (integer->char 955) out) (system "printf b")' < /dev/null > file
    [ "$(od -An -tx1 < file)" = ' 62 ce bb' ]
  done
}

@test "buffers stay if the buffering does, and what the program has set goes" {
  persist '(define buffer ((@@ (ice-9 ports internal) port-write-buffer)
                           (current-output-port)))'
  answers '#t' '(begin
    (write (eq? buffer ((@@ (ice-9 ports internal) port-write-buffer)
                        (current-output-port))))
    (setvbuf (current-output-port) (quote none)))'
  # Lost in a buffer, as in a new process.
  answers '' '(begin (display "a") (primitive-_exit 0))'
}

@test "one port that cannot be flushed keeps no other from it, nor the save" {
  local how
  for how in '' '(checkpoint!) (kill (getpid) SIGKILL)'; do
    store_fresh
    rm -f file
    run_in "$STORE" "(use-modules (coldstore)) (define full (map (lambda (i) (open-output-file \"/dev/full\")) (iota 3))) (define p (open-output-file \"file\")) (display 'kept p) (for-each (lambda (f) (display 'lost f)) full) (define x 5) $how"
    [ "$status" -eq 0 ] || [ "$status" -eq 137 ] || show
    # A checkpoint leaves the error to the program.
    [ "$status" -eq 137 ] || complained 'No space left on device'
    [ "$(cat file)" = kept ]
    answers 5 '(write x)'
  done
}

@test "a pipe whose reader has gone does not keep the workspace from being saved" {
  # The end is guile's: by SIGPIPE.
  fails 141 '(define x 1) (define p (pipe)) (display "lost" (cdr p)) (close-port (car p))'
  answers 1 '(write x)'
  mkfifo in
  bash -c '{ timeout 60 cs-run "$1" -c "(display 1) (set! x 2) (read-char (open-input-file \"in\"))" < /dev/null 2> err; echo $? > code; } | { exec <&-; : > in; }' - "$STORE"
  [ "$(cat code)" -eq 141 ]
  [ ! -s err ]
  answers 2 '(write x)'
  # A checkpoint in between leaves it to the program's end.
  run_in "$STORE" '(use-modules (coldstore)) (define p (pipe)) (display "lost" (cdr p)) (close-port (car p)) (set! x 3) (checkpoint!) (set! x 4)'
  [ "$status" -eq 141 ] || show
  answers 4 '(write x)'
}

@test "a save that writes something out blocks no signal of the program's" {
  answers '..(#t #t)' << 'E'
(begin
  (use-modules (coldstore) (ice-9 rdelim))
  (define (blocked)
    (call-with-input-file "/proc/thread-self/status"
      (lambda (port)
        (let loop ((line (read-line port)))
          (if (string-prefix? "SigBlk" line) line (loop (read-line port)))))))
  (define before (blocked))
  (display ".")
  (checkpoint!)
  (define file (blocked))
  (define soft (make-soft-port (vector write-char display (lambda () #t) #f #f) "w"))
  (display "." soft)
  (checkpoint!)
  (write (list (equal? before file) (equal? before (blocked)))))
E
}
