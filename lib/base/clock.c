/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"

#define MINUTE	     60
#define HOUR	     3600
#define DAY	     86400
#define WEEK	     (7 * DAY)
#define DURATION_MAX (10LL * 366 * DAY)

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December"};

int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

int64_t clock_mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* gmtime_r() fails only past the year 2^31: such a time is shown as the last one that has a name.
 */
static struct tm broken_down(int64_t t)
{
	struct tm tm = {.tm_year = 9999 - 1900, .tm_mon = 11, .tm_mday = 31};
	time_t at = (time_t)t;

	if (t >= 0 && t < 253402300800LL)
		gmtime_r(&at, &tm);
	return tm;
}

void clock_format(int64_t t, char out[CLOCK_TEXT])
{
	struct tm tm = broken_down(t);

	strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void clock_format_day(int64_t t, char out[CLOCK_TEXT])
{
	struct tm tm = broken_down(t);

	snprintf(out, CLOCK_TEXT, "%d %s %d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
}

int clock_parse(const char *s, int64_t *ret)
{
	struct tm tm = {0}, back;
	const char *end = strptime(s, "%Y-%m-%d", &tm);

	if (!end || end - s != 10)
		return -EINVAL;
	if (*end != '\0') {
		const char *time = end;

		end = strptime(time, "T%H:%M:%SZ", &tm);
		if (!end || *end != '\0' || end - time != 10)
			return -EINVAL;
	}
	int day = tm.tm_mday, sec = tm.tm_sec;
	time_t t = timegm(&tm);

	/* 31 April or a 60th second would silently become another time. */
	back = broken_down(t);
	if (back.tm_mday != day || back.tm_sec != sec)
		return -EINVAL;
	*ret = t;
	return 0;
}

int clock_parse_duration(const char *s, int64_t *ret_seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', MINUTE}, {'h', HOUR}, {'d', DAY}, {'w', WEEK}};
	int64_t n = 0;
	size_t i = 0;

	for (; s[i] >= '0' && s[i] <= '9'; i++) {
		if (i > 9)
			return -EINVAL;
		n = n * 10 + (s[i] - '0');
	}
	if (n == 0 || s[i] == '\0' || s[i + 1] != '\0')
		return -EINVAL;
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		if (units[u].unit != s[i])
			continue;
		if (n > DURATION_MAX / units[u].seconds)
			return -EINVAL;
		*ret_seconds = n * units[u].seconds;
		return 0;
	}
	return -EINVAL;
}

/* The largest unit that fits: "3 days". */
static void format_span(int64_t seconds, char *out, size_t size)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{365 * DAY, "year"}, {30 * DAY, "month"}, {WEEK, "week"}, {DAY, "day"},
	    {HOUR, "hour"}, {MINUTE, "minute"}, {1, "second"}};
	size_t u = 0;

	while (u < 6 && seconds < units[u].seconds)
		u++;
	int64_t n = seconds / units[u].seconds;

	snprintf(out, size, "%lld %s%s", (long long)n, units[u].name, n == 1 ? "" : "s");
}

void clock_format_remaining(int64_t until, int64_t now, char out[CLOCK_TEXT])
{
	char span[28];
	int64_t left = until - now;

	if (left <= 0) {
		snprintf(out, CLOCK_TEXT, "expired");
		return;
	}
	/* Weeks are not used for what is left: "5 days", "14 days" are what was asked for. */
	if (left >= DAY)
		snprintf(span, sizeof(span), "%lld day%s", (long long)((left + HOUR) / DAY),
		    (left + HOUR) / DAY == 1 ? "" : "s");
	else
		format_span(left, span, sizeof(span));
	snprintf(out, CLOCK_TEXT, "%s remaining", span);
}

void clock_format_ago(int64_t then, int64_t now, char out[CLOCK_TEXT])
{
	char span[28];
	int64_t past = now - then;

	if (past < MINUTE) {
		snprintf(out, CLOCK_TEXT, "just now");
	} else if (past >= DAY && past < 2 * DAY) {
		snprintf(out, CLOCK_TEXT, "yesterday");
	} else {
		format_span(past, span, sizeof(span));
		snprintf(out, CLOCK_TEXT, "%s ago", span);
	}
}
