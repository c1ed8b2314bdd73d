/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* crash.c -- what a process says that dies by a signal.

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
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "guile/crash.h"
#include "intern/arch.h"
#include "machine.h"
#include "process/process.h"

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
cs_crash_resumed (void)
{
  nr_resumed = cs_process.libraries.nr;
}

static struct range *
add (struct scratch *s, uintptr_t start, uintptr_t end, enum kind kind,
     const char *name, size_t name_len)
{
  struct range *range = &s->ranges[s->nr];

  if (s->nr == RANGES_MAX)
    return NULL;
  if (name_len > sizeof range->name - 1)
    name_len = sizeof range->name - 1;
  *range = (struct range) { .start = start, .end = end, .base = start,
                            .kind = kind };
  memcpy (range->name, name, name_len);
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
               library->soname,
               strnlen (library->soname, sizeof library->soname));

      if (range)
        range->number = i;
    }
}

static bool
begins_with (const char *text, const char *end, const char *word)
{
  size_t len = strlen (word);

  return (size_t) (end - text) >= len && memcmp (text, word, len) == 0;
}

static enum kind
kind_of (uintptr_t start, uintptr_t end, const char *name, const char *stop)
{
  if (start <= (uintptr_t) kind_of && (uintptr_t) kind_of < end)
    return KIND_OWN;
  return begins_with (name, stop, "libc.so.")
         || begins_with (name, stop, "libc-")
         || begins_with (name, stop, "libpthread")
         || begins_with (name, stop, "ld-linux")
         || begins_with (name, stop, "[") ? KIND_OWN : KIND_OTHER;
}

/* A line of proc(5)'s maps, from LINE to STOP:
   "5581e2a0f000-5581e2a10000 r-xp 00001000 fe:01 1234    /path".  */
static void
add_mapping (struct scratch *s, const char *line, const char *stop)
{
  char *next;
  uintptr_t start = (uintptr_t) strtoull (line, &next, 16), end, off;
  const char *prot = NULL, *name = stop;

  end = (uintptr_t) strtoull (next + 1, &next, 16);
  prot = next + 1;
  if (stop - prot < 5 || prot[2] != 'x')
    return;
  off = (uintptr_t) strtoull (prot + 5, NULL, 16);
  while (name > prot && name[-1] != '/' && name[-1] != ' ')
    name--;
  if (cs_store_contains (cs_process.store, (void *) start))
    add (s, start, end, KIND_INTERPRETER, "code of the workspace", 21);
  else
    {
      struct range *range = add (s, start, end,
                                 kind_of (start, end, name, stop), name,
                                 (size_t) (stop - name));

      /* As tools count that look at the file: addr2line(1), for one.  */
      if (range)
        range->base = start - off;
    }
}

/* Take the lines of S->text, of LEN bytes; returns how many are left of one
   that has not ended, now at its beginning.  */
static size_t
add_lines (struct scratch *s, size_t len)
{
  char *line = s->text, *stop;

  while ((stop = memchr (line, '\n', len - (size_t) (line - s->text))))
    {
      *stop = '\0';
      add_mapping (s, line, stop);
      line = stop + 1;
    }
  len -= (size_t) (line - s->text);
  memmove (s->text, line, len);
  return len;
}

static void
add_mappings (struct scratch *s)
{
  int fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  size_t len = 0;
  ssize_t got;

  if (fd < 0)
    return;
  while ((got = read (fd, s->text + len, sizeof s->text - len)) > 0)
    len = add_lines (s, len + (size_t) got);
  close (fd);
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
  char text[512];

  if ((is_fault (info) || info->si_signo == SIGABRT)
      && !is_stack_full (info, sp)
      && extension->number < nr_resumed
      && !cs_process.libraries.items[extension->number].restart)
    put (text, snprintf (text, sizeof text, "  %s comes from an earlier"
                         " process: if it keeps what another library had"
                         " there, the rule 'restart %s' has it begin anew"
                         " (coldstore-policy(5))\n", extension->name,
                         extension->name));
}

void
cs_crash_tell (const siginfo_t *info, const void *context, bool saves)
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
      add_mappings (s);
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
