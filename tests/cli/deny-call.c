/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* deny-call.c -- run a command for which a system call fails, as in a sandbox.

   deny-call EPERM|ENOSYS CALL COMMAND ARG...  Status 77: this kernel has no
   filters of system calls, or CALL is not in the table.  */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A call has two numbers: the command may be of 32 bits.  */
static const struct call
{
  const char *name;
  unsigned int x86_64, i386;
} calls[] = {
  { "close_range", 436, 436 }, { "copy_file_range", 326, 377 },
  { "fadvise64", 221, 272 },   { "fallocate", 285, 324 },
  { "ioctl", 16, 54 },         { "kcmp", 312, 349 },
  { "memfd_create", 319, 356 }, { "statx", 332, 383 },
  { "sync_file_range", 277, 314 }, { "userfaultfd", 323, 374 },
};
#define NR_CALLS (sizeof calls / sizeof *calls)

static const struct call *
find_call (const char *name)
{
  for (size_t i = 0; i < NR_CALLS; i++)
    if (strcmp (calls[i].name, name) == 0)
      return &calls[i];
  return NULL;
}

static int
deny (const struct call *call, unsigned int reason)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, arch)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 2, 0),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, call->x86_64, 3, 2),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, call->i386, 1, 0),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | reason),
  };
  struct sock_fprog program = { sizeof code / sizeof *code, code };

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                 && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
             ? 0
             : -1;
}

int
main (int argc, char **argv)
{
  const struct call *call = argc > 3 ? find_call (argv[2]) : NULL;

  if (!call || deny (call, strcmp (argv[1], "EPERM") == 0 ? EPERM : ENOSYS) != 0)
    return 77;
  execvp (argv[3], argv + 3);
  return 126;
}
