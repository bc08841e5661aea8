/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H

/*
 * What is given up before the first byte from outside is read: files (Landlock, where the kernel
 * has it; every open() fails with EACCES in any case), further processes and threads, the network,
 * new descriptors, more than SANDBOX_MEMORY of address space and SANDBOX_SECONDS of the processor.
 * A system call that is not on the list ends the process.
 */

#define SANDBOX_MEMORY	(256u << 20)
#define SANDBOX_SECONDS 4

/* 0 or -errno. */
int sandbox_enter(void);

#endif
