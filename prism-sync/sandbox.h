/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H

/*
 * What each half gives up before it touches anything from outside.
 *
 *	network half	user prism-sync, no capability, no new privileges, an allow-list of system
 *			calls, no writing to any file (Landlock, where the kernel has it)
 *	root half	only the capabilities that homes and sessions need, no new privileges, no
 *sockets but local ones, no exec, mount, module, ptrace, namespace or clock calls
 *	painter		memory, and writing to descriptors that are open already (login_qr.h)
 */
#include <sys/types.h>

/* uid 0: stay who we are (--no-drop). Returns 0 or -errno. */
int sandbox_network(uid_t uid, gid_t gid);
int sandbox_root(void);
int sandbox_painter(void);

#endif
