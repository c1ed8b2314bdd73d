#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# safety.bats -- processes started from a workspace, and surroundings that are
# poorer than usual: little memory, a small stack, no /proc, no locale.

load helper

teardown ()
{
  [ -z "${holder:-}" ] || kill -9 "$holder" 2> /dev/null || true
}

# A procedure that runs THUNK in a forked child and returns the child's exit
# status, or minus the number of the signal that ended it.
forked='(define (forked thunk) (let ((pid (primitive-fork))) (if (zero? pid) (begin (thunk) (primitive-_exit 99)) (let ((s (cdr (waitpid pid)))) (or (status:exit-val s) (- (status:term-sig s)))))))'

@test "fork, then exec: the child is another program, the store is not touched" {
  local leave
  for leave in persist killed; do
    $leave "$forked (define x 1)"
    answers '(7 9 0)' "(write (list (forked (lambda () (set! x 'child) (execl \"/bin/sh\" \"sh\" \"-c\" \"exit 7\"))) (forked (lambda () (gc) (execlp \"sh\" \"sh\" \"-c\" \"exit 9\"))) (forked (lambda () (execle \"/bin/sh\" '(\"A=1\") \"sh\" \"-c\" \"test \$A = 1\")))))"
    answers 1 '(write x)'
  done
}

@test "a forked child that execs a run of another store" {
  store_new other
  persist "$forked (define x 1)"
  answers '0' "(write (forked (lambda () (execlp \"cs-run\" \"cs-run\" \"other.store\" \"-c\" \"(define y 2)\"))))"
  run_in other.store '(write y)'
  ended 0
  printed 2
  answers 1 '(write x)'
}

@test "a forked child after a resume has the workspace, and saves nothing" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave "$forked (define l (iota 1000))"
    answers '(10 -15 -10 -9)' "(write (list (forked (lambda () (gc) (primitive-_exit (quotient (apply + l) 49950)))) (forked (lambda () (kill (getpid) SIGTERM) (sleep 5))) (forked (lambda () (kill (getpid) SIGUSR1) (sleep 5))) (forked (lambda () (kill (getpid) SIGKILL) (sleep 5)))))"
    # In a child, checkpoint! refuses.
    answers '1' "(write (forked (lambda () (catch #t (lambda () ((@ (coldstore) checkpoint!)) (primitive-_exit 0)) (lambda _ (primitive-_exit 1))))))"
  done
}

@test "a forked child that lives on: its memory stays, and it does not hold the store" {
  local end
  mkfifo go sum
  for end in '' '((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)'; do
    store_fresh
    persist '(define v (make-vector 500000 1)) (define (sum) (let loop ((i 0) (n 0)) (if (= i 500000) n (loop (1+ i) (+ n (vector-ref v i))))))'
    run_in "$STORE" "(when (zero? (primitive-fork)) (for-each close-fdes '(1 2)) (call-with-input-file \"go\" read-char) (let ((n (sum))) (call-with-output-file \"sum\" (lambda (p) (write n p))) (primitive-_exit 0))) (vector-fill! v 2) $end"
    [ "$status" -eq 0 ] || [ "$status" -eq 137 ] || show
    answers 1000000 '(write (sum)) (vector-fill! v 3)'
    persist '(vector-fill! v 4)'
    bounded sh -c ': > go'
    [ "$(bounded cat sum)" = 500000 ]
    answers 2000000 '(write (sum))'
    [ "$(cs-inspect --check "$STORE" | grep -cv ' ok$')" -eq 1 ]
  done
}

@test "exec without a fork ends the workspace: the last checkpoint stands" {
  persist '(define x 1)'
  run_in "$STORE" '(set! x 2) (execl "/bin/sh" "sh" "-c" "echo replaced; exit 3")'
  ended 3
  printed replaced
  answers 1 '(write x)'
}

