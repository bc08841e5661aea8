/* SPDX-License-Identifier: MIT */
#ifndef PRISM_OUTPUT_H
#define PRISM_OUTPUT_H

/*
 * What people see. Text that came from elsewhere cannot move the cursor, colour the terminal or
 * forge a line: control characters become '?'. Where the locale is not UTF-8, everything is plain
 * ASCII. No colours are used.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/attr.h"

#define ICON_DONE "\xe2\x9c\x85"     /* white heavy check mark */
#define ICON_USER "\xf0\x9f\x8e\x89" /* party popper */
#define ICON_WAIT "\xe2\x8f\xb3"     /* hourglass */

/* Once, at the start: reads the locale. */
void out_init(void);

/* "ICON TITLE" and a rule beneath. "icon" may be NULL. */
void out_title(const char *icon, const char *fmt, ...) _printf_(2, 3);

/* Aligned "Key: value" lines. A field whose value is NULL or "" is left out. */
struct out_field {
	const char *key, *value;
};
void out_fields(const struct out_field *fields, size_t n);

/* A line or several; newlines of the format stay, those of arguments too. */
void out_printf(const char *fmt, ...) _printf_(1, 2);
void err_printf(const char *fmt, ...) _printf_(1, 2);

/* Columns as wide as their widest cell, two spaces between. Release with out_table_free(). */
#define TABLE_COLUMNS 8
struct out_table {
	char **cells;
	size_t rows, columns;
	bool failed;
};
/* Cells up to NULL; the first row tells how many there are, a shorter one leaves the rest empty. */
void out_table_add(struct out_table *t, const char *const *cells);
void out_table_print(const struct out_table *t);
void out_table_free(struct out_table *t);

/*
 * A QR code of the text on standard error, in half blocks; nothing where that is no terminal, or
 * cannot show them.
 */
void err_qr(const char *text);

/* The value as indented JSON and a newline, on standard output. */
void out_json(const json_t *j);

/* "member" becomes "Member" in out[size]; returns out. */
const char *out_capital(const char *s, char *out, size_t size);

/* "9 Nov 2026 (7 days)" for a time to come; "" for none. */
const char *out_deadline(int64_t t, int64_t now, char *out, size_t size);

#endif
