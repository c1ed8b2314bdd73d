/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash-report.c -- what a process says that dies by a signal.

   All of it runs in a signal's handler, in whatever state the process is: it
   maps memory, reads, formats and writes, takes no lock and allocates nothing.
   ld.so's lists are behind a lock, so what is mapped where is asked of the
   kernel (/proc/self/maps), and for carried libraries of the set of them.

   Without frame pointers nothing but a table for each library says where a
   function was called from.  So the stack is looked through for words that
   lead behind a call in a library that may be the one to blame; the first is
   the innermost.  One that an earlier call has left there may mislead: it is a
   hint to a person.  The stack is read through the kernel, as its end may be
   anywhere.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/arch.h"
#include "machine.h"
#include "maps.h"
#include "process/process.h"
#include "workspace/crash-report.h"

#define RANGES_MAX 1024
#define STACK_LEN (64 * 1024)   /* that is looked through */
#define STACK_NEAR (64 * 1024)  /* a fault so far below the stack's end */

enum kind
{
  KIND_OWN,                     /* libc, ld.so, the command */
  KIND_INTERPRETER,             /* libguile, libgc; code of the heap */
  KIND_OTHER,
  KIND_EXTENSION
};

struct range                    /* of code */
{
  uintptr_t start, end;
  uintptr_t base;               /* what offsets are counted from */
  enum kind kind;
  size_t number;                /* of an extension in the set */
  char name[64];
};

struct scratch
{
  size_t nr;
  struct range ranges[RANGES_MAX];
  uintptr_t words[STACK_LEN / sizeof (uintptr_t)];
  char text[8192];
};

static size_t nr_resumed;

void
cs_crash_report_restore (void)
{
  nr_resumed = cs_process.libraries.nr;
}

static struct range *
add (struct scratch *s, uintptr_t start, uintptr_t end, enum kind kind,
     const char *name)
{
  struct range *range = &s->ranges[s->nr];

  if (s->nr == RANGES_MAX)
    return NULL;
  *range = (struct range) { .start = start, .end = end, .base = start,
                            .kind = kind };
  memcpy (range->name, name, strnlen (name, sizeof range->name - 1));
  s->nr++;
  return range;
}

static void
add_carried (struct scratch *s)
{
  const struct cs_library_set *set = &cs_process.libraries;

  for (size_t i = 0; i < set->nr; i++)
    {
      const struct cs_library_disk *library = set->items[i].library;
      struct range *range
        = add (s, (uintptr_t) library->addr,
               (uintptr_t) (library->addr + library->len),
               i < set->nr_base ? KIND_INTERPRETER : KIND_EXTENSION,
               library->soname);

      if (range)
        range->number = i;
    }
}

static bool
begins_with (const char *text, const char *word)
{
  return strncmp (text, word, strlen (word)) == 0;
}

static enum kind
kind_of (const struct cs_mapping *m)
{
  if (m->start <= (uintptr_t) kind_of && (uintptr_t) kind_of < m->end)
    return KIND_OWN;
  return begins_with (m->name, "libc.so.") || begins_with (m->name, "libc-")
         || begins_with (m->name, "libpthread")
         || begins_with (m->name, "ld-linux") || begins_with (m->name, "[")
           ? KIND_OWN : KIND_OTHER;
}

static void
add_mapping (void *closure, const struct cs_mapping *m)
{
  struct scratch *s = closure;
  struct range *range;

  if (m->prot[2] != 'x')
    return;
  if (cs_store_contains (cs_process.store, (void *) m->start))
    {
      add (s, m->start, m->end, KIND_INTERPRETER, "code of the workspace");
      return;
    }
  range = add (s, m->start, m->end, kind_of (m), m->name);
  /* As tools count that look at the file: addr2line(1), for one.  */
  if (range)
    range->base = m->start - m->off;
}

static const struct range *
find (const struct scratch *s, uintptr_t addr)
{
  for (size_t i = 0; i < s->nr; i++)
    if (addr >= s->ranges[i].start && addr < s->ranges[i].end)
      return &s->ranges[i];
  return NULL;
}

/* Can CALLER be what is to blame for a fault in code of kind HERE?  */
static bool
is_suspect (const struct range *caller, enum kind here)
{
  return caller->kind == KIND_EXTENSION
         || (caller->kind == KIND_OTHER && here == KIND_OWN);
}

