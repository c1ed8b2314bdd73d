#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# soak.bats -- many lives of one workspace: in each it works with threads,
# files, foreign functions and an extension, is saved, and goes on until it is
# killed, or leaves.  Nothing may be lost, and nothing may grow.
#
# SOAK_CYCLES is the number of lives (40); `make soak` does 1,000.
#
# A leak is what comes back in each life, so it shows as a difference between
# early and late lives that gets larger with their number.  What is compared is
# the least of each tenth of the lives (each quarter, if they are few), once the
# heap has its size: pages of the heap with something in them; resident pages
# besides the heap, both seen at the same place of each life; pages of the store
# on disk besides the heap, as a life leaves it that is not killed (then the log
# is there, too).  One page a life is allowed, and 512 besides, by which they vary
# from one collection to the next, or 1,024 of the store, which still takes in
# what is done for the first time; machine code that is never freed (64 pages a
# life) is found in the short run, too.  Guile itself keeps what it compiles for
# good, less than a page each, every tenth life.  The heap grows by a third of
# itself at a time, when a collection that threads have disturbed frees too
# little: it may double.  Numbers that collections do not change may not grow:
# descriptors, mappings (but for what they are split by), threads, kept
# generations (but for the one that is being made).

load helper

: "${SOAK_CYCLES:=40}"

setup_file ()
{
  pristine
  export BATS_TEST_TIMEOUT=$((120 + SOAK_CYCLES * 3))
}

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
}

# What an extension and a library of the user do: keep an object, call back.
libraries ()
{
  extension soak <<'E'
#include <libguile.h>
#include <stdlib.h>
static SCM kept = SCM_EOL;
static char *block;
static scm_t_bits tag;
static SCM keep (SCM x)
{
  kept = scm_cons (x, scm_list_head (kept, SCM_INUM1));
  free (block);
  block = malloc (3000);
  SCM_RETURN_NEWSMOB (tag, SCM_UNPACK (kept));
}
static size_t drop (SCM x) { (void) x; return 0; }
static SCM look (void) { return SCM_CAR (kept); }
void init_soak (void)
{
  kept = scm_list_2 (SCM_INUM0, SCM_INUM0);
  tag = scm_make_smob_type ("kept", 0);
  scm_set_smob_free (tag, drop);
  scm_c_define_gsubr ("keep", 1, 0, 0, keep);
  scm_c_define_gsubr ("look", 0, 0, 0, look);
}
void init_again (void) { }
E
  c_library user <<'E'
int twice_calls;
int twice (int (*f) (int), int x) { twice_calls++; return f (f (x)); }
E
}

