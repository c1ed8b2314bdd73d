#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# blocks.bats -- blocks of the store in the hands of code that the policy
# does not patch.

load helper

setup ()
{
  store_new
  export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
}

# What another library, opened by the extension itself, does with a block.
plugin ()
{
  c_library plugin <<'E'
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
void *give_up (void *block) { free (block); return 0; }
void *grow (void *block)
{
  block = realloc (block, 100000);
  memset ((char *) block + 5, 0, 100000 - 5);
  return block;
}
void *grow_array (void *block) { return reallocarray (block, 1000, 1000); }
void *look (void *block) { return malloc_usable_size (block) < 5 ? 0 : block; }
E
}

# The extension's own malloc() is the store's.
extension_of_blocks ()
{
  extension e <<'E'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libguile.h>
static char *kept;
static SCM line (SCM len)
{
  size_t n = 8, want = scm_to_size_t (len);
  char *b = malloc (n), *text = malloc (want + 2);
  memset (text, 'x', want);
  text[want] = '\n';
  FILE *f = fmemopen (text, want + 1, "r");
  ssize_t got = getline (&b, &n, f);
  fclose (f);
  SCM r = scm_list_2 (scm_from_ssize_t (got),
                      scm_from_bool (memcmp (b, text, want + 1) == 0));
  free (b);
  free (text);
  return r;
}
static SCM stream (SCM len)
{
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream (&text, &n);
  for (int i = scm_to_int (len); i > 0; i--)
    fputc ('y', f);
  fclose (f);
  text = realloc (text, n + 100);
  SCM r = scm_from_size_t (strlen (text));
  free (text);
  return r;
}
static void *symbol (SCM name)
{
  char *text = scm_to_locale_string (name);
  void *f = dlsym (dlopen ("libplugin.so", RTLD_NOW), text);
  free (text);
  return f;
}
static SCM plugin (SCM name)
{
  void *(*f) (void *) = symbol (name);
  char *b = f (strcpy (malloc (5), "four"));
  SCM r = b ? scm_from_locale_string (b) : SCM_BOOL_F;
  free (b);
  return r;
}
/* On a thread that the collector does not know.  */
static SCM plugin_thread (SCM name)
{
  pthread_t thread;
  void *b;
  pthread_create (&thread, NULL, symbol (name), strcpy (malloc (5), "four"));
  pthread_join (thread, &b);
  SCM r = b ? scm_from_locale_string (b) : SCM_BOOL_F;
  free (b);
  return r;
}
static SCM keep (void)
{
  kept = strcpy (malloc (5), "four");
  return SCM_BOOL_T;
}
static SCM plugin_kept (SCM name)
{
  void *(*f) (void *) = symbol (name);
  kept = f (kept);
  return kept ? scm_from_locale_string (kept) : SCM_BOOL_F;
}
static void *(*last) (void *);
static void at_exit (void *unused) { (void) unused; last (kept); }
/* By libc's own function, which the policy does not replace.  */
static SCM plugin_at_exit (SCM name)
{
  int (*at) (void (*) (void *), void *, void *) = dlsym (RTLD_DEFAULT, "__cxa_atexit");
  last = symbol (name);
  keep ();
  return scm_from_int (at (at_exit, 0, 0));
}
void init_e (void)
{
  scm_c_define_gsubr ("line", 1, 0, 0, line);
  scm_c_define_gsubr ("stream", 1, 0, 0, stream);
  scm_c_define_gsubr ("plugin", 1, 0, 0, plugin);
  scm_c_define_gsubr ("plugin-thread", 1, 0, 0, plugin_thread);
  scm_c_define_gsubr ("keep", 0, 0, 0, keep);
  scm_c_define_gsubr ("plugin-kept", 1, 0, 0, plugin_kept);
  scm_c_define_gsubr ("plugin-at-exit", 1, 0, 0, plugin_at_exit);
}
E
}

blocks_new ()
{
  plugin
  extension_of_blocks
  persist "(load-extension \"$PWD/libe\" \"init_e\")"
}

reads='(list (line 2) (line 100000) (stream 70000))'
calls='(map f (list "give_up" "grow" "grow_array" "look"))'

@test "libc resizes and frees a block of the store: getline, open_memstream" {
  blocks_new
  answers '((3 #t) (100001 #t) 70000)' "(write $reads)"
  answers '((3 #t) (100001 #t) 70000)' "(write $reads)"
}

@test "a library that an extension opens itself frees and resizes its blocks" {
  blocks_new
  answers '(#f "four" "four" "four")' "(define f plugin) (write $calls)"
  answers '(#f "four" "four" "four")' "(write $calls)"
}

@test "so does a thread that the collector does not know, and a forked child" {
  blocks_new
  answers '(#f "four" "four" "four")' "(define f plugin-thread) (write $calls)"
  answers '(#f "four" "four" "four")0' "(let ((pid (primitive-fork))) (if (zero? pid) (begin (write $calls) (force-output) (primitive-_exit 0)) (write (cdr (waitpid pid)))))"
}

@test "a block of an earlier process is one of the store's" {
  blocks_new
  persist '(keep)'
  killed '(plugin-kept "grow")'
  answers '"four"' '(gc) (write (plugin-kept "look"))'
  answers '#f' '(write (plugin-kept "give_up"))'
}

@test "a block is freed or resized when the workspace has been left" {
  local f

  blocks_new
  for f in give_up grow grow_array look; do
    answers 0 "(write (plugin-at-exit \"$f\"))"
  done
  answers '((3 #t) (100001 #t) 70000)' "(write $reads)"
}

# Blocks with a mark in front, of which libc's free() would know nothing.
@test "another malloc that was preloaded has its own blocks" {
  c_library other <<'E'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
static char room[256 << 20];
static size_t used;
static const char mark[16] = "a block of mine";
static size_t *head (void *p)
{
  if (memcmp ((char *) p - 16, mark, 16) != 0)
    abort ();
  return (size_t *) ((char *) p - 32);
}
void *malloc (size_t n)
{
  char *b = room + __atomic_fetch_add (&used, (n + 47) & ~(size_t) 15, __ATOMIC_SEQ_CST);
  *(size_t *) b = n;
  memcpy (b + 16, mark, 16);
  return b + 32;
}
void *calloc (size_t m, size_t n) { return malloc (m * n); }
void free (void *p)
{
  if (p)
    *head (p) = 0;
}
void *realloc (void *p, size_t n)
{
  void *q = malloc (n);
  return p ? memcpy (q, p, *head (p) < n ? *head (p) : n) : q;
}
size_t malloc_usable_size (void *p) { return p ? *head (p) : 0; }
/* The second frees the text of the first one's error.  */
static void __attribute__ ((constructor)) fail (void)
{
  dlsym (RTLD_DEFAULT, "no_such_function");
  dlsym (RTLD_DEFAULT, "no_such_function");
}
E
  blocks_new
  run --separate-stderr bounded env LD_PRELOAD="$PWD/libother.so" cs-run "$STORE" -c "(define f plugin) (write (cons $reads $calls))" < /dev/null
  ended 0
  printed '(((3 #t) (100001 #t) 70000) #f "four" "four" "four")'
}
