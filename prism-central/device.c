/* SPDX-License-Identifier: MIT */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "base/secret.h"

/* ---- user codes ------------------------------------------------------------------------------ */

/* Without vowels there are no words, and none of these looks like a digit (RFC 8628 §6.1). */
static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

#define LETTERS 20

bool device_user_code_read(const char *typed, char out[static DEVICE_USER_CODE + 1])
{
	size_t n = 0;

	for (; *typed; typed++) {
		char c = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 32) : *typed;
		if (c == ' ' || c == '-')
			continue;
		if (n == DEVICE_USER_CODE || !strchr(letters, c))
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n == DEVICE_USER_CODE;
}

void device_user_code_show(const char *code, char out[static DEVICE_SHOWN + 1])
{
	snprintf(out, DEVICE_SHOWN + 1, "%.4s-%.4s", code, code + DEVICE_USER_CODE / 2);
}

int device_user_code_make(char out[static DEVICE_USER_CODE + 1])
{
	uint8_t raw[16];
	size_t n = 0;

	/* A byte too large for a fair choice is passed over; so many at once hardly ever are. */
	while (n < DEVICE_USER_CODE) {
		int r = secret_random(raw, sizeof(raw));
		if (r < 0)
			return r;
		for (size_t i = 0; i < sizeof(raw) && n < DEVICE_USER_CODE; i++)
			if (raw[i] < 256 / LETTERS * LETTERS)
				out[n++] = letters[raw[i] % LETTERS];
	}
	out[n] = '\0';
	explicit_bzero(raw, sizeof(raw));
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define SELECT_DEVICE                                                                            \
	"SELECT d.id, d.device_hash, d.host_id, d.user_id, d.username, d.service, d.origin,"     \
	" d.nonce, d.state, d.interval_s, d.polled_at, d.answered_by, d.identity_id, d.auth_at," \
	" d.expires_at, h.name, d.user_hash FROM device_codes d LEFT JOIN hosts h ON h.id = "    \
	"d.host_id"                                                                              \
	" AND h.state = 'enrolled' WHERE "

static const char sql_by_device[] = SELECT_DEVICE "d.device_hash = $1";
static const char sql_by_user[] = SELECT_DEVICE "d.user_hash = $1";
static const char sql_by_id[] = SELECT_DEVICE "d.id = $1";

static enum device_state state_of(const char *word)
{
	static const char *const words[] = {
	    [DEVICE_PENDING] = "pending",
	    [DEVICE_APPROVED] = "approved",
	    [DEVICE_DENIED] = "denied",
	};

	for (size_t i = 1; word && i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum device_state)i;
	return DEVICE_REDEEMED;
}

static int row_read(struct rows *r, struct device *d)
{
	const char *nonce, *hash;

	*d = (struct device){.id = row_int(r, 0)};
	row_copy(r, 1, d->device_hash, sizeof(d->device_hash));
	d->host = row_int(r, 2);
	d->user = row_int(r, 3);
	row_copy(r, 4, d->username, sizeof(d->username));
	row_copy(r, 5, d->service, sizeof(d->service));
	row_copy(r, 6, d->origin, sizeof(d->origin));
	nonce = row_text(r, 7);
	hash = row_text(r, 16);
	d->state = state_of(row_text(r, 8));
	d->interval = row_int(r, 9);
	d->polled_at = row_int(r, 10);
	d->answered_by = row_int(r, 11);
	d->identity = row_int(r, 12);
	d->auth_at = row_int(r, 13);
	d->expires_at = row_int(r, 14);
	row_copy(r, 15, d->host_name, sizeof(d->host_name));
	if (!hash ||
	    hex_decode(hash, strlen(hash), d->user_hash, FEED_DIGEST_LEN) != FEED_DIGEST_LEN)
		return -EIO;
	if (d->host && (!nonce || hex_decode(nonce, strlen(nonce), d->nonce, LOGIN_NONCE_LEN) !=
				      LOGIN_NONCE_LEN))
		return -EIO;
	return 0;
}

static int row_one(struct rows *r, struct device *ret)
{
	int n = rows_next(r);

	return n <= 0 ? (n < 0 ? n : -ENOENT) : row_read(r, ret);
}

int device_by_code(struct tx *t, const char *code, struct device *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	char hash[65];

	sha256_hex(code, strlen(code), hash);
	int rc = tx_query(t, sql_by_device, "s", &r, hash);
	return rc < 0 ? rc : row_one(r, ret);
}

int device_by_user_code(struct tx *t, const char *typed, struct device *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	char code[DEVICE_USER_CODE + 1], hash[65];

	if (!device_user_code_read(typed, code))
		return -ENOENT;
	sha256_hex(code, DEVICE_USER_CODE, hash);
	int rc = tx_query(t, sql_by_user, "s", &r, hash);
	return rc < 0 ? rc : row_one(r, ret);
}

int device_by_id(struct tx *t, int64_t id, struct device *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_by_id, "i", &r, id);

	return rc < 0 ? rc : row_one(r, ret);
}

void device_topic(const struct device *d, char out[static 64])
{
	snprintf(out, 64, "device:%lld", (long long)d->id);
}

static const char sql_host[] =
    "SELECT 1 FROM hosts h JOIN host_tokens k ON k.host_id = h.id"
    " WHERE h.id = $1 AND k.id = $2 AND k.expires_at > $3 AND h.state = 'enrolled'";

int device_host_holds(struct tx *t, const struct request *rq)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_host, "iii", &r, rq->who.id, rq->who.credential, rq->now);

	return rc < 0 ? rc : rows_next(r);
}