@test "system, system* and pipes after an exit and after a kill" {
  local leave
  for leave in persist killed; do
    store_fresh
    $leave '(use-modules (ice-9 popen) (ice-9 rdelim)) (define (commands) (list (status:exit-val (system "exit 3")) (status:exit-val (system* "sh" "-c" "exit 4")) (let* ((p (open-pipe "echo out" OPEN_READ)) (l (read-line p))) (list l (status:exit-val (close-pipe p)))) (let ((p (open-pipe "cat > file" OPEN_WRITE))) (display "in" p) (status:exit-val (close-pipe p))))) (commands)'
    answers '(3 4 ("out" 0) 0)' '(write (commands))'
    [ "$(cat file)" = in ]
    answers '127' '(write (status:exit-val (system* "/no/such/command")))' || {
      [ "$status" -eq 0 ] && [ "$output" = 127 ] || show
    }
  done
}

@test "a pipe that is open at a checkpoint: the command sees its end" {
  run_in "$STORE" '(use-modules (ice-9 popen)) (define p (open-output-pipe "cat > got; echo end >> got")) (display "text" p) ((@ (coldstore) checkpoint!)) (close-pipe p)'
  ended 0
  [ "$(cat got)" = 'textend' ]
  run_in "$STORE" '(define q (open-output-pipe "cat > got2; echo end >> got2")) (display "text" q) (force-output q) ((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)'
  [ "$status" -eq 137 ] || show
  local n
  for ((n = 0; n < 500; n++)); do
    ! grep -q end got2 2> /dev/null || break
    sleep 0.01
  done
  [ "$(cat got2)" = 'textend' ]
  survives '(close-pipe q)'
  answers 1 '(write 1)'
}

@test "a run inside a run: another store, and one more inside of that" {
  store_new other
  store_new third
  local leave
  for leave in persist killed; do
    store_fresh
    $leave '(use-modules (ice-9 popen) (ice-9 textual-ports)) (define (run store expr) (let* ((p (open-pipe* OPEN_READ "cs-run" store "-c" expr)) (t (get-string-all p))) (list t (status:exit-val (close-pipe p)))))'
    answers '(("5" 0) ("third" 4))' "(write (list (run \"other.store\" \"(define n 5) (write n)\") (run \"other.store\" \"(define s (system \\\"cs-run third.store -c '(display \\\\\\\"third\\\\\\\") (exit 4)'\\\")) (exit (status:exit-val s))\")))"
    answers '(("6" 0))' '(write (list (run "other.store" "(write (1+ n))")))'
  done
}

@test "a run inside a run of the same store is told who holds it" {
  persist '(define x 1)'
  answers '(125 "1")' "(use-modules (ice-9 popen) (ice-9 textual-ports)) (set! x 2) (write (list (status:exit-val (system \"cs-run $STORE -c 1 2> err\")) (let* ((p (open-input-pipe \"cs-run --ephemeral $STORE -c '(write x)'\")) (t (get-string-all p))) (close-pipe p) t)))"
  grep -q "^cs-run: .*'$STORE'.*held by process [0-9]" err || { cat err; return 1; }
  grep -q '^  use it without saving, if that is enough: --ephemeral; or wait for the other process: --wait$' err
  answers 2 '(write x)'
}

# Run EXPR with the soft limit of address space at $1 KiB: it works, or Guile
# or cs-run say why not; never a signal.
limited ()
{
  run --separate-stderr bash -c 'ulimit -S -v "$1"; exec timeout -k 5 60 cs-run "$2" -c "$3" < /dev/null 3>&-' - "$1" "$STORE" "$2"
  case $status in
    0) ;;
    1 | 125) [ -n "$stderr" ] || { echo "limit $1"; show; } ;;
    *) echo "limit $1"; show ;;
  esac
}

@test "little address space: it works or says why not, and the store stays" {
  local limit worked=0
  persist '(define x 0)'
  for limit in 7000 10000 15000 20000 30000 50000 80000 130000 220000 400000 800000 2000000 20000000 60000000 80000000; do
    limited "$limit" '(set! x (1+ x))'
    if [ "$status" -eq 0 ]; then
      worked=$((worked + 1))
    else
      complained 'cs-run: cannot '
      complained $'\n  raise the limit of address space: ulimit -v'
    fi
    answers "$worked" '(write x)'
  done
  # Once there is room for the image itself, nothing else is in the way.
  [ "$worked" -ge 9 ]
  # The same with a kill; 128 MiB did work.
  run --separate-stderr bash -c 'ulimit -S -v 130000; exec timeout -k 5 60 cs-run "$1" -c "(set! x -1) ((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)" < /dev/null 3>&-' - "$STORE"
  [ "$status" -eq 137 ] || show
  limited 130000 '(write x)'
  ended 0
  printed -1
}

