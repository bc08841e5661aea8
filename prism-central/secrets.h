/* SPDX-License-Identifier: MIT */
#ifndef SECRETS_H
#define SECRETS_H

/*
 * Secrets of organizations in the database, such as what a login provider wants to hear from us.
 *
 * A value is sealed (sealed.h) with the data key of its organization, 32 random bytes, and that is
 * sealed with a master key (master_key.h). What each belongs to is bound to it: a data key to its
 * organization and the master key's id, a value to organization, table, column and row. So whoever
 * has the database, or a backup of it, reads nothing, and who may also write it can move nothing to
 * where somebody else would read it. They can still put back what stood in the same place before.
 *
 * - A secret MUST NOT be stored in any other way. Without a master key nothing is sealed: -ENOKEY.
 * - Every column with sealed values MUST be in secret_columns; others are refused when sealing, for
 *   secrets_new_data_key() would lose them.
 * - A value is opened where it is needed and wiped after that: use _cleanup_buf_.
 */
#include <string.h>
#include "central.h"
#include "master_key.h"
#include "store.h"

/* A column with sealed text, of a table with organization_id; NULL is no value. */
struct secret_column {
	const char *name; /* "TABLE.COLUMN" */
	const char *next; /* $1 organization, $2 id: the row after it, its id and the column */
	const char *put;  /* $1 id, $2 organization, $3 text */
};

/* The three texts; "id" is the table's own, a BIGINT. */
#define SECRET_COLUMN(table, column, id)                                                         \
	{                                                                                        \
		table "." column,                                                                \
		    "SELECT " id ", " column " FROM " table " WHERE organization_id = $1"        \
		    " AND " id " > $2 AND " column " IS NOT NULL ORDER BY " id " LIMIT 1",       \
		    "UPDATE " table " SET " column " = $3 WHERE " id " = $1 AND organization_id" \
		    " = $2"                                                                      \
	}

/* All there are, ended by an empty one. */
extern const struct secret_column secret_columns[];

struct secrets {
	struct master_keys *keys;	     /* NULL: none are configured */
	const struct secret_column *columns; /* secret_columns; tests have their own */
};

/*
 * Read the master keys: of [secrets] master_keys, or else of the environment, whose variable is
 * wiped. Call it before privileges are dropped. Having none is no error. 0 or -errno with a
 * sentence in why; release with secrets_close().
 */
int secrets_open(const struct config *c, struct secrets *ret, char *why, size_t why_size);
void secrets_close(struct secrets *s);
#define _cleanup_secrets_ _cleanup_(secrets_close)

/* Ends the sentences of secrets_open() and secrets_check(): what to do is described there. */
#define SECRETS_SEE "; see man prism-central, SECRETS"

/*
 * Seal n bytes for the column "TABLE.COLUMN" and this row of an organization, and append the text
 * to *ret. Makes the organization's data key if it has none. The transaction must be one that
 * writes, and write the text too. 0; -ENOKEY without a master key, or without the one that the
 * organization's data key needs; -EINVAL for a column that is not registered; -errno.
 */
int secret_seal(const struct secrets *s, struct tx *t, int64_t organization, const char *column,
    int64_t row, const void *p, size_t n, struct buf *ret);
/*
 * Open what that column of that row holds, and append it to *ret. 0; -ENOKEY (above); -EKEYREJECTED
 * when the master key does not open the organization's data key; -EBADMSG when the text was not
 * sealed for this place; -ENOENT for an organization without a data key; -errno.
 */
int secret_open(const struct secrets *s, struct tx *t, int64_t organization, const char *column,
    int64_t row, const char *text, struct buf *ret);
/* A sentence for an error of these, for the log or an administrator. */
const char *secret_error(int error);

/* ---- care of the keys: secrets_keys.c -------------------------------------------------------- */

struct secret_use {
	char id[MASTER_KEY_ID_MAX + 1];
	bool present;	       /* among the master keys */
	int64_t sealed;	       /* organizations whose data key it seals */
	int64_t broken;	       /* of these, data keys that it does not open */
	char organization[64]; /* one of them; a broken one if there is any */
};

#define SECRET_USES_MAX (2 * MASTER_KEYS_MAX)

/* The master keys in their order, then the missing ones. */
struct secret_census {
	size_t n;
	struct secret_use uses[SECRET_USES_MAX];
};

/* 0 or -errno; -EOVERFLOW when too many are missing. */
int secrets_census(struct store *db, const struct secrets *s, struct secret_census *ret);
/*
 * Whether the service can start: every master key is there that something is sealed with, and opens
 * some of it. 0; or -ENOKEY, -EKEYREJECTED, -errno with a sentence in why.
 */
int secrets_check(struct store *db, const struct secrets *s, char *why, size_t why_size);

/* One organization at a time: where to go on, and what was found. Begin with zeros. */
struct secret_step {
	int64_t organization;
	char slug[64];
	int error; /* its data key could not be opened: left as it is */
};

/*
 * Seal the data key of the next organization with the current master key, where it is another that
 * seals it now; a transaction of its own. 1: look at *step and go on; 0: no more; -errno. Can be
 * interrupted and begun again at any time.
 */
int secrets_rewrap_next(struct store *db, const struct secrets *s, struct secret_step *step);

/*
 * Give an organization a new data key and seal its values with it, in one transaction. 0 and the
 * number of values; -ENOENT for an organization without a data key; errors of secret_open(), with
 * nothing changed and the column's name in *ret_column if it was a value that did not open.
 */
int secrets_new_data_key(struct store *db, const struct secrets *s, int64_t organization,
    int64_t *ret_values, const char **ret_column);

/* ---- for secrets_keys.c: data keys of organizations ------------------------------------------ */

struct data_key {
	char id[MASTER_KEY_ID_MAX + 1]; /* of the master key that seals it */
	uint8_t key[SEALED_KEY_LEN];
};

static inline void data_key_wipe(struct data_key *k)
{
	explicit_bzero(k, sizeof(*k));
}
#define _cleanup_data_key_ _cleanup_(data_key_wipe)

/* Open a data key that the master key "id" has sealed. 0 or -errno as secret_open(). */
int data_key_open(const struct secrets *s, int64_t organization, const char *id,
    const char *wrapped, struct data_key *ret);
/* The organization's own. */
int data_key_get(const struct secrets *s, struct tx *t, int64_t organization, struct data_key *ret);
/* Seal one with the current master key, which must exist. */
int data_key_seal(
    const struct secrets *s, int64_t organization, const struct data_key *k, struct buf *ret);
/* A value, with a data key at hand. */
int data_key_seal_value(const struct data_key *k, int64_t organization, const char *column,
    int64_t row, const void *p, size_t n, struct buf *ret);
int data_key_open_value(const struct data_key *k, int64_t organization, const char *column,
    int64_t row, const char *text, struct buf *ret);

#endif
