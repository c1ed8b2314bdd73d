#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# signals.bats -- handlers of Scheme code and timers across processes; signals
# that arrive in the middle of something.

# shellcheck disable=SC2154     # runner and to are set by start

load helper

teardown ()
{
  talk_over
}

# Wait until THUNK returns true, ten seconds at most.
wait_for='(define (wait-for thunk) (let loop ((i 0)) (or (thunk) (and (< i 10000) (begin (usleep 1000) (loop (1+ i)))))))'

@test "handlers work in the next process, after an exit and after a kill" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave "$wait_for (define got '()) (define (note n) (set! got (cons n got))) (for-each (lambda (s) (sigaction s note)) (list SIGUSR2 SIGALRM SIGINT SIGTERM SIGCHLD)) (sigaction SIGPIPE SIG_IGN) (sigaction SIGHUP note SA_RESTART)"
    answers '(#t #t)' "(set! got '()) (for-each (lambda (s) (kill (getpid) s) (wait-for (lambda () (memv s got)))) (list SIGUSR2 SIGALRM SIGINT SIGTERM SIGHUP)) (write (list (equal? (reverse got) (list SIGUSR2 SIGALRM SIGINT SIGTERM SIGHUP)) (eqv? SIG_IGN (car (sigaction SIGPIPE)))))"
    answers "$((0x10000000))" '(write (logand SA_RESTART (cdr (sigaction SIGHUP))))'
    persist '(kill (getpid) SIGPIPE)'
    # A child's end is told to the handler too.
    answers '#t' "(set! got '()) (system \"exit 3\") (write (wait-for (lambda () (and (memv SIGCHLD got) #t))))"
  done
}

@test "a handler that was taken away stays away" {
  persist '(define got 0) (sigaction SIGUSR2 (lambda (n) (set! got 1)))'
  killed '(sigaction SIGUSR2 SIG_DFL)'
  fails 140 '(kill (getpid) SIGUSR2) (sleep 5)'
}

@test "what was there before a handler comes back as the new process has it" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave '(define x 0) (define signals (list SIGTERM SIGUSR1 SIGUSR2)) (for-each (lambda (s) (sigaction s (lambda (n) (set! x n)))) signals)'
    # SIGTERM saves again, and SIGUSR1 does without ending.
    fails 143 '(set! x -1) (for-each (lambda (s) (sigaction s #f)) signals) (kill (getpid) SIGUSR1) (kill (getpid) SIGTERM) (sleep 5)'
    answers '(-1 ((#f . #f) (#f . #f) (0 . 0)))' '(write (list x (map (lambda (s) (let ((a (sigaction s))) (cons (car a) (and (car a) (cdr a))))) signals)))'
    $leave '(for-each (lambda (s) (sigaction s (lambda (n) (set! x n)))) signals)'
    fails 140 '(restore-signals) (kill (getpid) SIGUSR2) (sleep 5)'
  done
}

@test "a handler for one thread runs on the main thread when that is gone" {
  persist "$wait_for (use-modules (ice-9 threads)) (define got #f) (define t (call-with-new-thread (lambda () (sleep 1000)))) (sigaction SIGUSR2 (lambda (n) (set! got (current-thread))) 0 t)"
  answers '#t' '(kill (getpid) SIGUSR2) (wait-for (lambda () got)) (write (eq? got (current-thread)))'
}

# libguile closes the pipe of the thread that delivers signals when only one
# other thread is left, and 3.0.8 does not know that it was an earlier process's
# (libguile/threads.c, on_thread_exit).
@test "the pipe for signals of an earlier process is not closed in this one" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave '(system* "true")'
    answers 40 "(use-modules (ice-9 threads)) (define generation ((@ (coldstore) workspace-generation))) (define ports (map (lambda (i) (open-input-file \"/dev/null\")) (iota 40))) (join-thread (call-with-new-thread (lambda () 1))) (kill (getpid) SIGUSR1) (do ((i 0 (1+ i))) ((or (> ((@ (coldstore) workspace-generation)) generation) (= i 2000))) (usleep 5000)) (usleep 50000) (write (apply + (map (lambda (p) (if (false-if-exception (eof-object? (read-char p))) 1 0)) ports)))"
  done
}

