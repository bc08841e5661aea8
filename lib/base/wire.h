/* SPDX-License-Identifier: MIT */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

/*
 * Little-endian integers and length-prefixed strings: what the feed and the socket protocol are
 * made of. A reader that runs over the end, or meets a string with a NUL inside, goes into the
 * failed state: it yields zeros and empty strings from then on, and wire_ok() says false. So a
 * parser reads all its fields and checks once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

struct wire {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

void wire_init(struct wire *w, const void *p, size_t n);
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int64_t wire_i64(struct wire *w);
/* n bytes in place, or NULL once failed. */
const uint8_t *wire_bytes(struct wire *w, size_t n);
/*
 * u16 length and that many bytes of text, copied with a NUL into out[size]; a text that does not
 * fit, or has a NUL inside, fails the reader. Returns the length.
 */
size_t wire_str(struct wire *w, char *out, size_t size);
/* A reader of the next n bytes, for nested records; the outer one steps over them. */
struct wire wire_sub(struct wire *w, size_t n);
size_t wire_left(const struct wire *w);
/* Nothing has failed. */
bool wire_ok(const struct wire *w);
/* Nothing has failed and nothing is left. */
bool wire_done(const struct wire *w);

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_i64(struct buf *b, int64_t v);
/* u16 length and text; longer than 65535 fails the buffer with -EMSGSIZE. */
void wire_put_str(struct buf *b, const char *s);

#endif
