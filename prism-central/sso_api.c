/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/num.h"
#include "base/secret.h"
#include "secrets.h"
#include "sso_values.h"

static const char sql_count[] = "SELECT COUNT(*) FROM sso_connections WHERE organization_id = $1";
static const char sql_insert[] =
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, issuer, default_role_id,"
    " sp_certificate, created_at, created_by, updated_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9)";
static const char sql_update[] =
    "UPDATE sso_connections SET name = $2, enabled = $3, issuer = $4, client_id = $5, scopes = $6,"
    " entry_point = $7, mapping = $8, enforce_sso = $9, auto_provision = $10,"
    " default_role_id = $11, allowed_roles = $12, updated_at = $13, roles_by = $14"
    " WHERE id = $1";
static const char sql_users[] =
    "SELECT DISTINCT user_id FROM sso_identities WHERE connection_id = $1 ORDER BY user_id";
static const char sql_end_identities[] =
    "UPDATE sso_identities SET auth_at = 0, refresh_token = NULL, refresh_due = 0"
    " WHERE connection_id = $1";
static const char sql_delete_identities[] = "DELETE FROM sso_identities WHERE connection_id = $1";
static const char sql_delete_attempts[] = "DELETE FROM sso_attempts WHERE connection_id = $1";
static const char sql_delete_seen[] = "DELETE FROM sso_seen WHERE connection_id = $1";
static const char sql_delete_tickets[] = "DELETE FROM sso_link_tickets WHERE connection_id = $1";
static const char sql_delete_domains[] = "DELETE FROM sso_domains WHERE connection_id = $1";
static const char sql_delete[] = "DELETE FROM sso_connections WHERE id = $1";

#define USERS_MAX (8u << 20)

struct connection_act {
	struct act act;
	struct sso_values v;
	const char *slug;
	enum sso_type type;
	bool force;
};

/* ---- storing --------------------------------------------------------------------------------- */

static int put_secrets(struct tx *t, struct act *a, const struct sso_values *v)
{
	int r = 0;

	if (v->secret)
		r = sso_secret_put(t, a, &v->c, "client_secret", v->client_secret);
	if (r == 0 && v->certificate)
		r = sso_secret_put(t, a, &v->c, "certificate",
		    v->certificates.len ? buf_str(&v->certificates) : NULL);
	if (r == 0 && v->sp_key.len)
		r = sso_secret_put(t, a, &v->c, "sp_key", buf_str(&v->sp_key));
	return r;
}

static int put_settings(struct tx *t, const struct request *rq, const struct sso_connection *c)
{
	_cleanup_free_ char *mapping = json_dumps(c->mapping, JSON_COMPACT | JSON_SORT_KEYS);
	_cleanup_free_ char *roles = json_dumps(c->allowed_roles, JSON_COMPACT);

	if (!mapping || !roles)
		return -ENOMEM;
	return tx_exec(t, sql_update, "isisssssiiisii", c->id, c->name, (int64_t)c->enabled,
	    c->issuer, c->client_id, c->scopes, c->entry_point, mapping, (int64_t)c->enforce_sso,
	    (int64_t)c->auto_provision, c->default_role, roles, rq->now, rq->who.id);
}

/* After a change: secrets, domains, the audit, and the answer as it is stored now. */
static int stored(struct tx *t, struct act *a, struct sso_values *v, const char *action)
{
	_cleanup_sso_connection_ struct sso_connection now = {0};
	int r = put_secrets(t, a, v);

	if (r == 0 && v->domains)
		r = sso_domain_set(t, a, &v->c, v->domains);
	if (r == 0)
		r = audit_object(
		    t, a->rq, action, "sso-connection", v->c.slug, sso_values_detail(a->rq));
	if (r == 0)
		r = sso_connection_by_id(t, v->c.id, &now);
	return r ? r : sso_connection_json(t, a, &now, &a->json);
}

/* ---- create ---------------------------------------------------------------------------------- */

static int count(struct tx *t, int64_t org, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_count, "i", &r, org);

	if (n == 0)
		n = rows_next(r);
	if (n > 0)
		*ret = row_int(r, 0);
	return n < 0 ? n : 0;
}

