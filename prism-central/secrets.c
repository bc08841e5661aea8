/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "audit.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "base/wire.h"
#include "command.h"
#include "secrets.h"

#define CREDENTIALS "/run/credentials/"
#define AAD_MAX	    512

static const char sql_get[] =
    "SELECT key_id, wrapped FROM organization_keys WHERE organization_id = $1";
static const char sql_put[] =
    "INSERT INTO organization_keys (organization_id, key_id, wrapped, created_at, wrapped_at)"
    " VALUES ($1, $2, $3, $4, $4)";
static const char sql_slug[] = "SELECT slug FROM organizations WHERE id = $1";

const struct secret_column secret_columns[] = {
    SECRET_COLUMN("sso_connections", "client_secret", "id"),
    SECRET_COLUMN("sso_connections", "certificate", "id"),
    SECRET_COLUMN("sso_connections", "sp_key", "id"),
    SECRET_COLUMN("sso_connections", "sp_other_key", "id"),
    SECRET_COLUMN("sso_identities", "refresh_token", "id"),
    {NULL},
};

/* ---- the master keys ------------------------------------------------------------------------- */

/* systemd closes the folder of credentials, and may show a file's ACL as bits of the group. */
static int read_file(const struct config *c, struct buf *out)
{
	bool credential = strncmp(c->master_keys, CREDENTIALS, strlen(CREDENTIALS)) == 0;
	uid_t uid = geteuid();
	gid_t gid = 0;

	if (uid == 0 && state_owner(c, &uid, &gid) < 0)
		uid = 0;
	return io_read_private(c->master_keys, uid, credential ? 037 : 077, out);
}

static int open_file(const struct config *c, struct secrets *s, char *why, size_t why_size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(MASTER_KEYS_FILE_MAX);
	char wrong[160];
	int r = read_file(c, &b);

	if (r < 0) {
		snprintf(why, why_size, "%s: %s", c->master_keys,
		    r == -EPERM
			? "it must belong to the service's user or root and be closed to all others"
			: strerror(-r));
		return r;
	}
	r = master_keys_parse(
	    MASTER_KEYS_LINES, buf_str(&b), b.len, &s->keys, wrong, sizeof(wrong));
	if (r < 0)
		snprintf(
		    why, why_size, "%s: %s", c->master_keys, r == -EINVAL ? wrong : strerror(-r));
	return r;
}

/* What the process was started with can be read in /proc: it is overwritten in place. */
static int open_variable(char *value, struct secrets *s, char *why, size_t why_size)
{
	char wrong[160];
	int r = master_keys_parse(
	    MASTER_KEYS_VALUE, value, strlen(value), &s->keys, wrong, sizeof(wrong));

	if (r < 0)
		snprintf(why, why_size, "%s: %s", MASTER_KEYS_VARIABLE,
		    r == -EINVAL ? wrong : strerror(-r));
	return r;
}

int secrets_open(const struct config *c, struct secrets *ret, char *why, size_t why_size)
{
	struct secrets s = {.columns = secret_columns};
	char *value = secure_getenv(MASTER_KEYS_VARIABLE);
	int r = 0;

	if (c->master_keys[0] && value) {
		snprintf(why, why_size,
		    "master keys are in both [secrets] master_keys and the environment's %s: "
		    "have one of them",
		    MASTER_KEYS_VARIABLE);
		r = -EINVAL;
	} else if (c->master_keys[0]) {
		r = open_file(c, &s, why, why_size);
	} else if (value) {
		r = open_variable(value, &s, why, why_size);
	}
	if (value) {
		explicit_bzero(value, strlen(value));
		unsetenv(MASTER_KEYS_VARIABLE);
	}
	if (r == 0) {
		*ret = s;
		return 0;
	}
	size_t n = strlen(why);
	snprintf(why + n, why_size - n, SECRETS_SEE);
	return r;
}

void secrets_close(struct secrets *s)
{
	master_keys_free(s->keys);
	s->keys = NULL;
}

const char *secret_error(int error)
{
	switch (-error) {
	case ENOKEY:
		return "the master key is not configured: see [secrets] in central.conf";
	case EKEYREJECTED:
		return "the master key of that id does not open the organization's data key";
	case EBADMSG:
		return "the stored text was not sealed for this place, or was changed";
	case ENOENT:
		return "the organization has no data key";
	default:
		return strerror(-error);
	}
}

/* ---- data keys ------------------------------------------------------------------------------- */

static void bind_data_key(struct buf *aad, int64_t organization, const char *id)
{
	wire_put_str(aad, "prism-dek-v1");
	wire_put_i64(aad, organization);
	wire_put_str(aad, id);
}

static void bind_value(struct buf *aad, int64_t organization, const char *column, int64_t row)
{
	wire_put_str(aad, "prism-secret-v1");
	wire_put_i64(aad, organization);
	wire_put_str(aad, column);
	wire_put_i64(aad, row);
}

