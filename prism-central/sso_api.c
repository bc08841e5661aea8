/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/num.h"
#include "base/secret.h"
#include "secrets.h"
#include "sso_values.h"

static const char sql_list[] =
    "SELECT id FROM sso_connections WHERE organization_id = $1 ORDER BY slug";
static const char sql_more[] =
    "SELECT c.created_at, c.updated_at, CASE WHEN c.certificate IS NULL THEN 0 ELSE 1 END,"
    " (SELECT r.slug FROM roles r WHERE r.id = c.default_role_id), c.last_fault, c.last_detail,"
    " c.last_fault_at"
    " FROM sso_connections c WHERE c.id = $1";
/* Whom it lets in by no way: no identity here, and no address to link by. */
static const char sql_unlinked[] =
    "SELECT COUNT(*) FROM organization_members m JOIN users u ON u.id = m.user_id"
    " AND u.superadmin = 0 AND u.state = 'active' WHERE m.organization_id = $1 AND NOT EXISTS"
    " (SELECT 1 FROM sso_identities i WHERE i.connection_id = $2 AND i.user_id = u.id)"
    " AND NOT EXISTS (SELECT 1 FROM sso_domains d JOIN emails e ON e.user_id = u.id AND"
    " e.verified_at > 0 AND e.canonical LIKE '%@' || d.domain WHERE d.connection_id = $2"
    " AND d.proven_at > 0)";
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
static const char sql_put_client_secret[] =
    "UPDATE sso_connections SET client_secret = $2 WHERE id = $1";
static const char sql_put_certificate[] =
    "UPDATE sso_connections SET certificate = $2 WHERE id = $1";
static const char sql_put_sp_key[] = "UPDATE sso_connections SET sp_key = $2 WHERE id = $1";
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

#define SEALED_TEXT_MAX (2 * 65536)
#define USERS_MAX	(8u << 20)
#define MONTH		(30 * 86400)

struct connection_act {
	struct act act;
	struct sso_values v;
	const char *slug;
	enum sso_type type;
	bool force;
};

/* ---- how a connection looks ------------------------------------------------------------------ */

static json_t *address(const struct act *a, const struct sso_connection *c, const char *what)
{
	return json_sprintf("%s/sso/%s/%s", a->rq->central->config.url, c->slug, what);
}

static json_t *addresses_json(const struct act *a, const struct sso_connection *c)
{
	bool saml = c->type == SSO_SAML;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "redirect_uri",
	    saml ? json_null() : address(a, c, "callback"), "logout_url",
	    saml ? json_null() : address(a, c, "logout"), "metadata_url",
	    saml ? address(a, c, "metadata") : json_null(), "entity_id",
	    saml ? address(a, c, "metadata") : json_null(), "acs_url",
	    saml ? address(a, c, "acs") : json_null(), "sp_certificate",
	    saml ? json_string(c->sp_certificate) : json_null());
}

static json_t *settings_json(const struct sso_connection *c)
{
	bool saml = c->type == SSO_SAML;

	return json_pack(
	    "{s:o, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:b, s:o, s:o, s:O, s:b, s:b, s:O}", "id",
	    json_id(c->id), "slug", c->slug, "name", c->name, "organization", c->org_slug, "type",
	    saml ? "saml" : "oidc", "enabled", (int)c->enabled, "issuer", c->issuer, "client_id",
	    saml ? json_null() : json_string(c->client_id), "has_client_secret", (int)c->has_secret,
	    "scopes", saml ? json_null() : json_string(c->scopes), "entry_point",
	    saml ? json_string(c->entry_point) : json_null(), "mapping", c->mapping, "enforce_sso",
	    (int)c->enforce_sso, "auto_provision", (int)c->auto_provision, "allowed_roles",
	    c->allowed_roles);
}

static int count_unlinked(struct tx *t, const struct sso_connection *c, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_unlinked, "ii", &r, c->org, c->id);

	if (n == 0)
		n = rows_next(r);
	if (n > 0)
		*ret = row_int(r, 0);
	return n < 0 ? n : 0;
}

/* Null: none was. */
static json_t *refusal_json(struct rows *r)
{
	if (row_int(r, 6) == 0)
		return json_null();
	return json_pack("{s:o, s:s, s:s}", "at", json_time(row_int(r, 6)), "fault", row_text(r, 4),
	    "detail", row_text(r, 5));
}

static int more_json(struct tx *t, const struct sso_connection *c, json_t **ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int64_t unlinked = 0;
	int n = count_unlinked(t, c, &unlinked);

	if (n == 0)
		n = tx_query(t, sql_more, "i", &r, c->id);
	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = json_pack("{s:b, s:s, s:I, s:o, s:o, s:o}", "has_certificate", (int)row_int(r, 2),
	    "default_role", row_text(r, 3), "unlinked_members", (json_int_t)unlinked,
	    "last_refusal", refusal_json(r), "created_at", json_time(row_int(r, 0)), "updated_at",
	    json_time(row_int(r, 1)));
	return *ret ? 0 : -ENOMEM;
}

