/* SPDX-License-Identifier: MIT */
#ifndef BASE_IO_H
#define BASE_IO_H

/*
 * Files, opened once and judged by descriptor. No function follows a symbolic link in the last
 * component; none leaves a descriptor without O_CLOEXEC. Returns 0 (or a count) or -errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"

/* Read or write exactly n bytes; io_read_full returns -EIO at an early end. EINTR is retried. */
int io_read_full(int fd, void *p, size_t n);
int io_write_full(int fd, const void *p, size_t n);

/* Append the whole file to "out", whose maximum limits it (-EMSGSIZE). Regular files only. */
int io_read_file(const char *path, struct buf *out);

/*
 * As above for a file that carries secrets or decides: -EPERM unless it is owned by "owner" or
 * root, and its mode has no bit of "forbidden" (for example 077, or 022).
 */
int io_read_private(const char *path, uid_t owner, mode_t forbidden, struct buf *out);

/*
 * Replace "path" by these bytes: written beside it, fsync, rename, fsync of the folder. The file
 * has exactly "mode", and "uid":"gid" where they are not (uid_t)-1.
 */
int io_replace_file(const char *path, const void *p, size_t n, mode_t mode, uid_t uid, gid_t gid);

/* Create the folder and its missing parents; an existing one keeps its mode. */
int io_make_dirs(const char *path, mode_t mode);

/* fsync the folder that holds "path". */
int io_sync_parent(const char *path);

#endif