@test "a signal that arrives at any moment of a start waits for its handler" {
  command -v strace > /dev/null || skip "no strace"
  strace -o trace true || skip "strace does not work here"
  persist '(define got 0) (sigaction SIGUSR2 (lambda (n) (set! got (1+ got))))'
  echo untouched > file
  persist '(define p (open-file "file" "r+"))'
  # From when the last process's actions are there: before, it is a signal to
  # a program that has not begun.  They lead into the store, which lies from
  # 0x20... on, or from 0x70000000 to 0xd0000000 (i386).
  local call first total
  bounded strace -o trace cs-run --ephemeral "$STORE" -c 1 < /dev/null
  first=$(grep -n 'rt_sigaction(SIGUSR2, {sa_handler=0x[27-9a-c]' trace | head -n 1 | cut -d : -f 1)
  total=$(grep -n 'exit_group' trace | head -n 1 | cut -d : -f 1)
  [ "$first" -gt 20 ]
  [ "$total" -gt $((first + 10)) ]
  for ((call = first + 1; call < total - 10; call += 1 + (total - first) / 30)); do
    run --separate-stderr bounded strace -qq -o trace -e inject=all:signal=SIGUSR2:when="$call" \
      cs-run --ephemeral "$STORE" -c '(let loop ((i 0)) (if (and (= got 0) (< i 2000)) (begin (usleep 1000) (loop (1+ i))))) (write got)' < /dev/null
    [ "$status" -eq 0 ] && [ "$output" = 1 ] || { echo "call $call of $total:"; show; } || return 1
  done
  [ "$(cat file)" = untouched ]
}

@test "alarm and interval timers neither go on nor fire in the next process" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave "(define fired '()) (for-each (lambda (s) (sigaction s (lambda (n) (set! fired (cons n fired))))) (list SIGALRM SIGVTALRM SIGPROF)) (alarm 1) (setitimer ITIMER_VIRTUAL 0 1000 1 0) (setitimer ITIMER_PROF 5 0 5 0)"
    run --separate-stderr bounded cs-run --verbose "$STORE" -c "(set! fired '()) (define left (map (lambda (t) (cadr (getitimer t))) (list ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF))) (let ((begin (get-internal-real-time))) (let loop () (if (< (get-internal-real-time) (+ begin (* 5/4 internal-time-units-per-second))) (loop)))) (write (list left (alarm 0) fired))" < /dev/null
    [ "$status" -eq 0 ] || show
    printed '(((0 . 0) (0 . 0) (0 . 0)) 0 ())'
    # shellcheck disable=SC2154 # set by run
    [ "$(sed -E 's/[0-9]+\.[0-9]{6}/N/' <<< "$stderr")" = \
'cs-run: stopped: timer ITIMER_REAL: it had N s to run
cs-run: stopped: timer ITIMER_VIRTUAL: it had N s to run
cs-run: stopped: timer ITIMER_PROF: it had N s to run' ] || show
    answers '()' '(use-modules (coldstore)) (write (resume-report))'
  done
}

@test "a timer goes on in the process that set it, across its checkpoints" {
  answers '#t' "$wait_for (define fired #f) (sigaction SIGALRM (lambda (n) (set! fired #t))) (setitimer ITIMER_REAL 0 0 0 200000) ((@ (coldstore) checkpoint!)) ((@ (coldstore) checkpoint!)) (write (wait-for (lambda () fired)))"
}

@test "SIGINT in the REPL interrupts the evaluation, now and after a resume" {
  command -v script > /dev/null || skip "no script command"
  local round
  for round in 1 2 3; do
    start script -qefc "exec cs-run $STORE -q" /dev/null
    types "(define round $round)" be gun
    types '(let loop () (loop))' loo ping
    printf '\003' >&"$to"
    heard 'User interrupt'
    types '(define answer (* 6 7))' go ing
    # Not one long sleep: Guile itself may see the interrupt only after it.
    types '(let loop () (usleep 1000) (loop))' slee ping
    printf '\003' >&"$to"
    heard 'User interrupt'
    # What the next round finds: an exit, a kill after a checkpoint, SIGTERM.
    case $round in
      1)
        printf ',q\n,q\n,q\n' >&"$to"
        ends 0
        ;;
      2)
        types '((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)' sa ving
        ends 137
        ;;
      3)
        types '(kill (getpid) SIGTERM) (sleep 1000)' lea ving
        ends 143
        ;;
    esac
    answers "($round 42)" '(write (list round answer)) (set! answer #f)'
  done
}

