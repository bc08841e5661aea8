/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Points in time are UTC seconds since 1970 (time_t in an int64_t); 0 means none. */
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 32

int64_t clock_now(void);
/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations. */
int64_t clock_mono_ms(void);

/* RFC 3339 in UTC, "2026-05-03T09:00:00Z". */
void clock_format(int64_t t, char out[CLOCK_TEXT]);
/* The same back. Accepts a bare date ("2026-05-03" is its midnight). Returns 0 or -EINVAL. */
int clock_parse(const char *s, int64_t *ret);
/* "3 May 2026", in UTC, for sentences that people read. */
void clock_format_day(int64_t t, char out[CLOCK_TEXT]);

/* A duration: a positive number and one unit of s, m, h, d, w. At most 10 years. 0 or -EINVAL. */
int clock_parse_duration(const char *s, int64_t *ret_seconds);

/* "5 days remaining", "12 hours remaining", "1 minute remaining"; "expired" when none is left. */
void clock_format_remaining(int64_t until, int64_t now, char out[CLOCK_TEXT]);
/* "2 days ago", "yesterday", "1 week ago", "just now". */
void clock_format_ago(int64_t then, int64_t now, char out[CLOCK_TEXT]);

#endif