int data_key_open(const struct secrets *s, int64_t organization, const char *id,
    const char *wrapped, struct data_key *ret)
{
	_cleanup_buf_ struct buf aad = BUF_INIT(AAD_MAX);
	_cleanup_buf_ struct buf b = BUF_INIT(SEALED_KEY_LEN);
	const struct master_key *m = master_keys_find(s->keys, id);

	if (!m)
		return -ENOKEY;
	bind_data_key(&aad, organization, id);
	int r = sealed_open(m->key, &aad, wrapped, &b);
	if (r == -EBADMSG || r == -EMSGSIZE || (r == 0 && b.len != SEALED_KEY_LEN))
		return -EKEYREJECTED;
	if (r < 0)
		return r;
	memcpy(ret->id, m->id, sizeof(ret->id));
	memcpy(ret->key, b.data, SEALED_KEY_LEN);
	return 0;
}

int data_key_get(const struct secrets *s, struct tx *t, int64_t organization, struct data_key *ret)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, sql_get, "i", &rows, organization);

	if (r == 0)
		r = rows_next(rows);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	const char *id = row_text(rows, 0), *wrapped = row_text(rows, 1);
	return id && wrapped ? data_key_open(s, organization, id, wrapped, ret) : -EKEYREJECTED;
}

int data_key_seal(
    const struct secrets *s, int64_t organization, const struct data_key *k, struct buf *ret)
{
	_cleanup_buf_ struct buf aad = BUF_INIT(AAD_MAX);

	bind_data_key(&aad, organization, s->keys->keys[0].id);
	return sealed_make(s->keys->keys[0].key, &aad, k->key, sizeof(k->key), ret);
}

static int slug_of(struct tx *t, int64_t organization, char *out, size_t size)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, sql_slug, "i", &rows, organization);

	if (r == 0)
		r = rows_next(rows);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	snprintf(out, size, "%s", row_text(rows, 0));
	return 0;
}

static int data_key_make(
    const struct secrets *s, struct tx *t, int64_t organization, struct data_key *k)
{
	_cleanup_buf_ struct buf wrapped = BUF_INIT(256);
	char slug[64];
	int r = slug_of(t, organization, slug, sizeof(slug));

	if (r == 0)
		r = secret_random(k->key, sizeof(k->key));
	if (r == 0)
		r = data_key_seal(s, organization, k, &wrapped);
	if (r < 0)
		return r;
	const char *id = s->keys->keys[0].id;
	memcpy(k->id, id, sizeof(k->id));
	r = tx_exec(t, sql_put, "issi", organization, id, buf_str(&wrapped), clock_now());
	return r < 0 ? r
		     : audit_object(t, NULL, "secrets.data-key", "organization", slug,
			   json_pack("{s:s}", "master_key", id));
}

/* ---- values ---------------------------------------------------------------------------------- */

int data_key_seal_value(const struct data_key *k, int64_t organization, const char *column,
    int64_t row, const void *p, size_t n, struct buf *ret)
{
	_cleanup_buf_ struct buf aad = BUF_INIT(AAD_MAX);

	bind_value(&aad, organization, column, row);
	return sealed_make(k->key, &aad, p, n, ret);
}

int data_key_open_value(const struct data_key *k, int64_t organization, const char *column,
    int64_t row, const char *text, struct buf *ret)
{
	_cleanup_buf_ struct buf aad = BUF_INIT(AAD_MAX);

	bind_value(&aad, organization, column, row);
	return sealed_open(k->key, &aad, text, ret);
}

static bool registered(const struct secrets *s, const char *column)
{
	for (const struct secret_column *c = s->columns; c->name; c++)
		if (strcmp(c->name, column) == 0)
			return true;
	return false;
}

int secret_seal(const struct secrets *s, struct tx *t, int64_t organization, const char *column,
    int64_t row, const void *p, size_t n, struct buf *ret)
{
	_cleanup_data_key_ struct data_key k = {.id = ""};

	if (!registered(s, column))
		return -EINVAL;
	if (!s->keys)
		return -ENOKEY;
	int r = data_key_get(s, t, organization, &k);
	if (r == -ENOENT)
		r = data_key_make(s, t, organization, &k);
	return r < 0 ? r : data_key_seal_value(&k, organization, column, row, p, n, ret);
}

int secret_open(const struct secrets *s, struct tx *t, int64_t organization, const char *column,
    int64_t row, const char *text, struct buf *ret)
{
	_cleanup_data_key_ struct data_key k = {.id = ""};

	if (!registered(s, column))
		return -EINVAL;
	int r = data_key_get(s, t, organization, &k);
	return r < 0 ? r : data_key_open_value(&k, organization, column, row, text, ret);
}