@test "SIGINT after a REPL that was saved in the middle ends a run, as in guile" {
  printf '((@ (coldstore) checkpoint!))\n(kill (getpid) SIGKILL)\n' > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  [ "$status" -eq 137 ] || show
  fails 130 '(kill (getpid) SIGINT) (sleep 5)'
  # A handler of the program's own is kept.
  persist "(define got #f) (sigaction SIGINT (lambda (n) (set! got #t)))"
  printf '((@ (coldstore) checkpoint!))\n(kill (getpid) SIGKILL)\n' > input
  answers '#t' "$wait_for (kill (getpid) SIGINT) (write (wait-for (lambda () got)))"
}

@test "SIGINT without a REPL and a handler ends the run, and saves nothing" {
  persist '(define x 1)'
  fails 130 '(set! x 2) (kill (getpid) SIGINT) (sleep 5)'
  answers 1 '(write x)'
}

garbage='(let loop ((l (quote ())) (i 1)) (set! n i) (if (= i 1000) (begin (display "ready\n") (force-output))) (loop (if (= 0 (modulo i 10000)) (quote ()) (cons (make-vector 100 i) l)) (1+ i)))'

@test "SIGTERM and SIGHUP in a loop that allocates: saved, then ended" {
  local sig code
  persist '(define n 0)'
  for sig in TERM HUP; do
    start cs-run "$STORE" -c "$garbage"
    heard ready
    kill -"$sig" "$runner"
    code=$((128 + $(kill -l "$sig")))
    ends "$code"
    [ ! -s err ] || cat err
    answers '#t' '(gc) (write (> n 0))'
    persist '(set! n 0)'
  done
}

# Guile's own `system' goes on waiting.  The command ends when the test lets
# it, and says how: no time is measured.
@test "SIGUSR1 while a command runs: saved at once, its status is not lost" {
  local n
  mkfifo go
  persist '(define x 0)'
  start cs-run "$STORE" -c '(set! x 1) (define status (system "echo ready; read line < go; exit 7")) (write (list x (status:exit-val status))) (newline) (force-output) (kill (getpid) SIGKILL)'
  heard ready
  for n in 2 3; do
    kill -USR1 "$runner"
    wait_until_generation $((n + 1))
  done
  echo > go
  heard '(1 7)'
  ends 137
  answers 1 '(write x)'
}

# Wait until the store's generation is at least $1.
wait_until_generation ()
{
  local i

  for ((i = 0; i < 500; i++)); do
    [ "$(cs-inspect "$STORE" | awk '$1 == "generation" { print $2 }')" -lt "$1" ] || return 0
    sleep 0.02
  done
  echo "no generation $1"
  return 1
}

@test "SIGTERM and SIGHUP while a command runs: saved, then ended; it goes on" {
  local sig
  mkfifo go
  persist '(define x 0)'
  for sig in TERM HUP; do
    rm -f ended
    start cs-run "$STORE" -c '(set! x (1+ x)) (system "echo ready; read line < go; : > ended")'
    heard ready
    kill -"$sig" "$runner"
    ends $((128 + $(kill -l "$sig")))
    [ ! -s err ] || { cat err; false; }
    [ ! -e ended ]
    bounded sh -c 'echo > go; until [ -e ended ]; do sleep 0.01; done'
  done
  answers 2 '(write x)'
  # It is also left in the middle of a hook, and of another one's command.
  start cs-run "$STORE" -c '(use-modules (coldstore) (ice-9 threads)) (define t (call-with-new-thread (lambda () (system "read line < go")))) (add-hook! before-checkpoint-hook (lambda () (set! x (status:exit-val (system "exit 9"))))) (system "echo ready; read line < go")'
  heard ready
  kill -TERM "$runner"
  ends 143
  bounded sh -c 'echo > go'
  answers '(9 #t)' '(use-modules (ice-9 threads)) (write (list x (thread-exited? t)))'
}

# Send what is asked for, in turn, to the program that was started.
send ()
{
  local signal

  for signal; do
    kill -"$signal" "$runner" 2> /dev/null || return 0
  done
}

