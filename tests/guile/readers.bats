#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# readers.bats -- workspaces that compute for long beside one that saves.
#
# READER_COMMITS is the number of checkpoints (10), a tenth of a second apart.

load helper

: "${READER_COMMITS:=10}"
export BATS_TEST_TIMEOUT=$((150 + READER_COMMITS))

setup_file ()
{
  pristine
}

setup ()
{
  store_new
}

# All numbers are the same in each generation.  The checkpoints write more than
# 90 MiB.
numbers ()
{
  local nr=$((12000000 / READER_COMMITS))

  [ "$nr" -ge 10000 ] || nr=10000
  cat << SCHEME
(begin
  (use-modules (coldstore))
  (define counter 0)
  (define numbers (make-vector $nr 0))
  (define (same?)
    (let loop ((i 0))
      (or (= i (vector-length numbers))
          (and (eqv? (vector-ref numbers i) counter) (loop (1+ i))))))
  (define (work n)
    (do ((i 0 (1+ i))) ((= i n))
      (set! counter (1+ counter))
      (vector-fill! numbers counter)
      (checkpoint!)
      (display counter)
      (newline)
      (force-output)
      (usleep 100000)))
  (define (go-on name)
    (call-with-input-file name read))
  ;; Compute until there is a file \`stop'.
  (define (watch)
    (let ((seen counter) (generation (workspace-generation)))
      (display "begins")
      (newline)
      (force-output)
      (let loop ()
        (cond ((not (and (same?) (= seen counter)
                         (= generation (workspace-generation))))
               (display "another generation"))
              ((file-exists? "stop") (display "the same"))
              (else (gc) (loop)))))))
SCHEME
}

lines_of ()
{
  wc -l < "$1"
}

# Wait until file $1 has $2 lines, or process $3 is gone.
until_lines ()
{
  until [ "$(lines_of "$1")" -ge "$2" ]; do
    kill -0 "$3" || return 1
    sleep 0.02
  done
}

reader_begins ()
{
  local n=${#readers[@]}

  bounded cs-run --ephemeral "$STORE" -c '(watch)' \
    > "reader-$n" 2>&1 < /dev/null 3>&- &
  readers+=($!)
  until_lines "reader-$n" 1 $! || { cat "reader-$n"; return 1; }
}

# The store's file, in MiB on disk.
size ()
{
  echo $(($(stat -c %b "$STORE") / 2048))
}

@test "ten that compute see one generation each, and the log has a bound" {
  local n pid writer
  local -a readers=()

  persist < <(numbers)
  export CS_TEST_TIMEOUT=$((60 + READER_COMMITS))
  mkfifo more end
  for n in {1..5}; do reader_begins; done
  bounded cs-run "$STORE" -c "(begin (work $READER_COMMITS) (go-on \"more\") (work 1) (go-on \"end\"))" \
    > written 2>&1 < /dev/null 3>&- &
  writer=$!
  for n in {1..5}; do
    until_lines written $((n * READER_COMMITS / 6)) "$writer"
    reader_begins
  done
  until_lines written "$READER_COMMITS" "$writer"
  [ "$(size)" -lt 150 ]
  touch stop
  for pid in "${readers[@]}"; do
    wait "$pid"
  done
  for n in "${!readers[@]}"; do
    [ "$(tail -n 1 "reader-$n")" = 'the same' ] \
      || { cat "reader-$n"; return 1; }
  done
  bounded sh -c 'echo 1 > more'
  until_lines written $((READER_COMMITS + 1)) "$writer"
  bounded sh -c 'echo 1 > end'
  wait "$writer"
  answers "(#t $((READER_COMMITS + 1)))" '(write (list (same?) counter))'
  [ "$(size)" -lt 64 ]
  echo "# figure: 0 of 10 workspaces saw a later one of $READER_COMMITS checkpoints" >&3
}

@test "a child that lives on does not let the store grow without end, and keeps its memory" {
  run --separate-stderr bounded cs-run "$STORE" -c \
    '(begin (use-modules (coldstore) (rnrs bytevectors)) (define b (make-bytevector 8000000 1))
       (checkpoint!)
       (define to-child (pipe)) (define from-child (pipe))
       (define child (primitive-fork))
       (when (zero? child)
         (close-port (cdr to-child))
         (read-char (car to-child))
         (let ((same (equal? b (make-bytevector 8000000 1))))
           (primitive-_exit (if same 0 1))))
       (do ((i 2 (1+ i))) ((= i 42))
         (bytevector-fill! b i)
         (checkpoint!))
       (close-port (cdr to-child))
       (write (status:exit-val (cdr (waitpid child)))))'
  ended 0
  printed 0
  [ "$(size)" -lt 150 ]
  answers 41 '(write (bytevector-u8-ref b 7999999))'
  run --separate-stderr bounded cs-inspect --check "$STORE"
  ended 0
}

@test "ulimit -f between image and log: the work is saved" {
  persist '(define x 0)'
  local limit=$(($(stat -c %s "$STORE") / 1024 + 1024))
  run --separate-stderr bounded bash -c \
    'ulimit -f "$1"; exec cs-run "$2" -c "(set! x 1)"' bash "$limit" "$STORE"
  ended 0
  answers 1 '(write x)'
}
