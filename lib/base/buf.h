/* SPDX-License-Identifier: MIT */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growing byte buffer with a maximum that it is born with.
 *
 * Adding past the maximum, or running out of memory, puts the buffer into the failed state: every
 * later addition is a no-op and buf_error() tells why. So a caller may add many pieces and check
 * once. The bytes are always followed by a NUL that does not count, so text can be read in place.
 * buf_free() wipes what it held; it accepts a buffer that was never used.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
	int error; /* 0, or the first -errno: -ENOMEM, -EMSGSIZE */
};

#define BUF_INIT(maximum)                                                      \
	{                                                                      \
		.data = NULL, .len = 0, .cap = 0, .max = (maximum), .error = 0 \
	}
#define _cleanup_buf_ _cleanup_(buf_free)

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* Forget the contents and the error, keep the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
/* Make room for n bytes and return where they go, or NULL; the length grows by n. */
void *buf_extend(struct buf *b, size_t n);

/* The contents as text. Never NULL. Valid until the next change. */
const char *buf_str(const struct buf *b);
/* 0, or the first error. */
int buf_error(const struct buf *b);
/* Hand the NUL-terminated bytes to the caller, who frees them. NULL if the buffer failed. */
char *buf_detach(struct buf *b);

#endif