@test "requests to leave that are repeated, in any order, are one: nothing is lost" {
  local signals n=0
  persist '(define x 0)'
  for signals in 'HUP HUP' 'TERM TERM' 'HUP TERM HUP' 'TERM HUP TERM' 'HUP HUP HUP HUP TERM TERM'; do
    start cs-run "$STORE" -c '(set! x (1+ x)) (display "ready\n") (force-output) (sleep 1000)'
    heard ready
    # shellcheck disable=SC2086   # several words
    send $signals
    ends_with_either 129 143
    n=$((n + 1))
    answers $n '(write x)'
  done
}

# What start started ends with one of two statuses: which signal of several
# arrives first is the kernel's choice.
ends_with_either ()
{
  local got=0

  wait "$runner" || got=$?
  exec {to}>&- {from}<&-
  [ "$got" -eq "$1" ] || [ "$got" -eq "$2" ] || { echo "status: $got"; cat err; return 1; }
}

# The hook is where it is when the others arrive, and goes on afterwards.
@test "requests to leave during the hook of a save and during its command are that save" {
  local signals first code
  mkfifo go on
  persist '(use-modules (coldstore)) (define x 0) (define hooks 0) (define (wait) (display "leaving\n") (force-output) (system "read line < on") (set! hooks (1+ hooks)))'
  for signals in 'HUP HUP TERM' 'TERM TERM HUP USR1'; do
    first=${signals%% *}
    code=$((128 + $(kill -l "$first")))
    start cs-run "$STORE" -c '(set! x (1+ x)) (add-hook! before-checkpoint-hook wait) (system "echo ready; read line < go")'
    heard ready
    send "$first"
    heard leaving
    # shellcheck disable=SC2086   # several words
    send $signals
    bounded sh -c 'echo > on; echo > go'
    ends "$code"
    answers '(1 1)' '(remove-hook! before-checkpoint-hook wait) (write (list x hooks)) (set! x 0) (set! hooks 0)'
  done
}

@test "requests to leave at each system call of a save: it is made" {
  command -v strace > /dev/null || skip "no strace"
  strace -o trace true || skip "strace does not work here"
  persist '(define x 0)'
  # Writes before the handler is there are those of the start.
  local signal n=0 writes
  bounded strace -o trace cs-run --ephemeral "$STORE" -c 1 < /dev/null
  writes=$(grep -c '^pwrite64' trace)
  for signal in SIGHUP SIGTERM; do
    run --separate-stderr bounded strace -f -qq -o trace \
      -e inject=fdatasync,fsync:signal="$signal" \
      -e inject=pwrite64:signal="$signal":when=$((writes + 2))+ \
      cs-run "$STORE" -c '(set! x (1+ x))' < /dev/null
    ended 0
    n=$((n + 1))
    answers $n '(write x)'
  done
  [ "$(grep -c SIGTERM trace)" -gt 2 ]
}

# It is sent again and again: which one came late enough is not measured.
@test "SIGTERM that comes some seconds after the first one ends the run without saving" {
  persist '(define x 0) (use-modules (coldstore)) (define (wait) (display "leaving\n") (force-output) (sleep 1000) (wait))'
  start cs-run "$STORE" -c '(set! x 1) (add-hook! before-checkpoint-hook wait) (display "ready\n") (force-output) (sleep 1000)'
  heard ready
  send HUP HUP TERM
  heard leaving
  bounded sh -c 'while kill -TERM '"$runner"' 2> /dev/null; do sleep 0.1; done'
  ends 143
  answers 0 '(write x)'
}

@test "system ignores SIGINT and SIGQUIT for the command only, as in guile" {
  local expr='(define (ignored) (system "grep -E \"SigIgn|SigBlk\" /proc/self/status"))'
  INPUT=/dev/null same_as_guile -c "$expr (sigaction SIGUSR2 SIG_IGN) (ignored) (sigaction SIGINT SIG_IGN) (ignored)"
  same_as_guile -c '(write (list (system) (status:exit-val (system "exit 300")) (status:term-sig (system "kill -9 $$")) (status:exit-val (system "no-such-command 2> /dev/null"))))'
  # What was ignored is so in the next process, too.
  store_fresh
  # The shell gets them, Guile does not, and afterwards does.
  same_as_guile -c '(write (status:exit-val (system "kill -INT $PPID; kill -QUIT $PPID; exit 4"))) (force-output) (kill (getpid) SIGINT) (sleep 5)'
  # Those of two threads overlap.
  mkfifo go
  same_as_guile -c '(use-modules (ice-9 threads)) (define t (call-with-new-thread (lambda () (status:exit-val (system "read line < go; exit 3"))))) (write (status:exit-val (system "kill -INT $PPID; echo > go; exit 4"))) (write (join-thread t)) (force-output) (kill (getpid) SIGINT) (sleep 5)'
}

