/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */
/*
 * What a page makes of text from outside. The first byte chooses: a Cookie header, text that is
 * shown, or a path to return to.
 */
#include <stdlib.h>
#include <string.h>
#include "prism-central/browser.h"
#include "prism-central/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
	if (!ok)
		abort();
}

static void cookie(const char *s)
{
	char value[48];

	if (cookie_value(s, "prism", value, sizeof(value)) < 0)
		return;
	require(strlen(value) < sizeof(value) && strstr(s, value));
	for (const char *p = value; *p; p++)
		require(*p > ' ' && *p < 127 && !strchr("\",;\\", *p));
}

/* Back from the entities: the text, and nothing else, is what a browser shows. */
static void unescaped(const char *s, char *out)
{
	static const struct {
		const char *entity;
		char c;
	} table[] = {
	    {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};

	while (*s) {
		size_t i = 0;
		require(!strchr("<>\"'", *s));
		while (*s == '&' && i < ARRAY_SIZE(table) &&
		       strncmp(s, table[i].entity, strlen(table[i].entity)) != 0)
			i++;
		require(i < ARRAY_SIZE(table));
		*out++ = *s == '&' ? table[i].c : *s;
		s += *s == '&' ? strlen(table[i].entity) : 1;
	}
	*out = '\0';
}

static void text(const char *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(HTML_MAX * 2);
	_cleanup_buf_ struct buf query = BUF_INIT(HTML_MAX * 2);
	_cleanup_free_ char *back = malloc(strlen(s) + 1);

	html_put(&b, "%s", s);
	require(buf_error(&b) == 0);
	unescaped(buf_str(&b), back);
	require(strcmp(back, s) == 0);
	html_put(&query, "%u", s);
	for (const char *p = buf_str(&query); *p; p++)
		require(*p > ' ' && *p < 127 && !strchr("<>\"'&#?/\\", *p));
}

static void path(const char *s)
{
	const char *p = return_path(s);

	require(p[0] == '/' && p[1] != '/' && strlen(p) <= 1024);
	for (; *p; p++)
		require(*p > ' ' && *p < 127 && *p != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(const char *) = {cookie, text, path};
	_cleanup_free_ char *s = NULL;

	if (size == 0)
		return 0;
	s = strndup((const char *)data + 1, size - 1);
	parts[data[0] % ARRAY_SIZE(parts)](s);
	return 0;
}
