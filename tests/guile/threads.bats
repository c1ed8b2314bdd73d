#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# threads.bats -- threads that are alive when a workspace is saved: what they
# were doing, what they held, and what works again in the next process.
#
# Each case is tried twice: the first process leaves, and it is killed after a
# checkpoint.

load helper

setup_file ()
{
  pristine
  export CS_TEST_TIMEOUT=30
}

setup ()
{
  store_new
}

# What every first process begins with.  (until TEST) waits for a condition
# which another thread brings about; (spin) never ends.
prelude='(use-modules (ice-9 threads) (coldstore))
(define (wait-until test)
  (let loop ((n 0))
    (cond ((test) #t)
          ((= n 20000) (error "waited too long"))
          (else (usleep 500) (loop (1+ n))))))
(define-syntax-rule (until test) (wait-until (lambda () test)))
(define (spin) (let loop () (loop)))
(define-syntax-rule (go body ...)
  (call-with-new-thread (lambda () body ...)))'

# Run EXPR, leave or be killed, and see that QUESTION answers WANT.
afterwards ()
{
  local expr=$1 question=$2 want=$3 end

  for end in '' '((lambda () (checkpoint!) (kill (getpid) SIGKILL)))'; do
    cp --sparse=always "$PRISTINE" "$STORE"
    rm -f "$STORE"-journal
    run_in "$STORE" "$prelude $expr $end"
    case $end in
      '') ended 0 || return 1 ;;
      *) [ "$status" -eq 137 ] || show || return 1 ;;
    esac
    answers "$want" "$question" || { echo "after: ${end:-exit}"; return 1; }
  done
}

# Mutexes.