# under-lock calls a procedure under a lock of an extension's, as libguile calls
# Scheme code under locks of its own.
locking ()
{
  extension locking << 'E'
#include <libguile.h>
#include <pthread.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static SCM
under_lock (SCM thunk)
{
  SCM value;
  pthread_mutex_lock (&lock);
  value = scm_call_0 (thunk);
  pthread_mutex_unlock (&lock);
  return value;
}
void
init_locking (void)
{
  scm_c_define_gsubr ("under-lock", 1, 0, 0, under_lock);
}
E
  persist "(use-modules (coldstore)) (load-extension \"$PWD/liblocking\" \"init_locking\")
    (define (work milliseconds) (do ((i 0 (1+ i))) ((= i milliseconds)) (usleep 1000)))"
}

@test "a request that comes under a lock is answered when the lock is given back" {
  locking
  # No sleep, which is answered from.
  answers '#t' '(define (busy) (let ((end (+ (get-internal-real-time) (quotient internal-time-units-per-second 3)))) (let loop () (if (< (get-internal-real-time) end) (loop)))))
    (let* ((before (workspace-generation))
           (under (under-lock (lambda () (kill (getpid) SIGUSR1) (busy) (workspace-generation)))))
      (let wait () (if (= before (workspace-generation)) (wait)))
      (write (= before under)))'
}

# The one that is told is the one that was asked for: what comes by time has
# failed before, and waits under the lock already.
@test "a save that was asked for is told of when it fails, also if one by time waits" {
  locking
  start cs-run --checkpoint-every=20ms "$STORE" -c '(define (wait-for file) (let wait () (unless (file-exists? file) (usleep 1000) (wait))))
    (wait-for "told")
    (under-lock (lambda () (work 300) (kill (getpid) SIGUSR1) (work 50) (kill (getpid) SIGUSR1) (work 50)))
    (display "asked\n") (force-output) (wait-for "never")'
  cs-create --from="$STORE" other 3>&-
  mv other "$STORE"
  bounded sh -c 'until grep -q "^cs-run: " err; do sleep 0.01; done'
  : > told
  heard asked
  bounded sh -c 'until [ "$(grep -c "^cs-run: " err)" -gt 1 ]; do sleep 0.01; done'
  kill -9 "$runner"
  ends 137
}

@test "a request to leave that comes while the workspace is left gives the status" {
  mkfifo on
  persist '(use-modules (coldstore)) (define x 0) (define (wait) (display "leaving\n") (force-output) (system "read line < on"))'
  start cs-run "$STORE" -c '(set! x 1) (add-hook! before-checkpoint-hook wait) (exit 3)'
  heard leaving
  kill -TERM "$runner"
  bounded sh -c 'echo > on'
  ends 143
  answers 1 '(remove-hook! before-checkpoint-hook wait) (write x)'
}

@test "SIGUSR1 again and again in a loop that allocates, then a kill" {
  persist '(define n 0)'
  start cs-run "$STORE" -c "$garbage"
  heard ready
  local n
  for ((n = 0; n < 500; n++)); do
    kill -USR1 "$runner"
    sleep 0.02
    [ "$(cs-inspect "$STORE" | awk '$1 == "generation" { print $2 }')" -lt 6 ] || break
  done
  kill -9 "$runner"
  ends 137
  answers '#t' '(gc) (write (> n 0))'
}

# The hook runs while the first request is answered, before it is forgotten.
@test "a request that comes while another one is answered is answered too" {
  persist '(use-modules (coldstore)) (define n 0)
    (add-hook! before-checkpoint-hook
      (lambda () (set! n (1+ n)) (usleep 2000) (kill (getpid) SIGUSR1)))'
  run_in "$STORE" '(kill (getpid) SIGUSR1)
    (let loop () (if (< n 2) (loop)))
    (kill (getpid) SIGTERM)
    (let loop () (loop))'
  ended 143
  answers '#t' '(write (>= n 2))'
}

