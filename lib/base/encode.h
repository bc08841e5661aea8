/* SPDX-License-Identifier: MIT */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

/* Hexadecimal (RFC 4648 §8, lowercase), base64 (§4) and base64url without padding (§5). */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HEX_LEN(n)	 ((n)*2)
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)
#define BASE64_LEN(n)	 (((n) + 2) / 3 * 4)

/* Each writes the text and a NUL; "out" has room for the length above and one more. */
void hex_encode(const void *in, size_t n, char *out);
void base64url_encode(const void *in, size_t n, char *out);
void base64_encode(const void *in, size_t n, char *out);

/*
 * Decode the whole of "in". Strict: no white space, no missing or foreign characters, no bits set
 * past the end; base64url takes no padding, base64 insists on it.
 * Returns the number of bytes, or -EINVAL, or -ENOBUFS when they would exceed "max".
 */
ssize_t hex_decode(const char *in, size_t len, void *out, size_t max);
ssize_t base64url_decode(const char *in, size_t len, void *out, size_t max);
ssize_t base64_decode(const char *in, size_t len, void *out, size_t max);

#endif