static const struct range *
find_caller (struct scratch *s, uintptr_t sp, enum kind here,
             uintptr_t *addr)
{
  struct iovec from = { (void *) sp, STACK_LEN }, to = { s->words, STACK_LEN };
  ssize_t len = process_vm_readv (getpid (), &to, 1, &from, 1, 0);

  /* Nothing is read of a piece that is not all there.  */
  if (len < 0)
    {
      from.iov_len = to.iov_len = CS_STORE_PAGE_LEN - sp % CS_STORE_PAGE_LEN;
      len = process_vm_readv (getpid (), &to, 1, &from, 1, 0);
    }
  for (size_t i = 0; len > 0 && i < (size_t) len / sizeof *s->words; i++)
    {
      const struct range *range = find (s, s->words[i]);

      *addr = s->words[i];
      if (range && is_suspect (range, here)
          && *addr >= range->start + 7
          && cs_arch_native ()->follows_call ((void *) *addr))
        return range;
    }
  return NULL;
}

static void
put (const char *text, int len)
{
  if (len > 0 && write (STDERR_FILENO, text, (size_t) len) < 0)
    return;
}

static const char *
word_for (const struct range *range)
{
  return range->kind == KIND_EXTENSION ? "extension " : "";
}

/* Returns the extension that has to do with it, or NULL.  */
static const struct range *
tell_place (struct scratch *s, uintptr_t pc, uintptr_t sp, char *text,
            size_t len)
{
  const struct range *here = find (s, pc), *caller = NULL;
  uintptr_t addr = 0;
  int n = 0;

  if (!here || here->kind != KIND_EXTENSION)
    caller = find_caller (s, sp, here ? here->kind : KIND_OWN, &addr);
  if (here)
    n = snprintf (text, len, " in %s%s+0x%" PRIxPTR, word_for (here),
                  here->name, pc - here->base);
  if (caller)
    snprintf (text + n, len - (size_t) n, ", called by %s%s+0x%" PRIxPTR,
              word_for (caller), caller->name, addr - caller->base);
  if (here && here->kind == KIND_EXTENSION)
    return here;
  return caller && caller->kind == KIND_EXTENSION ? caller : NULL;
}

/* Is it for what memory holds?  si_code is positive if the kernel says so.  */
static bool
is_fault (const siginfo_t *info)
{
  return (info->si_signo == SIGSEGV || info->si_signo == SIGBUS)
         && info->si_code > 0;
}

static bool
is_stack_full (const siginfo_t *info, uintptr_t sp)
{
  uintptr_t addr = (uintptr_t) info->si_addr;

  return is_fault (info) && addr + STACK_NEAR > sp && addr < sp + STACK_NEAR;
}

static void
tell_signal (const siginfo_t *info, uintptr_t sp, const char *place)
{
  char text[512], more[64] = "";

  if (is_stack_full (info, sp))
    snprintf (more, sizeof more, ": the thread's stack is full");
  else if (is_fault (info))
    snprintf (more, sizeof more, ", address 0x%" PRIxPTR,
              (uintptr_t) info->si_addr);
  else if (info->si_code <= 0 && info->si_pid != getpid ())
    snprintf (more, sizeof more, ", sent by process %d", info->si_pid);
  put (text, snprintf (text, sizeof text, "%s: %s%s%s\n",
                       program_invocation_short_name,
                       sigdescr_np (info->si_signo), place, more));
}

/* What an extension keeps of another library's is of one process: the usual
   cause, when it has come from an earlier one.  */
static void
advise (const siginfo_t *info, uintptr_t sp, const struct range *extension)
{
  const char *owner = cs_process_lost_owner (extension->number);
  char text[512];

  if ((!is_fault (info) && info->si_signo != SIGABRT)
      || is_stack_full (info, sp) || extension->number >= nr_resumed
      || cs_process.libraries.items[extension->number].restart)
    return;
  put (text, snprintf (text, sizeof text, "  %s %s%s: in a workspace whose"
                       " policy has 'restart %s' it begins again in each"
                       " process\n", extension->name,
                       owner ? "kept an address of " : "may have kept what"
                       " was another process's",
                       owner ? owner : "", extension->name));
}

void
cs_crash_report (const siginfo_t *info, const void *context, bool saves)
{
  const greg_t *registers
    = ((const ucontext_t *) context)->uc_mcontext.gregs;
  uintptr_t sp = (uintptr_t) registers[CS_MACHINE_SP];
  const struct range *extension = NULL;
  char text[512] = "";
  struct scratch *s = mmap (NULL, sizeof *s, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (s != MAP_FAILED)
    {
      add_carried (s);
      cs_maps_each (s->text, sizeof s->text, add_mapping, s);
      extension = tell_place (s, (uintptr_t) registers[CS_MACHINE_PC], sp,
                              text, sizeof text);
    }
  tell_signal (info, sp, text);
  if (saves)
    put (text, snprintf (text, sizeof text, "  nothing since generation %"
                         PRIu64 " was saved\n",
                         cs_store_superblock (cs_process.store)->generation));
  if (extension)
    advise (info, sp, extension);
}
