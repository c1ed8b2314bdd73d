/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* shell-command.h -- system(3) as libguile calls it, during which requests to
   the workspace are answered.  */
#ifndef CS_SHELL_COMMAND_H
#define CS_SHELL_COMMAND_H

/* In Guile mode.  What system(3) does and returns, but a request that arrives
   while COMMAND runs is answered at once (answer.h): the workspace is saved,
   or left, and then this does not return and COMMAND goes on by itself.  */
int cs_shell_command_run (const char *command);

/* In the child of a fork (fork.h): the commands of other threads are not
   waited for.  */
void cs_shell_command_fork_child (void);

#endif
