/* SPDX-License-Identifier: MIT */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/*
 * Attributes and ownership.
 *
 * _cleanup_(fn) runs fn(&variable) when the variable leaves its scope; every such variable is
 * initialised where it is declared. TAKE_PTR(p) gives the pointer away and leaves NULL behind.
 * A function that uses _cleanup_ has no goto.
 */
#include <stddef.h>

#define _cleanup_(fn)  __attribute__((__cleanup__(fn)))
#define _printf_(f, a) __attribute__((__format__(__printf__, f, a)))
#define _must_check_   __attribute__((__warn_unused_result__))
#define _pure_	       __attribute__((__pure__))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_	 _cleanup_(freep)
#define _cleanup_close_	 _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

#endif
