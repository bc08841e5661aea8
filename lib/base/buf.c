/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_free(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	free(b->data);
	*b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for n more bytes and the NUL. Not realloc(): what the old block held would stay behind. */
static int buf_grow(struct buf *b, size_t n)
{
	if (b->error)
		return b->error;
	if (n > b->max || b->len > b->max - n)
		return b->error = -EMSGSIZE;
	if (b->data && b->cap - b->len > n)
		return 0;
	size_t cap = b->cap ? b->cap : 64;

	while (cap - b->len <= n)
		cap *= 2;
	uint8_t *p = malloc(cap);

	if (!p)
		return b->error = -ENOMEM;
	if (b->data) {
		memcpy(p, b->data, b->len + 1);
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	b->data = p;
	b->cap = cap;
	return 0;
}

void *buf_extend(struct buf *b, size_t n)
{
	if (buf_grow(b, n) < 0)
		return NULL;
	void *p = b->data + b->len;

	b->len += n;
	b->data[b->len] = '\0';
	return p;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	void *to = buf_extend(b, n);

	if (to && n)
		memcpy(to, p, n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);

	va_end(ap);
	if (n < 0) {
		b->error = b->error ? b->error : -EINVAL;
	} else if (buf_grow(b, (size_t)n) == 0) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

const char *buf_str(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

int buf_error(const struct buf *b)
{
	return b->error;
}

char *buf_detach(struct buf *b)
{
	if (buf_grow(b, 0) < 0)
		return NULL;
	b->data[b->len] = '\0';
	char *s = (char *)b->data;

	*b = (struct buf)BUF_INIT(b->max);
	return s;
}
