/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/num.h"

/* Reads the digits at *s and steps over them. */
static int digits(const char **s, uint64_t max, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t d = (uint64_t)(*p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	if (v > max)
		return -ERANGE;
	*s = p;
	*ret = v;
	return 0;
}

int num_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = digits(&s, max, &v);

	if (r < 0)
		return r;
	if (*s != '\0')
		return -EINVAL;
	*ret = v;
	return 0;
}

int num_parse_u32(const char *s, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = num_parse_u64(s, max, &v);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int num_parse_i64(const char *s, int64_t *ret)
{
	uint64_t v;
	int minus = *s == '-';
	int r = num_parse_u64(s + minus, INT64_MAX, &v);

	if (r == 0)
		*ret = minus ? -(int64_t)v : (int64_t)v;
	return r;
}

int num_parse_range(const char *s, uint32_t *ret_first, uint32_t *ret_last)
{
	uint64_t first, last;
	int r = digits(&s, UINT32_MAX, &first);

	if (r < 0)
		return r;
	if (*s++ != '-')
		return -EINVAL;
	r = num_parse_u64(s, UINT32_MAX, &last);
	if (r < 0)
		return r;
	if (first > last)
		return -EINVAL;
	*ret_first = (uint32_t)first;
	*ret_last = (uint32_t)last;
	return 0;
}
