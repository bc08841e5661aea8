/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/encode.h"

static const char hex_digits[] = "0123456789abcdef";
static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(const void *in, size_t n, char *out)
{
	const uint8_t *p = in;

	for (size_t i = 0; i < n; i++) {
		*out++ = hex_digits[p[i] >> 4];
		*out++ = hex_digits[p[i] & 15];
	}
	*out = '\0';
}

static int digit(const char *alphabet, size_t n, char c)
{
	const char *at = memchr(alphabet, c, n);

	return at ? (int)(at - alphabet) : -1;
}

ssize_t hex_decode(const char *in, size_t len, void *out, size_t max)
{
	uint8_t *to = out;

	if (len % 2)
		return -EINVAL;
	if (len / 2 > max)
		return -ENOBUFS;
	for (size_t i = 0; i < len; i += 2) {
		int hi = digit(hex_digits, 16, in[i]), lo = digit(hex_digits, 16, in[i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		*to++ = (uint8_t)(hi << 4 | lo);
	}
	return (ssize_t)(len / 2);
}

static char *encode64(const char *alphabet, const void *in, size_t n, char *out)
{
	const uint8_t *p = in;

	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = alphabet[v >> 6 & 63];
		*out++ = alphabet[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		if (n == 2)
			*out++ = alphabet[v >> 6 & 63];
	}
	*out = '\0';
	return out;
}

void base64url_encode(const void *in, size_t n, char *out)
{
	encode64(b64url, in, n, out);
}

void base64_encode(const void *in, size_t n, char *out)
{
	char *end = encode64(b64, in, n, out);

	for (; n % 3; n++)
		*end++ = '=';
	*end = '\0';
}

static ssize_t decode64(const char *alphabet, const char *in, size_t len, uint8_t *out, size_t max)
{
	size_t n = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
	uint32_t acc = 0;
	unsigned bits = 0;

	if (len % 4 == 1)
		return -EINVAL;
	if (n > max)
		return -ENOBUFS;
	for (size_t i = 0; i < len; i++) {
		int d = digit(alphabet, 64, in[i]);

		if (d < 0)
			return -EINVAL;
		acc = acc << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*out++ = (uint8_t)(acc >> bits);
			acc &= (1u << bits) - 1;
		}
	}
	return acc ? -EINVAL : (ssize_t)n;
}

ssize_t base64url_decode(const char *in, size_t len, void *out, size_t max)
{
	return decode64(b64url, in, len, out, max);
}

ssize_t base64_decode(const char *in, size_t len, void *out, size_t max)
{
	size_t pad = 0;

	if (len % 4)
		return -EINVAL;
	while (pad < 2 && len > 0 && in[len - 1] == '=') {
		len--;
		pad++;
	}
	return decode64(b64, in, len, out, max);
}
