/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/clock.h"

#define RULE_WIDTH 40

static bool utf8;

void out_init(void)
{
	utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* One character of "s": its bytes, and how it may be shown (itself, or '?'). */
static size_t next_char(const char *s, bool lines, bool *ret_shown, int *ret_width)
{
	mbstate_t state = {0};
	wchar_t w;
	size_t n;

	if ((unsigned char)*s < 0x80 || !utf8) {
		*ret_shown = (*s >= 0x20 && *s < 0x7f) || (lines && *s == '\n');
		*ret_width = 1;
		return 1;
	}
	n = mbrtowc(&w, s, MB_CUR_MAX, &state);
	if (n == 0 || n > MB_CUR_MAX) {
		*ret_shown = false;
		*ret_width = 1;
		return 1;
	}
	*ret_width = wcwidth(w);
	/* Direction marks reorder what follows them, so they could hide what a line says. */
	*ret_shown = *ret_width >= 0 && !(w >= 0x200e && w <= 0x200f) &&
		     !(w >= 0x202a && w <= 0x202e) && !(w >= 0x2066 && w <= 0x2069);
	if (!*ret_shown)
		*ret_width = 1;
	return n;
}

static void put_text(FILE *f, const char *s, bool lines)
{
	while (*s) {
		bool shown;
		int width;
		size_t n = next_char(s, lines, &shown, &width);

		if (shown)
			fwrite(s, 1, n, f);
		else if (utf8 || (unsigned char)*s < 0x80 || ((unsigned char)*s & 0xc0) == 0xc0)
			fputc('?', f);
		s += n;
	}
}

static int text_width(const char *s)
{
	int total = 0;

	while (*s) {
		bool shown;
		int width;

		s += next_char(s, false, &shown, &width);
		total += width;
	}
	return total;
}

static void put_spaces(int n)
{
	while (n-- > 0)
		fputc(' ', stdout);
}

static void vprint(FILE *f, const char *fmt, va_list ap)
{
	_cleanup_free_ char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0) {
		s = NULL;
		return;
	}
	put_text(f, s, true);
}

void out_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(stdout, fmt, ap);
	va_end(ap);
}

void err_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(stderr, fmt, ap);
	va_end(ap);
}

void out_title(const char *icon, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	if (icon && utf8)
		printf("%s ", icon);
	put_text(stdout, s ? s : "", false);
	fputc('\n', stdout);
	for (int i = 0; i < RULE_WIDTH; i++)
		fputs(utf8 ? "\xe2\x94\x81" : "-", stdout);
	fputc('\n', stdout);
}

void out_fields(const struct out_field *fields, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		if (fields[i].value && *fields[i].value && text_width(fields[i].key) > width)
			width = text_width(fields[i].key);
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].value || !*fields[i].value)
			continue;
		put_text(stdout, fields[i].key, false);
		fputc(':', stdout);
		put_spaces(width - text_width(fields[i].key) + 1);
		put_text(stdout, fields[i].value, false);
		fputc('\n', stdout);
	}
}

void out_table_add(struct out_table *t, const char *const *cells)
{
	char **grown;
	bool ended = false;

	if (!t->columns)
		while (t->columns < TABLE_COLUMNS && cells[t->columns])
			t->columns++;
	grown = reallocarray(t->cells, (t->rows + 1) * t->columns, sizeof(*grown));
	if (!grown) {
		t->failed = true;
		return;
	}
	t->cells = grown;
	for (size_t i = 0; i < t->columns; i++) {
		ended = ended || !cells[i];
		grown[t->rows * t->columns + i] = strdup(ended ? "" : cells[i]);
		t->failed = t->failed || !grown[t->rows * t->columns + i];
	}
	t->rows++;
}

/* Cells to the right of the last one that is not empty are not padded. */
static void print_row(char **cells, size_t columns, const int *widths)
{
	size_t last = 0;

	for (size_t i = 0; i < columns; i++)
		if (*cells[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		put_text(stdout, cells[i], false);
		if (i < last)
			put_spaces(widths[i] - text_width(cells[i]) + 2);
	}
	fputc('\n', stdout);
}

void out_table_print(const struct out_table *t)
{
	int widths[TABLE_COLUMNS] = {0};

	if (t->failed) {
		fputs("prism: out of memory\n", stderr);
		return;
	}
	for (size_t i = 0; i < t->rows * t->columns; i++) {
		int w = text_width(t->cells[i]);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t r = 0; r < t->rows; r++)
		print_row(t->cells + r * t->columns, t->columns, widths);
}

void out_table_free(struct out_table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct out_table){0};
}

void out_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
}

const char *out_capital(const char *s, char *out, size_t size)
{
	snprintf(out, size, "%s", s);
	out[0] = (char)toupper((unsigned char)out[0]);
	return out;
}

const char *out_deadline(int64_t t, int64_t now, char *out, size_t size)
{
	char day[CLOCK_TEXT], left[CLOCK_TEXT];
	char *end;

	out[0] = '\0';
	if (!t)
		return out;
	clock_format_day(t, day);
	clock_format_remaining(t, now, left);
	end = strstr(left, " remaining");
	if (end)
		*end = '\0';
	snprintf(out, size, "%s (%s)", day, left);
	return out;
}