static int connection_json(
    struct tx *t, const struct act *a, const struct sso_connection *c, json_t **ret)
{
	json_auto_t *o = settings_json(c);
	json_auto_t *urls = addresses_json(a, c);
	json_auto_t *more = NULL;
	json_t *domains = json_array();
	int r = more_json(t, c, &more);

	if (!o || json_object_set_new(o, "domains", domains) < 0)
		return -ENOMEM;
	if (r == 0)
		r = sso_domain_all(t, c->org, c->id, domains);
	if (r < 0)
		return r;
	if (json_object_update(o, urls) < 0 || json_object_update(o, more) < 0)
		return -ENOMEM;
	*ret = json_incref(o);
	return 0;
}

/* The connection that the path names, by slug or id, if it is this organization's. */
static int find(struct tx *t, struct act *a, struct sso_connection *ret)
{
	struct sso_connection c = {0};
	int64_t id;
	int r = num_parse_i64(a->rq->arg[1], &id) == 0 ? sso_connection_by_id(t, id, &c)
						       : sso_connection_find(t, a->rq->arg[1], &c);

	if (r == 0 && c.org != a->authz.org) {
		sso_connection_clear(&c);
		r = -ENOENT;
	}
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_SSO_NOT_FOUND, NULL) : r;
	*ret = c;
	return 0;
}

static int list_tx(struct tx *t, struct act *a)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_list, "i", &r, a->authz.org);

	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		_cleanup_sso_connection_ struct sso_connection c = {0};
		json_t *o = NULL;
		n = sso_connection_by_id(t, row_int(r, 0), &c);
		if (n == 0)
			n = connection_json(t, a, &c, &o);
		if (n == 0 && json_array_append_new(a->json, o) < 0)
			n = -ENOMEM;
		if (n < 0)
			return n;
	}
	return n;
}

void sso_connection_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int show_tx(struct tx *t, struct act *a)
{
	_cleanup_sso_connection_ struct sso_connection c = {0};
	int r = find(t, a, &c);

	return r ? r : connection_json(t, a, &c, &a->json);
}

void sso_connection_show(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = show_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

/* ---- storing --------------------------------------------------------------------------------- */

/* Seal it first: what cannot be sealed is not stored. NULL takes it away. */
static int put_sealed(struct tx *t, struct act *a, const struct sso_connection *c,
    const char *column, const char *sql, const char *text)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(SEALED_TEXT_MAX);

	if (!text)
		return tx_exec(t, sql, "is", c->id, NULL);
	int r = sso_seal(t, a->rq, c->org, column, c->id, text, &sealed);
	if (r == -ENOKEY || r == -EKEYREJECTED)
		return act_fail(a, API_NO_MASTER_KEY, NULL);
	return r < 0 ? r : tx_exec(t, sql, "is", c->id, buf_str(&sealed));
}

static int put_secrets(struct tx *t, struct act *a, const struct sso_values *v)
{
	int r = 0;

	if (v->secret)
		r = put_sealed(t, a, &v->c, "sso_connections.client_secret", sql_put_client_secret,
		    v->client_secret);
	if (r == 0 && v->certificate)
		r = put_sealed(t, a, &v->c, "sso_connections.certificate", sql_put_certificate,
		    v->certificates.len ? buf_str(&v->certificates) : NULL);
	if (r == 0 && v->sp_key.len)
		r = put_sealed(
		    t, a, &v->c, "sso_connections.sp_key", sql_put_sp_key, buf_str(&v->sp_key));
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
	if (r == 0)
		r = connection_json(t, a, &now, &a->json);
	if (r == 0 && v->certificates.len && v->certificates_end < a->rq->now + MONTH)
		r = json_object_set_new(a->json, "warnings",
		    json_pack("[s]", v->certificates_end <= a->rq->now
					 ? "The provider's certificate has expired."
					 : "The provider's certificate expires within a month."));
	return r;
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

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		int64_t id = row_int(r, 0);
		buf_add(out, &id, sizeof(id));
	}
	return n < 0 ? n : buf_error(out);
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
	    "Another \"issuer\" needs its own \"client_secret\": null for none.");
}

static int certificate_stored(struct tx *t, int64_t id)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_more, "i", &r, id);

	if (n == 0)
		n = rows_next(r);
	return n <= 0 ? n : row_int(r, 2) != 0;
}

static int patch_tx(struct tx *t, struct act *a)
{
	struct connection_act *p = (struct connection_act *)a;
	struct sso_values *v = &p->v;

	if (json_object_get(a->rq->body, "slug") || json_object_get(a->rq->body, "type"))
		return act_fail(a, API_INVALID_VALUE, "\"slug\" and \"type\" never change.");
	sso_connection_clear(&v->c);
	int r = find(t, a, &v->c);
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
	int r = find(t, a, &c);

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
