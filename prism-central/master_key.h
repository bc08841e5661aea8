/* SPDX-License-Identifier: MIT */
#ifndef MASTER_KEY_H
#define MASTER_KEY_H

/*
 * The master keys, which seal the data keys of organizations (secrets.h). They come from a file or
 * the environment and MUST NOT get into the database, a backup of it, or a log; no message about
 * them repeats what was read.
 *
 * A file has a line "ID BASE64" for each, 32 random bytes in base64; the first is the current one,
 * the others open what was sealed before. Empty lines and lines that begin with "#" are skipped. In
 * the environment it is "ID:BASE64,ID:BASE64".
 */
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "sealed.h"

#define MASTER_KEYS_MAX	     32
#define MASTER_KEY_ID_MAX    32 /* [A-Za-z0-9][A-Za-z0-9_.-]* */
#define MASTER_KEYS_FILE_MAX 8192u
#define MASTER_KEYS_VARIABLE "SECRETS_MASTER_KEYS"
#define MASTER_KEY_LINE_MAX  (MASTER_KEY_ID_MAX + 1 + 44 + 1)

struct master_key {
	char id[MASTER_KEY_ID_MAX + 1];
	uint8_t key[SEALED_KEY_LEN];
};

struct master_keys {
	size_t n; /* at least 1 */
	struct master_key keys[MASTER_KEYS_MAX];
};

enum master_keys_form { MASTER_KEYS_LINES, MASTER_KEYS_VALUE };

/*
 * Parse len bytes. 0 and *ret, released with master_keys_free(); -EINVAL with a sentence in why
 * ("line 2: ..."), or -ENOMEM.
 */
int master_keys_parse(enum master_keys_form form, const char *text, size_t len,
    struct master_keys **ret, char *why, size_t why_size);
/* Wipes them. Accepts NULL. */
void master_keys_free(struct master_keys *k);
static inline void master_keys_freep(struct master_keys **k)
{
	master_keys_free(*k);
}
#define _cleanup_master_keys_ _cleanup_(master_keys_freep)

/* The key of this id, or NULL. */
const struct master_key *master_keys_find(const struct master_keys *k, const char *id);

/* A new random key as a line of the file, without the newline; the id has today's date. */
int master_key_make(char ret_line[static MASTER_KEY_LINE_MAX]);

#endif
