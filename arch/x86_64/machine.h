/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* machine.h -- what the machine libcs is built for is called.

   Found through -Iarch/$(MACHINE); the other folders under arch/ have one
   too.  Constants only, so that every layer may include it.  */
#ifndef CS_MACHINE_H
#define CS_MACHINE_H

#define CS_MACHINE_ELF 62       /* EM_... of elf.h */
#define CS_MACHINE_NAME "x86_64"
/* Debian's name for the folder of its libraries.  */
#define CS_MACHINE_TRIPLET "x86_64-linux-gnu"
/* Where a signal's context has them (ucontext.h: uc_mcontext.gregs).  */
#define CS_MACHINE_PC REG_RIP
#define CS_MACHINE_SP REG_RSP

#endif
