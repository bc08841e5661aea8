/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/num.h"
#include "sso_internal.h"

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

int sso_connection_json(
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
	if (r == 0)
		r = sso_expiry_json(t, a->rq, c, o);
	if (r < 0)
		return r;
	if (json_object_update(o, urls) < 0 || json_object_update(o, more) < 0)
		return -ENOMEM;
	*ret = json_incref(o);
	return 0;
}

/* The connection that the path names, by slug or id, if it is this organization's. */
int sso_connection_of(struct tx *t, struct act *a, struct sso_connection *ret)
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
			n = sso_connection_json(t, a, &c, &o);
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
	int r = sso_connection_of(t, a, &c);

	return r ? r : sso_connection_json(t, a, &c, &a->json);
}

void sso_connection_show(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = show_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}
