/* SPDX-License-Identifier: MIT */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

/* Secrets: wiped when released, compared in constant time, made by the kernel's generator. */
#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

/* Wipe and free a NUL-terminated heap string. Accepts NULL. */
void secret_free(char *s);
static inline void secret_freep(char **s)
{
	secret_free(*s);
}
#define _cleanup_secret_ _cleanup_(secret_freep)

/* Compare n bytes in time that depends on n alone. */
bool secret_equal(const void *a, const void *b, size_t n);

/* Fill p with n bytes of getrandom(2). Returns 0 or -errno. */
int secret_random(void *p, size_t n) _must_check_;

#endif
