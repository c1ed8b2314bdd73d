/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* deny-exec.c -- run a command that may not have memory which can be written
   to and executed, as a service with MemoryDenyWriteExecute.

   deny-exec COMMAND ARG...  Status 77: this kernel cannot deny it.  */

#include <sys/prctl.h>
#include <unistd.h>

/* Linux 6.3, include/uapi/linux/prctl.h.  */
#define SET_MDWE 65
#define REFUSE_EXEC_GAIN 1

int
main (int argc, char **argv)
{
  if (argc < 2 || prctl (SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
    return 77;
  execvp (argv[1], argv + 1);
  return 126;
}
