#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# crash.bats -- a run that dies by a signal says where, and what is not saved.

load helper

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
  ulimit -c 0
}

crashing_extension ()
{
  c_library other <<'E'
#include <string.h>
unsigned long other_len (const char *text) { return strlen (text) + 1; }
E
  extension e -L. -lother -w <<'E'
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <libguile.h>
unsigned long other_len (const char *text);
static volatile int zero;
static int deep (int n)
{
  volatile char b[500];
  b[0] = n;
  return n == -1 ? 0 : deep (n + 1) + b[0];
}
static void *len (void *p) { return (void *) strlen (p); }
static SCM crash (SCM how)
{
  pthread_t thread;
  volatile int r;
  switch (scm_to_int (how))
    {
    case 0: *(volatile int *) 16 = 1; break;
    case 1: return scm_from_ulong (other_len ((char *) 24));
    case 2: abort ();
    case 3: r = 7 / zero; break;
    case 4: r = deep (1); break;
    case 5: raise (SIGILL); break;
    case 6:
      pthread_create (&thread, 0, len, (void *) 3);
      pthread_join (thread, 0);
      break;
    case 7: signal (SIGSEGV, SIG_IGN); raise (SIGSEGV); break;
    }
  return SCM_EOL;
}
static void handler (int signum) { _exit (77); }
static SCM handle (void) { signal (SIGSEGV, handler); return SCM_EOL; }
void init_e (void)
{
  scm_c_define_gsubr ("crash", 1, 0, 0, crash);
  scm_c_define_gsubr ("handle", 0, 0, 0, handle);
}
E
  persist "(load-extension \"$PWD/libe\" \"init_e\")"
}

unsaved='nothing since generation 2 was saved'

@test "it names the signal, the place, and the generation that is left" {
  crashing_extension
  fails 139 '(crash 0)'
  complained 'cs-run: Segmentation fault in extension libe.so+0x'
  complained ', address 0x10'
  complained "$unsaved"
  fails 134 '(crash 2)'
  complained 'cs-run: Aborted in libc'
  complained ', called by extension libe.so+0x'
  complained "$unsaved"
  fails 136 '(crash 3)'
  complained 'cs-run: Floating point exception in extension libe.so+0x'
  fails 132 '(crash 5)'
  complained 'cs-run: Illegal instruction in libc'
  answers '()' '(write (crash 7))'
}

@test "in a library that an extension calls: both are named" {
  crashing_extension
  fails 139 '(crash 1)'
  complained 'called by libother.so+0x'
  fails 139 '(crash 6)'
  complained 'called by extension libe.so+0x'
}

@test "in a function of the foreign interface, and in none" {
  crashing_extension
  fails 139 "(use-modules (system foreign)) ((pointer->procedure unsigned-long (dynamic-func \"other_len\" (dynamic-link \"libother.so\")) '(*)) (make-pointer 5))"
  complained 'called by libother.so+0x'
  fails 139 '(kill (getpid) SIGSEGV)'
  complained 'cs-run: Segmentation fault in libc'
  case $stderr in *called*|*restart*) show ;; esac
}

@test "a stack that is full, of the main thread and of another" {
  crashing_extension
  fails 139 '(crash 4)'
  complained "in extension libe.so+0x"
  complained "the thread's stack is full"
  complained "$unsaved"
  fails 139 "(use-modules (ice-9 threads)) (join-thread (call-with-new-thread (lambda () (crash 4))))"
  complained "the thread's stack is full"
  # Threads that end have given theirs back.
  answers '#t' '(use-modules (ice-9 threads) (ice-9 textual-ports))
    (define (nr) (length (string-split (call-with-input-file "/proc/self/maps" get-string-all) #\newline)))
    (define (run) (do ((i 0 (1+ i))) ((= i 200)) (join-thread (call-with-new-thread (lambda () i)))))
    (run)
    (let ((before (nr))) (run) (write (< (- (nr) before) 20)))'
}

@test "a run that saves nothing does not speak of saving; a child says where" {
  crashing_extension
  run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(crash 0)' < /dev/null
  ended 139
  complained 'in extension libe.so+0x'
  case $stderr in *saved*) show ;; esac
  answers '(11 kept)' "(let ((pid (primitive-fork))) (if (zero? pid) (begin (dup2 (fileno (open \"said\" (logior O_CREAT O_WRONLY))) 2) (crash 0)) (write (list (status:term-sig (cdr (waitpid pid))) 'kept))))"
  grep -q 'in extension libe.so+0x' said
  run ! grep saved said
}

@test "the newest generation is the one that is named; it is there" {
  crashing_extension
  fails 139 '(define x 1) ((@ (coldstore) checkpoint!)) (define x 2) (crash 0)'
  complained 'nothing since generation 3 was saved'
  answers 1 '(write x)'
}

@test "what comes from another process has a rule that may help" {
  crashing_extension
  fails 139 '(crash 0)'
  complained "restart libe.so"
  fails 139 '(crash 4)'
  case $stderr in *restart*) show ;; esac
  store_fresh
  fails 139 "(load-extension \"$PWD/libe\" \"init_e\") (crash 0)"
  case $stderr in *restart*) show ;; esac
}

@test "a handler of the program's own is the one that is called" {
  crashing_extension
  fails 77 '(handle) (crash 0)'
  [ -z "$stderr" ]
}

@test "a file of the program's that became shorter under its mapping is not the store's" {
  fails 135 "(use-modules (rnrs bytevectors) (system foreign) (system foreign-library))
    (define map-file (foreign-library-function #f \"mmap\" #:return-type '* #:arg-types (list '* size_t int int int long)))
    (define p (open-file \"f\" \"w+\"))
    (truncate-file p 4096)
    (define bytes (pointer->bytevector (map-file %null-pointer 4096 1 1 (fileno p) 0) 4096))
    (truncate-file p 0)
    (bytevector-u8-ref bytes 5)"
  complained 'cs-run: Bus error'
  case $stderr in *'no room'*) show ;; esac
}