@test "little address space for much work: an error of Guile's, or none" {
  local limit
  persist '(define x 0) (define l #f)'
  for limit in 60000 120000 250000; do
    limited "$limit" '(define l (iota 10000000)) (set! x (length l))'
    survives '(gc) (write x)'
  done
  answers 5 '(set! l #f) (gc) (write 5)'
}

@test "little address space while a store is made" {
  local limit got
  for limit in 10000 40000 100000 300000; do
    rm -f small.store
    got=0
    bash -c 'ulimit -v "$1"; exec timeout -k 5 60 cs-create small.store' - "$limit" > out 2> err < /dev/null || got=$?
    case $got in
      0) run_in small.store '(write 1)'; ended 0 ;;
      [15]) [ -s err ] && [ ! -e small.store ] ;;
      *) echo "limit $limit: status $got"; cat err; return 1 ;;
    esac
  done
}

# With few descriptors, ld.so does not load a command at all.
@test "too few descriptors: each limit is refused with advice, until it is enough" {
  local limit advice='  raise the limit of open files: ulimit -n' made='' answered=''
  persist '(define x 1)'
  for ((limit = 5; limit <= 40; limit++)); do
    [ -z "$made" ] || [ -z "$answered" ] || break
    if [ -z "$made" ]; then
      run --separate-stderr bash -c 'exec < /dev/null 3>&-; ulimit -n "$1"; exec timeout -k 5 60 cs-create few.store' - "$limit"
      [ "$status" -ne 0 ] || made=1
      [ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [ ! -e few.store ] && [[ $stderr == *"
$advice" ]]; } || show
    fi
    run --separate-stderr bash -c 'exec < /dev/null 3>&-; ulimit -n "$1"; exec timeout -k 5 60 cs-run "$2" -c "(write x)"' - "$limit" "$STORE"
    [ "$status" -ne 0 ] || answered=1
    [ "$status" -eq 0 ] || { [ "$status" -eq 125 ] && [[ $stderr == *"
$advice" ]]; } || show
    run --separate-stderr bash -c 'exec < /dev/null 3>&-; ulimit -n "$1"; exec timeout -k 5 60 cs-inspect --check "$2"' - "$limit" "$STORE"
    # A check that could not be made is a line of the table.
    [ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [[ $output$stderr == *'Too many open files'* ]]; } || show
  done
  [ -n "$made" ] && [ -n "$answered" ]
  run_in few.store '(write 1)'
  ended 0
  answers 1 '(write x)'
}

@test "a stack of 256 KiB" {
  persist '(define (deep n) (if (zero? n) 0 (+ 1 (deep (1- n)))))'
  ulimit -S -s 256
  persist '(define d (deep 1000))'
  answers 1000 '(write d)'
  killed '(define d (deep 1000))'
  answers '(100000 1000 0)' '(use-modules (ice-9 threads)) (gc) (write (list (deep 100000) (apply max (par-map deep (list 10 1000 3))) (status:exit-val (system "exit 0"))))'
  run --separate-stderr bash -c 'printf "(deep 50000)\n(car 1)\n" | timeout 60 cs-run "$1" -q' - "$STORE"
  [ "$status" -eq 0 ] || show
  [[ $output == *50000* ]] || show
  bounded cs-create small.store
  run_in small.store '(write 1)'
  ended 0
  printed 1
  run --separate-stderr bounded cs-run --stack-size=256K "$STORE" -c '(write (deep 100000))' < /dev/null
  ended 0
  printed 100000
}

# Run a command with a stack of so many KiB, which arguments and environment are a
# part of.
with_stack ()
{
  run --separate-stderr bash -c 'ulimit -s "$0"; exec env -i PATH="$PATH" timeout -k 5 60 "$@" < /dev/null' "$@"
}

@test "a small stack: threads have another, and one that is too small is refused" {
  local limit
  with_stack 64 cs-create small.store
  [ "$status" -eq 0 ] || show
  with_stack 64 cs-run small.store -c '(gc) (write 1)'
  ended 0
  for limit in 32 24; do
    with_stack "$limit" cs-create tiny.store
    [ "$status" -eq 1 ] || show
    complained 'raise the limit of the stack: ulimit -s'
    with_stack "$limit" cs-inspect --check small.store
    [ "$status" -eq 1 ] || show
    complained 'raise the limit of the stack: ulimit -s'
    with_stack "$limit" cs-run small.store -c 1
    [ "$status" -eq 125 ] || show
    complained 'raise the limit of the stack: ulimit -s'
  done
}

# Run a script in a mount namespace of its own, with /proc hidden.
without_proc ()
{
  unshare -m sh -c 'mount -t tmpfs none /proc' 2> /dev/null \
    || skip "this user cannot hide /proc"
  run --separate-stderr bounded unshare -m sh -c "mount -t tmpfs none /proc && $1" < /dev/null
}

@test "/proc not mounted: a workspace is resumed, saved, made and looked at" {
  echo text > file
  persist '(use-modules (ice-9 rdelim)) (define x 1)'
  without_proc "cs-run $STORE -c '(set! x (1+ x)) ((@ (coldstore) checkpoint!)) (set! x (1+ x)) (gc) (display x)'"
  [ "$status" -eq 0 ] && printed 3 || show
  without_proc "cs-run $STORE -c '(define p (open-input-file \"file\")) (kill (getpid) SIGKILL)'"
  [ "$status" -eq 137 ] || show
  without_proc "cs-run --ephemeral $STORE -c '(write (list x (status:exit-val (system \"exit 2\"))))'"
  [ "$status" -eq 0 ] && printed '(3 2)' || show
  without_proc "cs-create other.store && cs-run other.store -c '(write 1)' && cs-inspect --check other.store > checked"
  [ "$status" -eq 0 ] && printed 1 || show
  [ "$(grep -v ' ok$' checked)" = 'CHECKED     FOUND' ]
  answers 3 '(write x)'
  run_in other.store '(write 2)'
  ended 0
  printed 2
  [ -z "$(find /tmp /dev/shm /var/tmp -maxdepth 1 -name 'coldstore-??????' 2> /dev/null)" ]
}

@test "/proc not mounted and nothing may be loaded from /tmp: it works" {
  persist '(define x 1)'
  without_proc "mount -t tmpfs -o noexec none /dev/shm; mount -t tmpfs -o noexec none /var/tmp; cp --sparse=always $STORE \"\$(command -v cs-run)\" /proc; cd /; mount -t tmpfs -o noexec none /tmp; /proc/cs-run /proc/s.store -c '(write (+ x 1))'"
  [ "$status" -eq 0 ] && printed 2 || show
}

@test "no modules of Guile: a workspace cannot be made, and a message says so" {
  local text code

  # Of the sources and of what was compiled of them.
  text=$(guile -c '(display (dirname (%library-dir)))')
  code=$(guile -c '(display (dirname (dirname (car %load-compiled-path))))')
  without_proc "mount -t tmpfs none '$text' && mount -t tmpfs none '$code' && exec cs-create other.store"
  [ "$status" -eq 5 ] || show
  complained 'cs-create: cannot boot the interpreter'
  complained $'\n  '
  [ ! -e other.store ]
}

# Run COMMAND, for which the system call CALL ends with REASON.
denied ()
{
  run --separate-stderr bounded ./deny-call "$@" < /dev/null
}

build_deny_call ()
{
  "${CC:-cc}" -o deny-call "$CS_SOURCE_DIR/tests/cli/deny-call.c" \
    || skip 'no compiler'
  ./deny-call EPERM kcmp true || skip 'no filters of system calls here'
}

# What a sandbox denies is done without: EPERM is what most say, ENOSYS what
# libc takes for an old kernel.
denied_calls='memfd_create userfaultfd kcmp statx close_range copy_file_range sync_file_range fallocate fadvise64 ioctl'

@test "a system call that a sandbox denies: a workspace is made, works and is saved" {
  local reason call
  build_deny_call
  seq 1 100000 > numbers
  for reason in EPERM ENOSYS; do
    for call in $denied_calls; do
      echo "$call: $reason"
      rm -rf "$STORE" "$STORE-history"
      denied "$reason" "$call" cs-create "$STORE"
      ended 0
      # Two ports with one offset, a library that is opened, a thread, a save.
      denied "$reason" "$call" cs-run "$STORE" -c '(use-modules (ice-9 rdelim) (ice-9 threads) (system foreign)) (define p (open-input-file "numbers")) (setvbuf p (quote none)) (read-line p) (define q (dup p)) (read-line q) (define pow (pointer->procedure double (dynamic-func "pow" (dynamic-link "libm.so.6")) (list double double))) (define x 1) ((@ (coldstore) checkpoint!)) (set! x (join-thread (call-with-new-thread (lambda () (system* "true") 2))))'
      ended 0
      denied "$reason" "$call" cs-run "$STORE" -c '(write (list x (pow 2.0 3.0) (read-line p) (read-line q)))'
      ended 0
      printed '(2 8.0 "3" "4")'
      denied "$reason" "$call" cs-inspect --check "$STORE"
      [ "$status" -eq 0 ] || show
    done
  done
}

@test "a system call that a sandbox denies: backups, modules and errors" {
  local call
  build_deny_call
  for call in memfd_create copy_file_range fallocate ioctl; do
    rm -rf b.store b.store-history
    persist '(define x (make-vector 300000 7))'
    denied EPERM "$call" cs-run "$STORE" -c '(use-modules (rnrs io ports) (ice-9 pretty-print)) (pretty-print (vector-ref x 1)) (car 1)'
    [ "$status" -eq 1 ] && printed 7 || show
    complained 'In procedure car: Wrong type'
    denied EPERM "$call" sh -c "cs-backup $STORE > backup && cs-create --from=backup b.store && cs-run b.store -c '(write (vector-ref x 299999))'"
    ended 0
    printed 7
  done
}

@test "/proc not mounted and nowhere to write: a message" {
  persist '(define x 1)'
  without_proc "mount -t tmpfs -o ro none /dev/shm; mount -t tmpfs -o ro none /var/tmp; cp --sparse=always $STORE \"\$(command -v cs-run)\" /proc; cd /; mount -t tmpfs -o ro none /tmp; /proc/cs-run /proc/s.store -c 1"
  [ "$status" -eq 125 ] || show
  complained "cannot load 'libgc.so.1': "
  complained $'\n  mount /proc'
}

@test "a locale that does not exist: guile's own warning, and it works" {
  persist '(define s (string #\h (integer->char 233)))'
  local name
  for name in LC_ALL LANG LC_CTYPE; do
    run --separate-stderr env "$name=xx_YY.UTF-8" timeout 60 guile -c '(write (string-length "abc"))' < /dev/null
    local warning=${stderr/guile:/cs-run:}
    run --separate-stderr env "$name=xx_YY.UTF-8" timeout 60 cs-run "$STORE" -c '(write (string-length s))' < /dev/null
    [ "$status" -eq 0 ] && printed 2 || show
    [ "$stderr" = "$warning" ] || { echo "wanted: $warning"; show; }
    run --separate-stderr env "$name=xx_YY.UTF-8" timeout 60 cs-run "$STORE" -c '((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)' < /dev/null
    [ "$status" -eq 137 ] || show
    run --separate-stderr env "$name=xx_YY.UTF-8" timeout 60 cs-create --force other.store < /dev/null
    [ "$status" -eq 0 ] || show
    run_in other.store '(write 1)'
    ended 0
    printed 1
  done
  answers '2' '(write (string-length s))'
}