@test "SIGTERM twice, at once or a little later: saved" {
  local n
  persist '(define x 0) (define l (iota 100000))'
  for n in {1..10}; do
    start cs-run "$STORE" -c '(set! x (1+ x)) (set! l (map 1+ l)) (display "ready\n") (force-output) (sleep 1000)'
    heard ready
    kill -TERM "$runner"
    [ "$n" -gt 5 ] || sleep 0.00"$n"
    kill -TERM "$runner" 2> /dev/null || true
    ends 143
    answers "(#t $n)" '(write (list (= x (car l)) x))'
  done
}

@test "SIGTERM while a checkpoint is being written" {
  local n
  persist '(define x 0) (define l (iota 200000))'
  for n in {1..8}; do
    start cs-run "$STORE" -c '(display "ready\n") (force-output) (let loop () (set! x (1+ x)) (set! l (map 1+ l)) ((@ (coldstore) checkpoint!)) (loop))'
    heard ready
    sleep 0.0"$n"
    kill -TERM "$runner"
    ends 143
    answers '#t' '(gc) (write (<= (car l) x (1+ (car l)))) (set! x (car l))'
  done
}

# Run with signal $1 sent at forty of its system calls, from the first to the
# last; each time the status is one of the others, and the store is whole.
at_system_calls ()
{
  command -v strace > /dev/null || skip "no strace"
  strace -o trace true || skip "strace does not work here"
  persist '(define x 0) (define y 0)'
  cp --sparse=always "$STORE" model.store
  bounded strace -o trace cs-run model.store -c '(set! x 1) (set! y 1)' < /dev/null
  local signal=$1 call total n
  shift
  total=$(grep -n exit_group trace | head -n 1 | cut -d : -f 1)
  [ "$total" -gt 200 ]
  for ((n = 0; n < 40; n++)); do
    call=$((20 + n * (total - 20) / 40 + RANDOM % 5))
    run --separate-stderr bounded strace -qq -o trace -e inject=all:signal="$signal":when="$call" \
      cs-run "$STORE" -c '(set! x (1+ x)) (set! y (1+ y))' < /dev/null
    [[ " $* " == *" $status "* ]] || { echo "call $call of $total:"; show; } || return 1
    run_in "$STORE" '(write (= x y))'
    [ "$status" -eq 0 ] && [ "$output" = '#t' ] || { echo "call $call of $total:"; show; } || return 1
  done
}

@test "a kill at any system call of a run leaves a whole store" {
  at_system_calls SIGKILL 137 0
}

@test "SIGTERM at any system call of a run: saved or not, never broken" {
  at_system_calls SIGTERM 143 0
}

# The collector aborts if a thread does not stop.
@test "a process that is started with the collector's signals blocked" {
  run --separate-stderr bounded env --block-signal=PWR --block-signal=XCPU cs-run "$STORE" -c \
    '(let ((t ((@ (ice-9 threads) call-with-new-thread) (lambda () (do ((n 0 (1+ n))) ((= n 200) n) (make-vector 10000))))))
       (gc) (gc) (write ((@ (ice-9 threads) join-thread) t)))' < /dev/null
  ended 0
  printed 200
}

# One that the thread which waits for requests has blocked: then a collection
# that begins while it enters Guile never ends, and the collector aborts.
@test "collections while requests arrive: each thread answers the collector" {
  local blocked='(define (blocked) (map (lambda (task) (call-with-input-file (string-append "/proc/self/task/" task "/status") (lambda (port) (let loop ((line (read-line port))) (if (string-prefix? "SigBlk:" line) (logand (string->number (string-trim-both (substring line 7)) 16) (ash 1 (1- 30))) (loop (read-line port))))))) (scandir "/proc/self/task" (lambda (name) (not (string-prefix? "." name))))))'
  run --separate-stderr bounded cs-run --checkpoint-every 1ms "$STORE" -c \
    "(use-modules (coldstore)) (define x 0) (gc) (let loop () (when (< (workspace-generation) 100) (set! x (1+ x)) (gc) (loop)))" < /dev/null
  ended 0
  # The thread that applies a commit may have all signals blocked: it is not
  # known to the collector.
  run --separate-stderr bounded cs-run --checkpoint-every 1d "$STORE" -c \
    "$wait_for (use-modules (ice-9 ftw) (ice-9 rdelim)) $blocked (gc) (write (wait-for (lambda () (zero? (apply max (blocked))))))" < /dev/null
  ended 0
  printed '#t'
}