static int post_tx(struct tx *t, struct act *a)
{
	struct connection_act *p = (struct connection_act *)a;
	struct sso_values *v = &p->v;

	sso_connection_clear(&v->c);
	v->c = (struct sso_connection){
	    .id = store_new_id(), .org = a->authz.org, .type = p->type, .mapping = json_object()};
	snprintf(v->c.slug, sizeof(v->c.slug), "%s", p->slug);
	snprintf(v->c.name, sizeof(v->c.name), "%s", p->slug);
	if (p->type == SSO_OIDC)
		snprintf(v->c.scopes, sizeof(v->c.scopes), SSO_SCOPES_TEXT);
	int64_t have = 0;
	int r = count(t, v->c.org, &have);
	if (r == 0 && have >= SSO_CONNECTIONS_MAX)
		return act_fail(a, API_CONFLICT, "An organization has at most %d connections.",
		    SSO_CONNECTIONS_MAX);
	if (r == 0)
		r = sso_values_apply(t, a, v, false);
	if (r == 0)
		r = tx_exec(t, sql_insert, "iissssisii", v->c.id, v->c.org, v->c.slug, v->c.name,
		    p->type == SSO_SAML ? "saml" : "oidc", v->c.issuer, v->c.default_role,
		    buf_str(&v->sp_certificate), a->rq->now, a->rq->who.id);
	if (r == -EEXIST)
		return act_fail(
		    a, API_NAME_TAKEN, "There is a connection called %s already.", p->slug);
	if (r == 0)
		r = put_settings(t, a->rq, &v->c);
	return r ? r : stored(t, a, v, "sso.connection.create");
}

static int read_type(struct connection_act *p)
{
	const char *type = request_str(p->act.rq, "type");

	p->slug = request_str(p->act.rq, "slug");
	if (!p->slug || !slug_valid(p->slug))
		return act_fail(&p->act, API_INVALID_VALUE,
		    "A slug is 2 to %d of a-z, 0-9 and -, begins with a letter, and does not end "
		    "in - or -ro.",
		    SLUG_MAX);
	if (type && strcmp(type, "oidc") == 0)
		p->type = SSO_OIDC;
	else if (type && strcmp(type, "saml") == 0)
		p->type = SSO_SAML;
	else
		return act_fail(&p->act, API_INVALID_VALUE, "\"type\" is oidc or saml.");
	return 0;
}

void sso_connection_post(struct request *rq, struct reply *rp)
{
	struct connection_act p = {.act = {.fn = post_tx, .rq = rq, .status = 201}};

	sso_values_init(&p.v);
	int r = read_type(&p);
	if (r == 0)
		r = sso_values_prepare(&p.act, &p.v, p.type == SSO_SAML ? p.slug : NULL);
	if (r == 0)
		r = act_do(&p.act, STORE_WRITE);
	act_reply(&p.act, r, rp);
	sso_values_clear(&p.v);
}

/* ---- change ---------------------------------------------------------------------------------- */

static int users_of(struct tx *t, int64_t connection, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_users, "i", &r, connection);

	return n < 0 ? n : rows_ids(r, out);
}

static int touch_users(struct tx *t, int64_t org, const struct buf *users)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < users->len; i += sizeof(int64_t)) {
		int64_t user;
		memcpy(&user, users->data + i, sizeof(user));
		r = sso_touch(t, org, user);
	}
	return r;
}

/* ?force=1, or {"force": true} beside what is to be changed. */
static bool forced(const struct request *rq)
{
	const char *force = request_query(rq, "force");

	if (force)
		return strcmp(force, "0") != 0 && strcmp(force, "false") != 0;
	return json_is_true(json_object_get(rq->body, "force"));
}

/*
 * What a connection vouches for counts while it is enabled, and while its provider is the one that
 * has said it: another one must not even get the refresh tokens.
 */
static int switched(struct tx *t, struct connection_act *p, bool before, bool moved)
{
	_cleanup_buf_ struct buf users = BUF_INIT(USERS_MAX);
	const struct sso_connection *c = &p->v.c;
	int r = 0;

	if (!moved && before == c->enabled)
		return 0;
	if (before && !c->enabled && !p->force)
		r = sso_last_way(t, &p->act, c);
	if (r == 0 && (!c->enabled || moved))
		r = sso_end_connection(t, c->id, p->act.rq->now);
	if (r == 0 && moved)
		r = tx_exec(t, sql_end_identities, "i", c->id);
	if (r == 0)
		r = users_of(t, c->id, &users);
	return r ? r : touch_users(t, c->org, &users);
}

