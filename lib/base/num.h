/* SPDX-License-Identifier: MIT */
#ifndef BASE_NUM_H
#define BASE_NUM_H

/*
 * Numbers from text, strictly: decimal digits only (a minus sign for the signed one), no white
 * space, no leading zeros, nothing behind them, within the bounds given. Absent is not zero: empty
 * text is -EINVAL. Returns 0, -EINVAL or -ERANGE; the output is untouched on failure.
 */
#include <stdint.h>

int num_parse_u64(const char *s, uint64_t max, uint64_t *ret);
int num_parse_u32(const char *s, uint32_t max, uint32_t *ret);
int num_parse_i64(const char *s, int64_t *ret);

/* "10001-1999999": two ids, the first not larger than the second. */
int num_parse_range(const char *s, uint32_t *ret_first, uint32_t *ret_last);

#endif
