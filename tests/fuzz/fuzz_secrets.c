/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */

/* Sealed text and master keys: nothing opens that was not sealed, nothing is read past its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "prism-central/master_key.h"
#include "prism-central/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[SEALED_KEY_LEN] = {1, 2, 3};

static void try_open(const char *text, const struct buf *aad)
{
	_cleanup_buf_ struct buf got = BUF_INIT(SEALED_MAX);
	int r = sealed_open(key, aad, text, &got);

	/* No input of the fuzzer's has been sealed with this key and this data. */
	if (r == 0 || got.len != 0)
		abort();
}

static void try_round_trip(const uint8_t *data, size_t size, const struct buf *aad)
{
	_cleanup_buf_ struct buf text = BUF_INIT(2 * SEALED_MAX);
	_cleanup_buf_ struct buf got = BUF_INIT(SEALED_MAX);
	int r = sealed_make(key, aad, data, size, &text);

	if (size > SEALED_MAX) {
		if (r != -EMSGSIZE || text.len != 0)
			abort();
		return;
	}
	if (r < 0 || sealed_open(key, aad, buf_str(&text), &got) < 0 || got.len != size ||
	    (size && memcmp(got.data, data, size) != 0))
		abort();
	text.data[size % text.len] ^= (uint8_t)(1 + size % 127);
	buf_clear(&got);
	if (sealed_open(key, aad, buf_str(&text), &got) == 0 || got.len != 0)
		abort();
}

static void try_keys(enum master_keys_form form, const char *text, size_t size)
{
	_cleanup_master_keys_ struct master_keys *k = NULL;
	char why[160] = "";

	if (master_keys_parse(form, text, size, &k, why, sizeof(why)) < 0) {
		if (k || !why[0])
			abort();
		return;
	}
	if (k->n < 1 || k->n > MASTER_KEYS_MAX)
		abort();
	for (size_t i = 0; i < k->n; i++)
		if (!k->keys[i].id[0] || master_keys_find(k, k->keys[i].id) != &k->keys[i])
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf aad = BUF_INIT(64);
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	buf_add_str(&aad, "fuzz");
	try_open(text, &aad);
	try_round_trip(data, size, &aad);
	try_keys(MASTER_KEYS_LINES, text, size);
	try_keys(MASTER_KEYS_VALUE, text, size);
	free(text);
	return 0;
}
