/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define LINE_MAX_BYTES 8192

static const char *log_program = "prism";
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_journal;

void log_init(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
	log_journal = secure_getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum log_level l)
{
	switch (l) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARN:
		return "warn";
	case LOG_LEVEL_DEBUG:
		return "debug";
	default:
		return "info";
	}
}

static void add_quoted(struct buf *b, const char *s)
{
	buf_add_char(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else
			buf_add_char(b, (char)c);
	}
	buf_add_char(b, '"');
}

static void log_start(struct buf *b, enum log_level level, const char *event)
{
	char now[CLOCK_TEXT];

	if (log_journal) {
		buf_addf(b, "<%d>", (int)level);
	} else {
		clock_format(clock_now(), now);
		buf_addf(b, "%s %s[%d] ", now, log_program, (int)getpid());
	}
	buf_addf(b, "%s %s", level_name(level), event);
}

/* One write(2) a line, so that the lines of threads and processes do not mix. */
static void log_end(struct buf *b)
{
	if (b->error) {
		buf_clear(b);
		buf_add_str(b, "error log-line-too-long");
	}
	buf_add_char(b, '\n');
	while (write(STDERR_FILENO, b->data, b->len) < 0 && errno == EINTR)
		;
}

void log_event(enum log_level level, const char *event, ...)
{
	int saved = errno;
	_cleanup_buf_ struct buf b = BUF_INIT(LINE_MAX_BYTES);
	va_list ap;
	const char *key;

	if (level > log_max)
		return;
	log_start(&b, level, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *))) {
		const char *fmt = va_arg(ap, const char *);
		char value[64];

		buf_addf(&b, " %s=", key);
		if (!strcmp(fmt, "%s")) {
			const char *s = va_arg(ap, const char *);

			add_quoted(&b, s ? s : "");
			continue;
		}
		if (!strcmp(fmt, "%d"))
			snprintf(value, sizeof(value), "%d", va_arg(ap, int));
		else if (!strcmp(fmt, "%u"))
			snprintf(value, sizeof(value), "%u", va_arg(ap, unsigned));
		else if (!strcmp(fmt, "%ld") || !strcmp(fmt, "%lld"))
			snprintf(value, sizeof(value), "%lld", va_arg(ap, long long));
		else
			snprintf(value, sizeof(value), "%llu", va_arg(ap, unsigned long long));
		buf_add_str(&b, value);
	}
	va_end(ap);
	log_end(&b);
	errno = saved;
}

void log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
	int saved = errno;
	_cleanup_buf_ struct buf b = BUF_INIT(LINE_MAX_BYTES);
	char one[2048];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(one, sizeof(one), fmt, ap);
	va_end(ap);
	log_start(&b, level, event);
	buf_add_str(&b, " msg=");
	add_quoted(&b, one);
	log_end(&b);
	errno = saved;
}
