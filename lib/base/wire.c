/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <endian.h>
#include <string.h>
#include "base/wire.h"

void wire_init(struct wire *w, const void *p, size_t n)
{
	static const uint8_t nothing;

	w->p = n ? p : &nothing;
	w->end = w->p + n;
	w->failed = false;
}

const uint8_t *wire_bytes(struct wire *w, size_t n)
{
	const uint8_t *p = w->p;

	if (w->failed || (size_t)(w->end - w->p) < n) {
		w->failed = true;
		return NULL;
	}
	w->p += n;
	return p;
}

uint8_t wire_u8(struct wire *w)
{
	const uint8_t *p = wire_bytes(w, 1);

	return p ? *p : 0;
}

uint16_t wire_u16(struct wire *w)
{
	const uint8_t *p = wire_bytes(w, 2);
	uint16_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

uint32_t wire_u32(struct wire *w)
{
	const uint8_t *p = wire_bytes(w, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

uint64_t wire_u64(struct wire *w)
{
	const uint8_t *p = wire_bytes(w, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

int64_t wire_i64(struct wire *w)
{
	return (int64_t)wire_u64(w);
}

size_t wire_str(struct wire *w, char *out, size_t size)
{
	size_t n = wire_u16(w);
	const uint8_t *p = wire_bytes(w, n);

	if (!p || n >= size || memchr(p, '\0', n)) {
		w->failed = true;
		n = 0;
	} else {
		memcpy(out, p, n);
	}
	if (size > 0)
		out[n] = '\0';
	return n;
}

struct wire wire_sub(struct wire *w, size_t n)
{
	struct wire sub;
	const uint8_t *p = wire_bytes(w, n);

	wire_init(&sub, p, p ? n : 0);
	sub.failed = !p;
	return sub;
}

size_t wire_left(const struct wire *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->p);
}

bool wire_ok(const struct wire *w)
{
	return !w->failed;
}

bool wire_done(const struct wire *w)
{
	return !w->failed && w->p == w->end;
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void wire_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, &v, sizeof(v));
}

void wire_put_i64(struct buf *b, int64_t v)
{
	wire_put_u64(b, (uint64_t)v);
}

void wire_put_str(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		b->error = b->error ? b->error : -EMSGSIZE;
		return;
	}
	wire_put_u16(b, (uint16_t)n);
	buf_add(b, s, n);
}