# Teach the store what a life is.  (live) does its work up to the checkpoint,
# and prints the figures; (go-on) works until the process ends.
teach ()
{
  persist <<'SCHEME'
(begin
  (use-modules (coldstore) (ice-9 threads) (ice-9 ftw) (ice-9 i18n)
               (ice-9 rdelim) (rnrs bytevectors) (srfi srfi-1)
               (system base compile) (system foreign) (system foreign-library))

  (define life 0)
  (define table (make-hash-table))      ; the last hundred lives
  (define held (make-mutex))
  (define waited (make-mutex))
  (define condition (make-condition-variable))
  (define threads '())
  (define here (string-append (getcwd) "/"))
  (define log (open-file (string-append here "log") "a"))
  (define other #f)
  (define stream #f)
  (define wide #f)
  (define place #f)
  (define hot #f)
  (load-extension (string-append here "libsoak") "init_soak")
  (define smobs '())

  ;; Foreign functions and a callback of the first life, called in all.
  (define user (load-foreign-library (string-append here "libuser")))
  (define twice
    (foreign-library-function user "twice" #:return-type int
                              #:arg-types (list '* int)))
  (define calls (foreign-library-pointer user "twice_calls"))
  (define c-sleep
    (foreign-library-function #f "sleep" #:return-type int
                              #:arg-types (list int)))
  (define first-callback
    (procedure->pointer int (lambda (x) (+ x 1)) (list int)))

  (define (wait-until test)
    (let loop ((n 0))
      (cond ((test))
            ((= n 20000) (error "waited too long"))
            (else (usleep 500) (loop (1+ n))))))

  ;; Threads that do each of these when the workspace is saved.
  (define (begin-threads!)
    (let* ((begun 0)
           (count (make-mutex))
           (ends (pipe))
           (pair (socketpair PF_UNIX SOCK_STREAM 0))
           (server (socket PF_INET SOCK_STREAM 0)))
      (define (begin! thunk)
        (call-with-new-thread
         (lambda ()
           (with-mutex count (set! begun (1+ begun)))
           (thunk))))
      (bind server AF_INET INADDR_LOOPBACK 0)
      (listen server 5)
      (set! threads
            (list
             (begin! (lambda () (sleep 1000)))
             (begin! (lambda () (read-char (car ends)) (cdr ends)))
             (begin! (lambda () (read-char (car pair)) (cdr pair)))
             (begin! (lambda () (accept server)))
             (begin! (lambda () (select (list server) '() '())))
             (begin! (lambda ()
                       (with-mutex waited
                         (wait-condition-variable condition waited))))
             (begin! (lambda ()
                       (lock-mutex held)
                       (set! begun (+ begun 1))
                       (let loop () (c-sleep 1000) (loop))))
             (begin! (lambda () (let loop ((n 3)) (loop (modulo (* n n) 997)))))
             (begin! (lambda () (let loop () (make-list 100) (loop))))))
      (wait-until (lambda () (= begun (1+ (length threads)))))
      (begin! (lambda () (lock-mutex held)))
      (wait-until (lambda () (= begun (+ 2 (length threads)))))))

  (define-syntax-rule (check test)
    (unless test (error "not so in this life:" 'test)))

  (define (check-threads)
    (check (every thread-exited? threads))
    (check (every (lambda (t)
                    (null? (call-with-values (lambda () (join-thread t)) list)))
                  threads))
    ;; This one, and the one that runs finalizers if there is something to do.
    (check (<= (length (all-threads)) 2))
    (check (try-mutex held))
    (unlock-mutex held)
    (check (equal? (par-map 1+ '(1 2 3)) '(2 3 4))))

  (define (file-line port line)
    (write line port)
    (newline port))

  (define (use-files!)
    (file-line log life)
    ;; One that was left open in the last life, read on.
    (when other
      (check (equal? (read-line other) "second"))
      (close other))
    (let ((name (string-append here "other")))
      (call-with-output-file name
        (lambda (port) (display "first\nsecond\n" port)))
      (set! other (open-input-file name))
      (read-line other))
    ;; Ports that are lost: the collector closes them.
    (open-input-file (string-append here "other"))
    (open-file "/dev/null" "w")
    ;; What libc has handles for.
    (when stream (rewinddir stream))
    (check (string? (readdir (or stream (opendir here)))))
    (set! stream (opendir here))
    (set! wide (open-output-file (string-append here "wide")
                                 #:encoding "UTF-16"))
    (display "text" wide)
    (set! place (make-locale LC_ALL "C"))
    (string-locale<? "a" "b" place))

  (define (use-foreign!)
    (let* ((n life)
           (callback (procedure->pointer int (lambda (x) (+ x n)) (list int)))
           (bytes (pointer->bytevector calls 4))
           (before (bytevector-s32-native-ref bytes 0)))
      (check (= (twice first-callback 5) 7))
      (check (= (twice callback 1) (+ 1 n n)))
      (check (= (bytevector-s32-native-ref bytes 0) (+ before 2)))
      (check (= (look) (1- life)))
      (set! smobs (list (keep life)))
      (string->pointer (make-string 100 #\x))
      (dynamic-func "twice" (dynamic-link (string-append here "libuser")))
      (load-extension (string-append here "libsoak") "init_again")))

  ;; Now and then code is compiled, and run until there is machine code of it.
  (define (use-compiler!)
    (when (zero? (modulo life 10))
      (set! hot (compile '(lambda (x)
                            (let loop ((i 0)) (if (< i 5000) (loop (1+ i)) x)))
                         #:env (current-module))))
    (when hot (hot 1)))

  (define (count-lines file)
    (call-with-input-file file
      (lambda (port)
        (let loop ((n 0)) (if (eof-object? (read-line port)) n (loop (1+ n)))))))

  ;; Numbers of this process: resident pages besides the heap, descriptors,
  ;; mappings, threads, pages of the heap, and of it those with something in
  ;; them.
  (define (figures)
    (define (pages key) (quotient (assq-ref (gc-stats) key) 4096))
    (list (- (call-with-input-file "/proc/self/statm"
               (lambda (port) (read port) (read port)))
             (pages 'heap-size))
          (length (scandir "/proc/self/fd"))
          (count-lines "/proc/self/maps")
          (length (all-threads))
          (pages 'heap-size)
          (- (pages 'heap-size) (pages 'heap-free-size))))

  (define (live)
    (check-threads)
    (set! life (1+ life))
    (hash-set! table (modulo life 100) (iota 100 life))
    (use-files!)
    (use-foreign!)
    (use-compiler!)
    (begin-threads!)
    (gc)
    (let ((seen (figures)))
      (checkpoint!)
      (for-each (lambda (n) (display n) (display #\space)) (cons life seen))
      (newline)
      (force-output)))

  ;; Work that may come to an end anywhere, by itself after TIMES steps.
  (define (go-on times)
    (do ((n 0 (1+ n))) ((= n times))
      (hash-set! table 'more (list n (make-string 100 #\x)))
      (usleep 1000)
      (when (zero? (random 40)) (checkpoint!)))))
SCHEME
}

# One life: $1 is how it ends.  Its figures, which it has printed when it was
# saved, and those of the store are added to `figures`.
live_once ()
{
  local end=$1 run=60000 pid line='' status=0 heap

  [ "$end" = kill ] || run=3
  exec 4<> saved
  cs-run "$STORE" -c "(live) (go-on $run)" > saved 2> errors \
    < /dev/null 3>&- 4>&- &
  pid=$!
  read -r -t "$CS_TEST_TIMEOUT" line <&4 || true
  if [ "$end" = kill ]; then
    # Any time within what two or three checkpoints take.
    sleep "0.0$((RANDOM % 5))$((RANDOM % 10))"
    kill -KILL "$pid" || true
  fi
  { wait "$pid"; } 2> /dev/null || status=$?
  exec 4>&-
  case $end:$status in
    leave:0 | kill:137) ;;
    *) echo "status $status"; cat errors; return 1 ;;
  esac
  [ ! -s errors ] || { cat errors; return 1; }
  [ -n "$line" ] || { echo "nothing was saved"; return 1; }
  read -r _ _ _ _ _ heap _ <<< "$line"
  [ "$end" = kill ] || line="$line $(($(pages_of "$STORE") - heap))"
  echo "$(count_files "$STORE-history") $line" >> figures
}

# Pages that a file takes up on disk.
pages_of ()
{
  echo $(($(stat -c '%b * %B' -- "$1") / 4096))
}

count_files ()
{
  find "$1" -type f | wc -l
}

# The least of column $1 in the lives from $2 to $3 that have one.
least ()
{
  sed -n "$2,$3p" figures \
    | awk -v column="$1" 'NF >= column { print $column }' | sort -n | head -n 1
}

# Column $1, called $2, may have grown by $3.
grows_at_most ()
{
  local early late from=$((SOAK_CYCLES - span + 1))

  early=$(least "$1" $((span + 1)) $((2 * span)))
  late=$(least "$1" "$from" "$SOAK_CYCLES")
  echo "# figure: soak: $2 $early in lives $((span + 1))..$((2 * span))," \
    "$late in $from..$SOAK_CYCLES" >&3
  [ $((late - early)) -le "$3" ] || grown="$grown $2"
}

# A tenth of the lives, or a quarter of a few.
set_span ()
{
  span=$((SOAK_CYCLES / 10))
  [ "$SOAK_CYCLES" -ge 200 ] || span=$((SOAK_CYCLES / 4))
  between=$((SOAK_CYCLES - 2 * span))
}

@test "what works in a life and is saved is there in the next, and nothing grows" {
  local i grown='' span between

  libraries
  teach
  mkfifo saved
  for ((i = 1; i <= SOAK_CYCLES; i++)); do
    if [ $((i % 4)) -eq 0 ]; then live_once leave; else live_once kill; fi
    [ "$(tail -n 1 figures | cut -d ' ' -f 2)" -eq "$i" ]
  done
  cs-inspect --check "$STORE"
  set_span
  grows_at_most 3 'resident pages besides the heap' $((between + 512))
  grows_at_most 9 'pages of the store besides the heap' $((between + 1024))
  grows_at_most 8 'pages of the heap in use' $((between + 512))
  grows_at_most 7 'pages of the heap' "$(least 7 $((span + 1)) $((2 * span)))"
  grows_at_most 4 descriptors 2
  grows_at_most 5 mappings 16
  grows_at_most 6 threads 1
  grows_at_most 1 'kept generations' 1
  [ -z "$grown" ] || { echo "grown: $grown"; false; }
}
