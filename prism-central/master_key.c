/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "master_key.h"

static const struct form {
	char item, field; /* what is between keys, and between an id and its key */
	bool comments;
	const char *noun, *expects;
} forms[] = {
    [MASTER_KEYS_LINES] = {'\n', ' ', true, "line", "ID BASE64, with 32 bytes in base64"},
    [MASTER_KEYS_VALUE] = {',', ':', false, "key", "ID:BASE64, with 32 bytes in base64"},
};

void master_keys_free(struct master_keys *k)
{
	if (k)
		explicit_bzero(k, sizeof(*k));
	free(k);
}

const struct master_key *master_keys_find(const struct master_keys *k, const char *id)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (strcmp(k->keys[i].id, id) == 0)
			return &k->keys[i];
	return NULL;
}

static bool id_valid(const char *s, size_t n)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

	if (n == 0 || n > MASTER_KEY_ID_MAX || strchr("_.-", s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!memchr(letters, s[i], sizeof(letters) - 1))
			return false;
	return true;
}

/* NULL, or what is wrong. */
static const char *parse_key(
    struct master_keys *k, const struct form *f, const char *item, size_t len)
{
	struct master_key *to = &k->keys[k->n];
	const char *field = memchr(item, f->field, len);
	size_t id = field ? (size_t)(field - item) : 0;

	if (!id_valid(item, id))
		return f->expects;
	while (field < item + len && *field == f->field && f->field == ' ')
		field++;
	field += f->field != ' ';
	size_t left = len - (size_t)(field - item);
	if (k->n == MASTER_KEYS_MAX)
		return "there are too many";
	if (left != BASE64_LEN(SEALED_KEY_LEN) ||
	    base64_decode(field, left, to->key, sizeof(to->key)) != SEALED_KEY_LEN)
		return f->expects;
	memcpy(to->id, item, id);
	to->id[id] = '\0';
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->keys[i].id, to->id) == 0)
			return "this id is there already";
		if (secret_equal(k->keys[i].key, to->key, SEALED_KEY_LEN))
			return "this key is there already, with another id";
	}
	k->n++;
	return NULL;
}

int master_keys_parse(enum master_keys_form form, const char *text, size_t len,
    struct master_keys **ret, char *why, size_t why_size)
{
	_cleanup_master_keys_ struct master_keys *k = calloc(1, sizeof(*k));
	const struct form *f = &forms[form];
	const char *end = text + len, *wrong = NULL;
	size_t line = 0;

	if (!k)
		return -ENOMEM;
	for (const char *p = text; p < end && !wrong;) {
		const char *stop = memchr(p, f->item, (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);
		line++;
		if (!f->comments || (n > 0 && *p != '#'))
			wrong = parse_key(k, f, p, n);
		p = stop ? stop + 1 : end;
	}
	if (wrong) {
		snprintf(why, why_size, "%s %zu: %s%s", f->noun, line,
		    wrong == f->expects ? "it must be " : "", wrong);
		return -EINVAL;
	}
	if (k->n == 0) {
		snprintf(why, why_size, "there is no key in it");
		return -EINVAL;
	}
	*ret = TAKE_PTR(k);
	return 0;
}

int master_key_make(char ret_line[static MASTER_KEY_LINE_MAX])
{
	uint8_t key[SEALED_KEY_LEN], tail[3];
	char text[BASE64_LEN(SEALED_KEY_LEN) + 1], hex[HEX_LEN(sizeof(tail)) + 1];
	char day[CLOCK_TEXT];
	int r = secret_random(key, sizeof(key));

	if (r == 0)
		r = secret_random(tail, sizeof(tail));
	if (r < 0)
		return r;
	clock_format(clock_now(), day);
	day[10] = '\0';
	hex_encode(tail, sizeof(tail), hex);
	base64_encode(key, sizeof(key), text);
	snprintf(ret_line, MASTER_KEY_LINE_MAX, "%s-%s %s", day, hex, text);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return 0;
}