@test "mutexes of every kind held by a running thread can be taken" {
  afterwards \
    "(define ms (list (make-mutex) (make-mutex 'recursive) (make-mutex 'allow-external-unlock)))
     (define held #f)
     (define t (go (for-each lock-mutex ms) (lock-mutex (cadr ms)) (set! held #t) (spin)))
     (until held)" \
    "(gc)
     (define (try m) (list (mutex-locked? m) (mutex-owner m) (try-mutex m) (eq? (mutex-owner m) (current-thread)) (unlock-mutex m) (mutex-locked? m)))
     (write (cons (thread-exited? t) (map try ms)))" \
    '(#t (#f #f #t #t #t #f) (#f #f #t #t #t #f) (#f #f #t #t #t #f))'
}

@test "a mutex that the program itself held can be taken" {
  afterwards \
    "(define m (make-mutex)) (define r (make-mutex 'recursive)) (lock-mutex m) (lock-mutex r) (lock-mutex r)" \
    "(write (list (lock-mutex m) (lock-mutex r) (mutex-level r) (unlock-mutex r) (unlock-mutex m) (mutex-owner m)))" \
    '(#t #t 1 #t #t #f)'
}

@test "an abandoned mutex is like a new one: not locked, not to be unlocked" {
  afterwards \
    "(define m (make-mutex)) (lock-mutex m)" \
    "(write (catch 'misc-error (lambda () (unlock-mutex m)) (lambda (key who text . rest) text))) (write (with-mutex m (mutex-locked? m)))" \
    '"mutex not locked"#t'
}

@test "mutexes are abandoned by each process anew, and by none within one" {
  persist "$prelude (define m (make-mutex)) (lock-mutex m)"
  local round
  for ((round = 0; round < 5; round++)); do
    answers '(#f #t #f #t)' '(let* ((free (mutex-locked? m)) (mine (lock-mutex m)) (twice (go (try-mutex m)))) (write (list free mine (join-thread twice) (begin (gc) (checkpoint!) (mutex-locked? m)))))'
  done
}

@test "threads that waited for a mutex are not handed it" {
  afterwards \
    "(define m (make-mutex)) (define waiting 0) (lock-mutex m)
     (define ts (map (lambda (i) (go (set! waiting (1+ waiting)) (lock-mutex m) (spin))) (iota 3)))
     (until (= waiting 3)) (usleep 20000)" \
    "(lock-mutex m)
     (define t (go (with-mutex m 'live)))
     (usleep 20000) (unlock-mutex m)
     (write (list (join-thread t (+ 20 (current-time)) 'late) (mutex-locked? m) (map thread-exited? ts)))" \
    '(live #f (#t #t #t))'
}

@test "threads that waited for a condition variable swallow no signal" {
  afterwards \
    "(define m (make-mutex)) (define c (make-condition-variable)) (define waiting 0)
     (define (wait) (with-mutex m (set! waiting (1+ waiting)) (wait-condition-variable c m)))
     (define ts (map (lambda (i) (go (wait) (set! waiting 'woken))) (iota 3)))
     (define timed (go (with-mutex m (set! waiting (1+ waiting)) (wait-condition-variable c m (+ 1000 (current-time))))))
     (until (with-mutex m (= waiting 4)))" \
    "(set! waiting 0)
     (define live (go (wait) 'live))
     (until (with-mutex m (= waiting 1)))
     (signal-condition-variable c)
     (write (list (join-thread live (+ 20 (current-time)) 'late) waiting (thread-exited? timed)))
     (define all (map (lambda (i) (go (wait) 'live)) (iota 3)))
     (until (with-mutex m (= waiting 4)))
     (broadcast-condition-variable c)
     (write (map join-thread all))" \
    '(live 1 #t)(live live live)'
}

@test "with-mutex and monitor are free" {
  afterwards \
    "(define m (make-mutex)) (define n 0)
     (define (guarded thunk) (monitor (thunk)))
     (go (with-mutex m (set! n (1+ n)) (spin)))
     (go (guarded (lambda () (set! n (1+ n)) (spin))))
     (until (= n 2))" \
    "(write (list (with-mutex m 1) (guarded (lambda () 2))))" \
    '(1 2)'
}

@test "the lock that loading a module takes is free" {
  local end
  for end in '(primitive-exit 0)' '(begin (checkpoint!) (kill (getpid) SIGKILL))'; do
    run_in "$STORE" "$prelude ((@@ (guile) call-with-module-autoload-lock) (lambda () $end))"
    answers 3 "(write ((@ (srfi srfi-1) third) '(1 2 3))) (use-modules (ice-9 match))"
  done
}

# sigaction holds a lock of libguile's while it runs Scheme code, which takes
# the lock of loading modules (3.0.8, libguile/scmsigs.c, close_1).  Code that
# runs for the first time takes that lock too, so all of it has run before.
@test "a thread that waits for another one, under a lock of libguile's, is stopped" {
  afterwards \
    "(define loading #f) (define ready #f) (define count 0) (define t #f)
     (define (act) (sigaction SIGUSR2 (lambda (n) (set! loading n))))
     (define (until-loading turns)
       (until (begin (set! count (* (if loading 1 0) (1+ count))) (>= count turns))))
     (add-hook! before-checkpoint-hook
       (lambda ()
         (unless t
           (set! t (go (act) (set! ready #t) (until-loading 1) (act)))
           (go (until ready)
               ((@@ (guile) call-with-module-autoload-lock)
                (lambda () (set! loading #t) (sleep 1000))))
           (until-loading 400))))" \
    "(act) (kill (getpid) SIGUSR2)
     (until (eqv? loading SIGUSR2))
     (write (thread-exited? t))" \
    '#t'
}

@test "a thread that waits in a once-routine for the one that saves does not keep it waiting" {
  extension once <<'E'
#include <signal.h>
#include <libguile.h>

/* The first sigaction of a process starts libguile's signal thread, under a
   once-control; the async runs there.  */
static SCM
act (SCM thunk)
{
  scm_system_async_mark (thunk);
  scm_sigaction (scm_from_int (SIGWINCH), scm_from_int (0), SCM_UNDEFINED);
  return SCM_BOOL_T;
}

void
init_once (void)
{
  scm_c_define_gsubr ("act", 1, 0, 0, act);
}
E
  run_in "$STORE" "$prelude
     (load-extension \"$PWD/libonce\" \"init_once\")
     (define m (make-mutex)) (define in #f) (define saved #f)
     (lock-mutex m)
     (define t (go (act (lambda () (set! in #t) (lock-mutex m) (unlock-mutex m)))))
     (until in)
     (checkpoint!)
     (unlock-mutex m)
     (join-thread t)"
  [ "$status" -eq 0 ] || show
  complained 'could not be stopped for the checkpoint (in lock-mutex)'
  answers '#t' "(sigaction SIGUSR2 (lambda (n) (set! saved n)))
     (kill (getpid) SIGUSR2)
     (until (eqv? saved SIGUSR2))
     (write (thread-exited? t))"
}

@test "a thread that is on its way into Guile does not disturb a checkpoint" {
  extension enter <<'E'
#include <libguile.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_bool stop;
static pthread_t starter;

static void *
nothing (void *unused)
{
  return unused;
}

static void *
enter (void *unused)
{
  scm_with_guile (nothing, NULL);
  return unused;
}

static void *
start (void *unused)
{
  pthread_t thread;

  while (!atomic_load (&stop))
    if (pthread_create (&thread, NULL, enter, NULL) == 0)
      pthread_join (thread, NULL);
  return unused;
}

static SCM
start_starting (void)
{
  return scm_from_int (pthread_create (&starter, NULL, start, NULL));
}

static SCM
stop_starting (void)
{
  atomic_store (&stop, 1);
  return scm_from_int (pthread_join (starter, NULL));
}

void
init_enter (void)
{
  scm_c_define_gsubr ("start-starting", 0, 0, 0, start_starting);
  scm_c_define_gsubr ("stop-starting", 0, 0, 0, stop_starting);
}
E
  run_in "$STORE" "$prelude
     (load-extension \"$PWD/libenter\" \"init_enter\")
     (start-starting)
     (do ((i 0 (1+ i))) ((= i 120)) (checkpoint!))
     (stop-starting)"
  ended 0
}

# A stack that libguile has grown is as small as ever in the next thread.
@test "a stack grows on one thread while another one collects" {
  for _ in 1 2; do
    run_in "$STORE" "$prelude
       (define (deep n) (if (zero? n) 0 (1+ (deep (1- n)))))
       (define (grow n)
         (do ((i 0 (1+ i))) ((= i n)) (join-thread (go (deep 20000)))))
       (define workers (map (lambda (i) (go (grow 40))) (iota 3)))
       (let loop () (gc) (unless (and-map thread-exited? workers) (loop)))
       (write 'grown)"
    ended 0
    printed grown
  done
}

@test "a promise that a thread was forcing can be forced" {
  afterwards \
    "(define n 0) (define p (delay (begin (set! n (1+ n)) (if (= n 1) (spin) n)))) (go (force p)) (until (= n 1))" \
    '(write (force p))' 2
}

# Threads that are gone.

@test "join-thread does not wait for a thread that is gone" {
  afterwards \
    "(define done (go 7)) (join-thread done)
     (define ts (list (go (spin)) (go (sleep 1000)) (go (lock-mutex (make-mutex)) (spin))))
     (define in (go (join-thread (car ts))))" \
    "(define (join . args) (call-with-values (lambda () (apply join-thread args)) list))
     (write (map thread-exited? ts))
     (write (list (join done) (map join ts) (join (car ts) (+ 1000 (current-time))) (join (car ts) (+ 1000 (current-time)) 'late) (join in)))" \
    '(#t #t #t)((7) (() () ()) () () ())'
}

@test "a thread that is gone is not listed, can be cancelled, and is collected" {
  afterwards \
    "(define g (make-guardian)) (define t (go (sleep 1000))) (g (go (sleep 1000)))" \
    "(write (memq t (all-threads)))
     (cancel-thread t) (system-async-mark (lambda () (error \"run\")) t)
     (define (collect n) (gc) (cond ((g) => thread?) ((= n 0) #f) (else (usleep 1000) (collect (1- n)))))
     (write (collect 100))" \
    '#f#t'
}

# A byte for a thread that sleeps goes to a descriptor of its process.
@test "cancelling a thread that slept writes to no file" {
  afterwards \
    "(define ts (map (lambda (i) (go (sleep 1000))) (iota 4))) (usleep 50000)" \
    "(define ports (map (lambda (i) (open-output-file (format #f \"f~a\" i))) (iota 30)))
     (for-each cancel-thread ts) (usleep 10000)
     (for-each close-port ports)
     (write (apply + (map (lambda (i) (stat:size (stat (format #f \"f~a\" i)))) (iota 30))))" 0
}

@test "the last process's threads are told of with the generation" {
  afterwards "(define t (go (spin))) (go (sleep 1000))" \
    "(use-modules (coldstore)) (write (resume-report))" \
    '((weeded . "threads: 2 of the last process"))'
  run --separate-stderr cs-inspect --history "$STORE"
  [[ $output == *'weeded'*'threads: 2'* ]] || show
}

# SRFI 18.

@test "SRFI 18: abandoned mutexes, joined threads" {
  afterwards \
    "(use-modules ((srfi srfi-18) #:prefix s:))
     (define m (s:make-mutex 'm)) (define mine (s:make-mutex)) (define free (s:make-mutex))
     (define unowned (s:make-mutex)) (s:mutex-lock! mine) (s:mutex-lock! unowned #f #f)
     (define held #f)
     (define t (s:make-thread (lambda () (s:mutex-lock! m) (set! held #t) (s:thread-sleep! 1000)) 'holder))
     (s:thread-start! t)
     (define fine (s:thread-start! (s:make-thread (lambda () 5)))) (s:thread-join! fine)
     (define unstarted (s:make-thread (lambda () 6)))
     (until held)" \
    "(define (state m) (let ((s (s:mutex-state m))) (if (symbol? s) s 'owned)))
     (define (lock m) (with-exception-handler (lambda (e) (if (s:abandoned-mutex-exception? e) 'abandoned e)) (lambda () (s:mutex-lock! m))))
     (define (join t) (with-exception-handler (lambda (e) (if (s:terminated-thread-exception? e) 'terminated e)) (lambda () (s:thread-join! t)) #:unwind? #t))
     (write (map state (list m mine free unowned)))
     (write (map lock (list m mine free unowned)))
     (write (map state (list m mine free unowned)))
     (for-each s:mutex-unlock! (list m mine free unowned))
     (write (map state (list m mine free unowned)))
     (write (map join (list t fine unstarted)))
     (write (s:thread-join! (s:thread-start! (s:make-thread (lambda () (s:mutex-lock! m) (s:mutex-unlock! m) 8)))))" \
    '(abandoned abandoned not-abandoned not-abandoned)(abandoned abandoned #t #t)(owned owned owned owned)(not-abandoned not-abandoned not-abandoned not-abandoned)(terminated 5 terminated)8'
}

@test "SRFI 18: loaded in one process, abandoned mutexes in each later one" {
  persist "$prelude (use-modules ((srfi srfi-18) #:prefix s:)) (define m (s:make-mutex))"
  local round
  for ((round = 0; round < 3; round++)); do
    answers not-abandoned "(write (s:mutex-state m)) (s:mutex-lock! m)"
    answers abandoned "(write (s:mutex-state m)) (catch #t (lambda () (s:mutex-lock! m)) (const #f)) (s:mutex-unlock! m)"
  done
}

# Futures and parallel forms.

@test "futures have workers again in each process" {
  persist "$prelude (use-modules (ice-9 futures)) (define (who) (touch (future (begin (usleep 1000) (current-thread)))))"
  local round
  for ((round = 0; round < 3; round++)); do
    # With more futures than one, the toucher does not take them all.
    [ "$round" -eq 0 ] || killed '(who)'
    answers '#t' "(define (other?) (let ((fs (map (lambda (i) (future (begin (usleep 20000) (current-thread)))) (iota 8)))) (pair? (delq (current-thread) (map touch fs))))) (let loop ((n 50)) (if (or (other?) (= n 0)) (write (> n 0)) (loop (1- n))))"
  done
}

@test "a future that was being worked on begins again when it is touched" {
  afterwards \
    "(use-modules (ice-9 futures))
     (define begun 0)
     (define f (future (begin (set! begun (1+ begun)) (if (= begun 1) (spin) (list 'run begun)))))
     (until (= begun 1))
     (define done (future 3)) (touch done)
     (define nested (future (list (touch f))))
     (define queued (future 4))" \
    "(write (list (touch done) (touch queued) (touch f) (touch f) (touch nested)))" \
    '(3 4 (run 2) (run 2) ((run 2)))'
}

@test "a future that waited for one that was being worked on ends" {
  afterwards \
    "(use-modules (ice-9 futures))
     (define begun 0) (define waits #f)
     (define inner (make-future (lambda () (set! begun (1+ begun)) (if (= begun 1) (spin) 'inner))))
     (until (= begun 1))
     (define outer (make-future (lambda () (set! waits #t) (list (touch inner)))))
     (go (touch outer))
     (until waits) (usleep 20000)" \
    "(write (touch outer)) (write begun)" \
    '(inner)2'
}

@test "par-map, par-for-each, n-par-map, parallel, letpar work, also cut in the middle" {
  persist "$prelude (define cut #f) (define (long x) (if cut (sleep 1000))) (define (all) (let ((n 0) (m (make-mutex))) (par-for-each (lambda (x) (with-mutex m (set! n (+ n x)))) (iota 50)) (n-par-for-each 3 (lambda (x) (with-mutex m (set! n (+ n x)))) (iota 50)) (list n (apply + (par-map 1+ (iota 100))) (apply + (n-par-map 3 1+ (iota 100))) (call-with-values (lambda () (parallel 1 2 3)) list) (letpar ((a 1) (b 2)) (+ a b)) (let ((l '())) (n-for-each-par-map 3 (lambda (x) (set! l (cons x l))) 1+ (iota 10)) (apply + l)))))"
  local want='(2450 5050 5050 (1 2 3) 3 55)' round
  for ((round = 0; round < 3; round++)); do
    answers "$want" '(write (all))'
    # Futures that were queued stay so, and are computed by and by.
    run_in "$STORE" '(set! cut #t) (go (par-map long (iota 20))) (go (n-par-map 4 (lambda (x) (spin)) (iota 20))) (usleep 20000) (set! cut #f) (checkpoint!) (kill (getpid) SIGKILL)'
    [ "$status" -eq 137 ]
  done
  answers "$want" '(write (all))'
}

@test "the threads that run finalizers and deliver signals are there again" {
  afterwards \
    "(define got 0) (define ended 0)
     (sigaction SIGUSR2 (lambda (s) (set! got (1+ got)))) (kill (getpid) SIGUSR2) (until (= got 1))
     (define (lose) (let loop ((i 0)) (if (< i 50) (let ((p (open-file \"/dev/null\" \"r\"))) (loop (1+ i))))))
     (define (nr-open) (length ((@ (ice-9 ftw) scandir) \"/proc/self/fd\")))
     (define (finalized?) (let ((before (nr-open))) (lose) (until (begin (gc) (< (nr-open) (+ before 10)))) 'both))
     (finalized?) (lose)" \
    "(kill (getpid) SIGUSR2) (until (= got 2))
     (write (finalized?))" \
    both
}

# A collection on another thread may be just about to start the finalizer
# thread, or to write to its pipe, when a checkpoint ends it.  What came of it
# was seen in one process of five that made 40 checkpoints: dead by SIGPIPE,
# a byte in another file, or, in the next process, no finalizers and a fault
# when that is saved.
@test "finalizers run in each process, whatever collections met the last one's checkpoints" {
  local i

  for i in 1 2 3 4 5 6 7 8; do
    run_in "$STORE" "$prelude
      (define g (make-guardian))
      (define (collect) (g (list 1 2)) (g) (gc) (collect))
      (g (list 1 2))
      (until (begin (gc) (g)))
      (checkpoint!)
      (for-each (lambda (i) (go (collect))) (iota 3))
      (do ((n 0 (1+ n))) ((= n 40)) (usleep (random 2000)) (checkpoint!))
      (kill (getpid) SIGKILL)"
    [ "$status" -eq 137 ] || { echo "process $i"; show; }
    [ -z "$stderr" ] || show
  done
  answers finalized "(define h (make-guardian)) (h (list 1 2)) (until (begin (gc) (h))) (display 'finalized)"
}

# What a thread may be doing.

# Define KINDS, an alist: what a thread does for ever, by name; N is to count
# those that have begun.
kinds='(use-modules (system foreign) (system foreign-library))
(define begun 0) (define count-mutex (make-mutex))
(define (begin!) (with-mutex count-mutex (set! begun (1+ begun))))
(define server (let ((s (socket PF_INET SOCK_STREAM 0))) (bind s AF_INET INADDR_LOOPBACK 0) (listen s 5) s))
(define ends (socketpair PF_UNIX SOCK_STREAM 0))
(define ends2 (socketpair PF_UNIX SOCK_STREAM 0))
(define pipe-ends (pipe))
(define pipe-ends2 (pipe))
(define m (make-mutex)) (define held (make-mutex)) (define c (make-condition-variable))
(define c-sleep (foreign-library-function #f "sleep" #:return-type int #:arg-types (list int)))
(define kinds
  `((sleep . ,(lambda () (sleep 1000)))
    (usleep . ,(lambda () (usleep 100000000)))
    (read-pipe . ,(lambda () (read-char (car pipe-ends))))
    (read-socket . ,(lambda () (recv! (car ends) (make-bytevector 10))))
    (read-socket-port . ,(lambda () (read-char (car ends2))))
    (accept . ,(lambda () (accept server)))
    (select . ,(lambda () (select (list (car pipe-ends2)) (list) (list))))
    (wait . ,(lambda () (with-mutex m (wait-condition-variable c m))))
    (timed-wait . ,(lambda () (with-mutex m (wait-condition-variable c m (+ 1000 (current-time))))))
    (lock . ,(lambda () (lock-mutex held)))
    (join . ,(lambda () (join-thread main)))
    (foreign . ,(lambda () (let loop () (c-sleep 1000) (loop))))
    (loop . ,spin)
    (bignums . ,(lambda () (let loop ((n 3)) (loop (modulo (* n n n) (expt 7 2000))))))
    (allocate . ,(lambda () (let loop ((l (list))) (loop (if (> (length l) 50) (list) (cons (make-vector 500 0) l))))))
    (collect . ,(lambda () (let loop () (gc) (loop))))
    (symbols . ,(lambda () (let loop ((n 0)) (string->symbol (number->string n)) (loop (modulo (1+ n) 5000)))))
    (write . ,(lambda () (let loop ((p (open-output-string))) (write (iota 100) p) (loop (open-output-string)))))))
(define main (go (sleep 10000)))
(define (start kind) (go (begin!) ((assq-ref kinds kind)) (set! begun (list kind (quote ended)))))
(use-modules (rnrs bytevectors))
(lock-mutex held)'

@test "threads that do anything, one kind at a time" {
  local kind end
  persist "$prelude $kinds"
  cp --sparse=always "$STORE" kinds.store
  for kind in sleep usleep read-pipe read-socket read-socket-port accept select wait timed-wait lock join foreign loop bignums allocate collect symbols write; do
    for end in '' '((lambda () (checkpoint!) (kill (getpid) SIGKILL)))'; do
      cp --sparse=always kinds.store "$STORE"
      rm -rf "$STORE"-*
      # Descriptors are of one process.
      run_in "$STORE" "$prelude $kinds (define ts (list (start '$kind) (start '$kind))) (until (equal? begun 2)) (usleep 2000) $end"
      echo "$kind $end"
      [ "$status" -eq "$([ -z "$end" ] && echo 0 || echo 137)" ] || show
      [ -z "$stderr" ] || show
      answers '((#t #t) 2)' '(gc) (write (list (map thread-exited? ts) begun))'
      answers '((() ()) #t (1 2 3))' '(gc) (write (list (map (lambda (t) (call-with-values (lambda () (join-thread t)) list)) ts) (and (try-mutex held) (try-mutex m)) (par-map 1+ (list 0 1 2))))'
    done
  done
}

@test "threads of all kinds at once, over several processes" {
  local round
  persist "$prelude"
  for ((round = 0; round < 4; round++)); do
    run_in "$STORE" "$kinds (define ts (map (lambda (k) (start (car k))) kinds)) (until (equal? begun (length kinds))) (checkpoint!) (checkpoint!) $([ $((round % 2)) -eq 0 ] || echo '(kill (getpid) SIGKILL)')"
    [ "$status" -eq $((round % 2 ? 137 : 0)) ] || show
    answers '(#t #t)' '(gc) (write (list (and-map thread-exited? ts) (= begun (length kinds))))'
  done
}

@test "what threads wait for comes after checkpoints as if there had been none" {
  answers '(0 0 #\a #\b (1) #t 7 0)' "$prelude $kinds
(define (start name) (go (begin!) ((assq-ref kinds name))))
(define slept (go (begin!) (sleep 1)))
(define uslept (go (begin!) (usleep 700000)))
(define p (start 'read-pipe)) (define s (start 'read-socket-port)) (define a (start 'accept))
(define w (start 'wait)) (define l (go (begin!) (with-mutex held 7))) (define polled (go (begin!) (let ((r (select (list (car pipe-ends2)) (list) (list) 1))) (length (car r)))))
(until (equal? begun 8)) (usleep 5000)
(do ((i 0 (1+ i))) ((= i 5)) (checkpoint!) (usleep 2000))
(write-char #\\a (cdr pipe-ends)) (force-output (cdr pipe-ends))
(write-char #\\b (cdr ends2)) (force-output (cdr ends2))
(let ((c (socket PF_INET SOCK_STREAM 0))) (connect c (getsockname server)) (send c (make-bytevector 1 1)))
(until (with-mutex m (signal-condition-variable c)))
(unlock-mutex held)
(define (bytes socket) (let ((b (make-bytevector 1))) (recv! socket b) (bytevector->u8-list b)))
(write (list (join-thread slept) (join-thread uslept) (join-thread p) (join-thread s) (bytes (car (join-thread a))) (join-thread w) (join-thread l) (join-thread polled)))"
}

# What can be read about them.

# Compile the file program.scm in a workspace, load it, and be killed.
compiled ()
{
  bounded cs-run --ephemeral "$STORE" -c '(use-modules (system base compile)) (compile-file "program.scm" #:output-file "program.go")' < /dev/null > /dev/null 2>&1
  run_in "$STORE" "(load-compiled (string-append (getcwd) \"/program.go\"))"
  [ "$status" -eq 137 ] || show
}

# The lines about the thread whose first line matches EXPR.
thread_lines ()
{
  printf '%s\n' "$output" | awk -v "expr=$1" '/ UTC  / { on = $0 ~ expr } on'
}

@test "cs-inspect --threads: name, state and backtrace of each" {
  cat > program.scm <<'E'
(use-modules (ice-9 threads) (coldstore) ((srfi srfi-18) #:prefix s:)
             (system foreign) (system foreign-library))
(define sleeps
  (foreign-library-function #f "sleep" #:return-type int
                            #:arg-types (list int)))
(define m (make-mutex))
(define n 0)
(define (begun!) (set! n (1+ n)))
(define (turn-round)
  (begun!)
  (let loop ((i 0))
    (loop (1+ i))))
(define (take-it)
  (begun!)
  (lock-mutex m)
  'taken)
(define (outer f)
  (list (f)))
(lock-mutex m)
(call-with-new-thread (lambda () (outer turn-round)))
(call-with-new-thread (lambda () (outer take-it)))
(call-with-new-thread
 (lambda ()
   (begun!)
   (let loop ()
     (sleeps 1000)
     (loop))))
(s:thread-start!
 (s:make-thread
  (lambda ()
    (begun!)
    (list (s:thread-sleep! 1000)))
  "clock"))
(sigaction SIGUSR2 (lambda (s) s))
(let loop ()
  (unless (= n 4)
    (usleep 1000)
    (loop)))
(usleep 20000)
(checkpoint!)
(kill (getpid) SIGKILL)
E
  compiled
  run --separate-stderr cs-inspect --threads "$STORE"
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  echo "$output"
  thread_lines 'workspace: in %checkpoint!' | grep -A 2 ' %checkpoint!$' | grep ' _  program.scm:40:0$'
  thread_lines '#<thread [0-9]+ .[0-9a-f]+.>: running' | grep -A 1 ' turn-round  program.scm:[0-9]*:' | grep ' _  program.scm:[0-9]*:'
  thread_lines '#<thread [0-9]+ .[0-9a-f]+.>: in lock-mutex' | grep -A 1 ' lock-mutex$' | grep ' program.scm:15:2$'
  thread_lines "in the foreign function 'sleep'" | grep ' program.scm:26:5$'
  thread_lines 'clock"*: in sleep' | grep ' srfi/srfi-18.scm:'
  thread_lines 'signals: outside of Guile'
  [[ $output != *WEEDED* ]]
}

@test "cs-inspect --threads: those that are gone, with the generation" {
  cat > program.scm <<'E'
(use-modules (ice-9 threads) (coldstore))
(define m (make-mutex))
(define n 0)
(define (take-it)
  (set! n (1+ n))
  (lock-mutex m)
  'taken)
(define (turn-round)
  (set! n (1+ n))
  (let loop ()
    (loop)))
(lock-mutex m)
(call-with-new-thread take-it)
(call-with-new-thread turn-round)
(sigaction SIGUSR2 (lambda (s) s))
(let loop ()
  (unless (= n 2)
    (usleep 1000)
    (loop)))
(usleep 20000)
(checkpoint!)
(kill (getpid) SIGKILL)
E
  compiled
  local generation
  generation=$(cs-inspect "$STORE" | awk '$1 == "generation" { print $2 }')
  persist 1
  run --separate-stderr cs-inspect --threads "$STORE"
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  echo "$output"
  grep -A 99 '^ *WEEDED  SINCE  *GENERATION  TIME  *NAME$' <<< "$output" > weeded
  [ "$(grep -c "UTC  *$generation  20" weeded)" -eq 2 ]
  grep -A 1 ' lock-mutex$' weeded | grep ' take-it  program.scm:6:2$'
  grep ' turn-round  program.scm:[0-9]*:' weeded
  [[ $(cat weeded) != *%park* ]]
  # Later processes keep that, and add to it.
  answers 1 "(begin (use-modules (ice-9 threads)) (call-with-new-thread (lambda () (sleep 1000))) (usleep 5000) (write 1))"
  persist 1
  run --separate-stderr cs-inspect --threads "$STORE"
  [ "$(grep -A 99 WEEDED <<< "$output" | grep -c 'UTC')" -eq 3 ]
}

@test "cs-inspect --threads --json: the same" {
  run_in "$STORE" "$prelude (go (list (sleep 1000))) (usleep 5000) (checkpoint!) (kill (getpid) SIGKILL)"
  run --separate-stderr cs-inspect --threads --json "$STORE"
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  echo "$output" > out.json
  cat out.json
  grep '"name": "workspace", "state": "in %checkpoint!"' out.json
  grep -E '"name": "#<thread [0-9]+ \([0-9a-f]+\)>", "state": "in sleep", "value": "0x[0-9a-f]+", "pthread": "0x[0-9a-f]+", "frames": \[\{"address": "0x[0-9a-f]+", "procedure": "sleep", "file": null, "line": 0, "column": 0\}' out.json
  grep '"weeded_threads": \[\]' out.json
  persist 1
  cs-inspect --threads --json "$STORE" | grep -A 1 '"weeded_threads": \[' | grep -E '"generation": 2, "weeded": [0-9]+, "name": "#<thread [0-9]+ \([0-9a-f]+\)>", "frames": \[\{"address": "0x[0-9a-f]+", "procedure": "sleep"'
}

@test "those that are gone keep their names, in cs-inspect and in the report" {
  local begin="$prelude (use-modules ((srfi srfi-18) #:prefix s:)) (define n 0) (define (named name) (s:thread-start! (s:make-thread (lambda () (set! n (1+ n)) (spin)) name)))"
  afterwards \
    "$begin (define (deep i) (if (= i 0) (begin (set! n (1+ n)) (sleep 1000)) (1+ (deep (1- i)))))
     (s:thread-start! (s:make-thread (lambda () (deep 100000)) \"clock\")) (until (= n 1)) (named 'worker) (until (= n 2)) (go (sleep 1000)) (usleep 5000)" \
    "(use-modules (coldstore)) (write (car (resume-report)))" \
    '(weeded . "threads: 3 of the last process, among them \"clock\", worker")'
  cs-inspect --threads "$STORE" | grep -A 99 WEEDED > weeded
  cat weeded
  grep -E 'UTC  "clock"$' weeded
  grep -E 'UTC  worker$' weeded
  grep -E 'UTC  #<thread [0-9]+ \([0-9a-f]+\)>$' weeded
  cs-inspect --threads --json "$STORE" | grep -E '"weeded": [0-9]+, "name": "\\"clock\\"", "frames": \['
  # The names of many are cut.
  run_in "$STORE" "$begin (for-each (lambda (i) (named (make-string 70 #\\x))) (iota 10)) (until (= n 10)) (checkpoint!) (kill (getpid) SIGKILL)"
  [ "$status" -eq 137 ] || show
  answers '("threads: 10 of" 487 "...")' '(use-modules (coldstore)) (let ((text (cdar (resume-report)))) (write (list (string-take text 14) (string-length text) (string-take-right text 3))))'
}

@test "cs-inspect --threads: a hundred threads, and no more than 64 that are gone" {
  run_in "$STORE" "$prelude (do ((i 0 (1+ i))) ((= i 100)) (go (sleep 1000))) (usleep 50000) (checkpoint!) (kill (getpid) SIGKILL)"
  [ "$(cs-inspect --threads "$STORE" | grep -c ': in sleep')" -eq 100 ]
  answers '((weeded . "threads: 100 of the last process"))' '(use-modules (coldstore)) (write (resume-report))'
  [ "$(cs-inspect --threads "$STORE" | grep -A 999 WEEDED | grep -c UTC)" -eq 64 ]
}
