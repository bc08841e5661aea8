/* SPDX-License-Identifier: MIT */
#ifndef LOCAL_H
#define LOCAL_H

/*
 * Who is local: listed in /etc/passwd. Read from the file itself and not through NSS, so that the
 * answer for root and the administrators depends on no other module, daemon or network.
 *
 * Strict: the name must be a whole first field, and the line one that the C library would accept
 * too (decimal uid and gid), else it would take the next source's answer and we would not know.
 * Returns 0, -ENOENT, or another -errno if the file could not be read.
 */
int local_find(const char *path, const char *name);

#endif