/* Nor the secret: it belongs to the provider that it was agreed on with. */
static int moved_check(struct act *a, const struct sso_values *v)
{
	if (!v->c.has_secret || v->secret)
		return 0;
	return act_fail(a, API_INVALID_VALUE,
	    "Another \"issuer\" needs its own \"client_secret\", null for none: prism sso edit "
	    "--issuer URL --client-secret-file FILE");
}

static const char sql_certificate[] =
    "SELECT 1 FROM sso_connections WHERE id = $1 AND certificate IS NOT NULL";

/* 1: there is one. */
static int certificate_stored(struct tx *t, int64_t id)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_certificate, "i", &r, id);

	return n < 0 ? n : rows_next(r);
}

static int patch_tx(struct tx *t, struct act *a)
{
	struct connection_act *p = (struct connection_act *)a;
	struct sso_values *v = &p->v;

	if (json_object_get(a->rq->body, "slug") || json_object_get(a->rq->body, "type"))
		return act_fail(a, API_INVALID_VALUE, "\"slug\" and \"type\" never change.");
	sso_connection_clear(&v->c);
	int r = sso_connection_of(t, a, &v->c);
	if (r < 0)
		return r;
	bool before = v->c.enabled;
	char issuer[SSO_URL_MAX];
	memcpy(issuer, v->c.issuer, sizeof(issuer));
	r = certificate_stored(t, v->c.id);
	if (r >= 0)
		r = sso_values_apply(t, a, v, r);
	bool moved = issuer[0] && strcmp(issuer, v->c.issuer) != 0;
	if (r == 0 && moved)
		r = moved_check(a, v);
	if (r == 0)
		r = put_settings(t, a->rq, &v->c);
	if (r == 0)
		r = switched(t, p, before, moved);
	return r ? r : stored(t, a, v, "sso.connection.update");
}

void sso_connection_patch(struct request *rq, struct reply *rp)
{
	struct connection_act p = {
	    .act = {.fn = patch_tx, .rq = rq, .status = 200}, .force = forced(rq)};

	sso_values_init(&p.v);
	int r = sso_values_prepare(&p.act, &p.v, NULL);
	if (r == 0)
		r = act_do(&p.act, STORE_WRITE);
	act_reply(&p.act, r, rp);
	sso_values_clear(&p.v);
}

/* ---- delete ---------------------------------------------------------------------------------- */

static int delete_rows(struct tx *t, int64_t id)
{
	static const char *const all[] = {sql_delete_identities, sql_delete_attempts,
	    sql_delete_seen, sql_delete_tickets, sql_delete_domains, sql_delete};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(all); i++)
		r = tx_exec(t, all[i], "i", id);
	return r;
}

static int delete_tx(struct tx *t, struct act *a)
{
	const struct connection_act *p = (struct connection_act *)a;
	_cleanup_sso_connection_ struct sso_connection c = {0};
	_cleanup_buf_ struct buf users = BUF_INIT(USERS_MAX);
	int r = sso_connection_of(t, a, &c);

	if (r == 0)
		r = users_of(t, c.id, &users);
	size_t n = users.len / sizeof(int64_t);
	if (r == 0 && n > 0 && !p->force)
		return act_fail(a, API_CONFLICT,
		    "%zu people log in through %s: disable it, or delete it with them by ?force=1. "
		    "They keep their accounts.",
		    n, c.slug);
	if (r == 0 && c.enabled && !p->force)
		r = sso_last_way(t, a, &c);
	if (r == 0)
		r = sso_end_connection(t, c.id, a->rq->now);
	if (r == 0)
		r = delete_rows(t, c.id);
	if (r == 0)
		r = touch_users(t, c.org, &users);
	return r ? r
		 : audit_object(t, a->rq, "sso.connection.delete", "sso-connection", c.slug,
		       json_pack("{s:I}", "people", (json_int_t)n));
}

void sso_connection_delete(struct request *rq, struct reply *rp)
{
	struct connection_act p = {
	    .act = {.fn = delete_tx, .rq = rq, .status = 204}, .force = forced(rq)};

	act_run(&p.act, STORE_WRITE, rp);
}
