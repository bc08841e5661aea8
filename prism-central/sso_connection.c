/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "secrets.h"
#include "sso_internal.h"

#define CONNECTION_COLUMNS                                                                         \
	"SELECT c.id, c.organization_id, c.type, c.enabled, c.enforce_sso, c.auto_provision,"      \
	" CASE WHEN c.client_secret IS NULL THEN 0 ELSE 1 END, c.default_role_id, c.slug, c.name," \
	" c.issuer, c.client_id, c.scopes, c.entry_point, o.slug, c.mapping, c.allowed_roles,"     \
	" c.sp_certificate, c.sp_other, c.sp_other_at, c.sp_other_certificate FROM "               \
	"sso_connections c"                                                                        \
	" JOIN organizations o ON o.id = c.organization_id "

static const char sql_by_slug[] = CONNECTION_COLUMNS "WHERE c.slug = $1";
static const char sql_by_id[] = CONNECTION_COLUMNS "WHERE c.id = $1";

static json_t *column_json(struct rows *r, int col, json_type type)
{
	const char *text = row_text(r, col);
	json_t *v = text ? json_loads(text, 0, NULL) : NULL;

	if (v && json_typeof(v) == type)
		return v;
	json_decref(v);
	return type == JSON_OBJECT ? json_object() : json_array();
}

static const char *const other_words[] = {
    [SSO_OTHER_NONE] = "", [SSO_OTHER_NEXT] = "next", [SSO_OTHER_FORMER] = "former"};

const char *sso_other_word(enum sso_other other)
{
	return other_words[other];
}

static enum sso_other other_of(const char *word)
{
	for (size_t i = 0; word && i < ARRAY_SIZE(other_words); i++)
		if (strcmp(word, other_words[i]) == 0)
			return (enum sso_other)i;
	return SSO_OTHER_NONE;
}

static char *column_text(struct rows *r, int col)
{
	const char *text = row_text(r, col);

	return strdup(text ? text : "");
}

static int connection_read(struct rows *r, struct sso_connection *ret)
{
	int n = rows_next(r);

	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	struct sso_connection c = {
	    .id = row_int(r, 0),
	    .org = row_int(r, 1),
	    .type = strcmp(row_text(r, 2), "saml") == 0 ? SSO_SAML : SSO_OIDC,
	    .enabled = row_int(r, 3),
	    .enforce_sso = row_int(r, 4),
	    .auto_provision = row_int(r, 5),
	    .has_secret = row_int(r, 6),
	    .default_role = row_int(r, 7),
	    .other = other_of(row_text(r, 18)),
	    .other_at = row_int(r, 19),
	};
	row_copy(r, 8, c.slug, sizeof(c.slug));
	row_copy(r, 9, c.name, sizeof(c.name));
	row_copy(r, 10, c.issuer, sizeof(c.issuer));
	row_copy(r, 11, c.client_id, sizeof(c.client_id));
	row_copy(r, 12, c.scopes, sizeof(c.scopes));
	row_copy(r, 13, c.entry_point, sizeof(c.entry_point));
	row_copy(r, 14, c.org_slug, sizeof(c.org_slug));
	c.mapping = column_json(r, 15, JSON_OBJECT);
	c.allowed_roles = column_json(r, 16, JSON_ARRAY);
	c.sp_certificate = column_text(r, 17);
	c.sp_other_certificate = column_text(r, 20);
	if (!c.mapping || !c.allowed_roles || !c.sp_certificate || !c.sp_other_certificate) {
		sso_connection_clear(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

int sso_connection_find(struct tx *t, const char *slug, struct sso_connection *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_slug, "s", &r, slug);

	return n < 0 ? n : connection_read(r, ret);
}

int sso_connection_by_id(struct tx *t, int64_t id, struct sso_connection *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_id, "i", &r, id);

	return n < 0 ? n : connection_read(r, ret);
}

void sso_connection_clear(struct sso_connection *c)
{
	json_decref(c->mapping);
	json_decref(c->allowed_roles);
	free(c->sp_certificate);
	free(c->sp_other_certificate);
	c->mapping = c->allowed_roles = NULL;
	c->sp_certificate = c->sp_other_certificate = NULL;
}

/* ---- the last refusal ------------------------------------------------------------------------ */

static const char sql_refusal[] =
    "UPDATE sso_connections SET last_fault = $2, last_detail = $3, last_fault_at = $4"
    " WHERE id = $1 AND ($5 = 0 OR last_fault_at < $4 - 3600"
    " OR last_fault IN ('state', 'access_denied'))";

int sso_refusal_keep(
    struct tx *t, int64_t connection, const char *fault, const char *detail, int64_t now)
{
	int64_t weak = strcmp(fault, "state") == 0 || strcmp(fault, "access_denied") == 0;

	return tx_exec(t, sql_refusal, "issii", connection, fault, detail ? detail : "", now, weak);
}

/* ---- roles ----------------------------------------------------------------------------------- */

static const char sql_role[] =
    "SELECT id, rank, slug FROM roles WHERE scope = 'organization' AND slug = $2"
    " AND (organization_id = $1 OR organization_id IS NULL)"
    " ORDER BY CASE WHEN organization_id IS NULL THEN 1 ELSE 0 END LIMIT 1";
static const char sql_role_by_id[] = "SELECT id, rank, slug FROM roles WHERE id = $1";

static int role_read(struct rows *r, struct role *ret)
{
	int n = rows_next(r);

	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	ret->id = row_int(r, 0);
	ret->rank = (int)row_int(r, 1);
	row_copy(r, 2, ret->slug, sizeof(ret->slug));
	return 0;
}

int sso_role_find(struct tx *t, int64_t org, const char *slug, struct role *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_role, "is", &r, org, slug);

	return n < 0 ? n : role_read(r, ret);
}

