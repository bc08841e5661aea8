/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "html.h"

#define RETURN_MAX 1024

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(struct buf *b, const char *s)
{
	const char *from = s;

	if (!s)
		return;
	for (; *s; s++) {
		const char *e = entity(*s);
		if (!e)
			continue;
		buf_add(b, from, (size_t)(s - from));
		buf_add_str(b, e);
		from = s + 1;
	}
	buf_add(b, from, (size_t)(s - from));
}

/* What is left unencoded needs no escaping in HTML either. */
void html_query(struct buf *b, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; s && *s; s++) {
		if (strchr(plain, *s))
			buf_add_char(b, *s);
		else
			buf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

static void put_time(struct buf *b, int64_t t)
{
	char text[CLOCK_TEXT];

	if (!t) {
		buf_add_str(b, "never");
		return;
	}
	clock_format(t, text);
	/* 2026-05-03T09:00:00Z: the date is ten characters, the minute ends with the 16th. */
	buf_addf(b, "<time datetime=\"%s\">%.10s %.5s UTC</time>", text, text, text + 11);
}

void html_put(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (const char *p = fmt; *p; p++) {
		size_t n = strcspn(p, "%");
		buf_add(b, p, n);
		p += n;
		if (!*p || !*++p)
			break;
		if (*p == 's')
			html_text(b, va_arg(ap, const char *));
		else if (*p == 'u')
			html_query(b, va_arg(ap, const char *));
		else if (*p == 'r')
			buf_add_str(b, va_arg(ap, const char *));
		else if (*p == 'i')
			buf_addf(b, "%" PRId64, va_arg(ap, int64_t));
		else if (*p == 't')
			put_time(b, va_arg(ap, int64_t));
		else
			buf_add_char(b, '%');
	}
	va_end(ap);
}

const char *return_path(const char *s)
{
	if (!s || s[0] != '/' || s[1] == '/')
		return "/";
	for (size_t n = 0; s[n]; n++)
		if (n == RETURN_MAX || s[n] <= ' ' || s[n] >= 127 || s[n] == '\\')
			return "/";
	return s;
}
