/* SPDX-License-Identifier: MIT */
#ifndef PRISM_TOOL_H
#define PRISM_TOOL_H

/*
 * Other programs: found by PATH, without a shell. Their standard error is ours, and they may ask on
 * the terminal.
 */
#include <stddef.h>
#include "base/buf.h"

/*
 * Run to the end. "input" (at most PIPE_BUF bytes; NULL: an empty file) is its standard input; its
 * standard output is appended to "out" (NULL: dropped).
 * Returns 0, its exit status when that is not 0 (128 for a signal), or -errno.
 */
int tool_run(const char *const argv[], const char *input, size_t len, struct buf *out);

/* The same without input, with its standard error in "out" as well. */
int tool_run_quiet(const char *const argv[], struct buf *out);

/*
 * Start it and leave it alone, in a session of its own and without our terminal: a browser. 0 or
 * -errno.
 */
int tool_start(const char *const argv[]);

/*
 * Run in the foreground with our terminal, standard input and output. While it runs, interrupts are
 * its own affair; when it stops, we stop with it. Returns its exit status, 128 + signal, or -errno.
 */
int tool_run_foreground(const char *const argv[]);

#endif