int sso_role_by_id(struct tx *t, int64_t id, struct role *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_role_by_id, "i", &r, id);

	return n < 0 ? n : role_read(r, ret);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static const char sql_client_secret[] = "SELECT client_secret FROM sso_connections WHERE id = $1";
static const char sql_certificate[] = "SELECT certificate FROM sso_connections WHERE id = $1";
static const char sql_sp_key[] = "SELECT sp_key FROM sso_connections WHERE id = $1";
static const char sql_sp_other_key[] = "SELECT sp_other_key FROM sso_connections WHERE id = $1";
static const char sql_put_client_secret[] =
    "UPDATE sso_connections SET client_secret = $2 WHERE id = $1";
static const char sql_put_certificate[] =
    "UPDATE sso_connections SET certificate = $2 WHERE id = $1";
static const char sql_put_sp_key[] = "UPDATE sso_connections SET sp_key = $2 WHERE id = $1";
static const char sql_put_sp_other_key[] =
    "UPDATE sso_connections SET sp_other_key = $2 WHERE id = $1";

static const struct {
	const char *column, *name, *get, *put;
} sealed_columns[] = {
    {"client_secret", "sso_connections.client_secret", sql_client_secret, sql_put_client_secret},
    {"certificate", "sso_connections.certificate", sql_certificate, sql_put_certificate},
    {"sp_key", "sso_connections.sp_key", sql_sp_key, sql_put_sp_key},
    {"sp_other_key", "sso_connections.sp_other_key", sql_sp_other_key, sql_put_sp_other_key},
};

static int sealed_read(struct tx *t, const struct request *rq, const struct sso_connection *c,
    size_t column, struct buf *ret)
{
	static const struct secrets none = {.columns = secret_columns};
	const struct secrets *s = rq->central->secrets ? rq->central->secrets : &none;
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sealed_columns[column].get, "i", &r, c->id);

	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	const char *text = row_text(r, 0);
	return text ? secret_open(s, t, c->org, sealed_columns[column].name, c->id, text, ret)
		    : -ENOENT;
}

int sso_secret(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *column, struct buf *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(sealed_columns); i++) {
		if (strcmp(column, sealed_columns[i].column) == 0)
			return sealed_read(t, rq, c, i, ret);
	}
	return -EINVAL;
}

int sso_seal(struct tx *t, const struct request *rq, int64_t org, const char *column, int64_t row,
    const char *text, struct buf *ret)
{
	if (!rq->central->secrets)
		return -ENOKEY;
	return secret_seal(rq->central->secrets, t, org, column, row, text, strlen(text), ret);
}

#define SEALED_TEXT_MAX (2 * 65536)

/* Seal it first: what cannot be sealed is not stored. */
int sso_secret_put(struct tx *t, struct act *a, const struct sso_connection *c, const char *column,
    const char *text)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(SEALED_TEXT_MAX);
	size_t i = 0;
	int r = 0;

	while (i < ARRAY_SIZE(sealed_columns) && strcmp(column, sealed_columns[i].column) != 0)
		i++;
	if (i == ARRAY_SIZE(sealed_columns))
		return -EINVAL;
	if (text)
		r = sso_seal(t, a->rq, c->org, sealed_columns[i].name, c->id, text, &sealed);
	if (r == -ENOKEY || r == -EKEYREJECTED)
		return act_fail(a, API_NO_MASTER_KEY, NULL);
	return r < 0
		   ? r
		   : tx_exec(t, sealed_columns[i].put, "is", c->id, text ? buf_str(&sealed) : NULL);
}

void sso_assertion_clear(struct sso_assertion *a)
{
	secret_free(a->refresh_token);
	a->refresh_token = NULL;
}
