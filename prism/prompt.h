/* SPDX-License-Identifier: MIT */
#ifndef PRISM_PROMPT_H
#define PRISM_PROMPT_H

/*
 * Questions to the person, on the terminal itself (/dev/tty), so that standard input and output
 * stay free for data. Every function returns a status.
 */
#include <stdbool.h>
#include <stddef.h>
#include "cli.h"

#define PASSWORD_MAX 1024

/* There is somebody to ask. */
bool prompt_possible(void);

/* A line; an empty answer gives "fallback" (which may be ""). */
int prompt_line(struct cli *c, const char *question, const char *fallback, char *out, size_t size);

/* The same without echo. The caller wipes out. */
int prompt_secret(struct cli *c, const char *question, char *out, size_t size);

/* Yes or no; an empty answer is no. "y" and "yes" are yes. */
int prompt_yes(struct cli *c, const char *question, bool *ret);

/* The first line of a file ("-" is standard input). The caller wipes out. */
int prompt_password_file(struct cli *c, const char *path, char *out, size_t size);

#endif
