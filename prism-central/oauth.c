/* SPDX-License-Identifier: MIT */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/secret.h"
#include "central.h"
#include "host.h"
#include "ratelimit.h"
#include "sso.h"

#define GRANT_DEVICE "urn:ietf:params:oauth:grant-type:device_code"

/* ---- errors ---------------------------------------------------------------------------------- */

static const struct {
	int status;
	const char *word;
} errors[] = {
    [OAUTH_INVALID_REQUEST] = {400, "invalid_request"},
    [OAUTH_INVALID_CLIENT] = {401, "invalid_client"},
    [OAUTH_INVALID_GRANT] = {400, "invalid_grant"},
    [OAUTH_UNSUPPORTED_GRANT_TYPE] = {400, "unsupported_grant_type"},
    [OAUTH_ACCESS_DENIED] = {400, "access_denied"},
    [OAUTH_PENDING] = {400, "authorization_pending"},
    [OAUTH_SLOW_DOWN] = {400, "slow_down"},
    [OAUTH_TOO_MANY] = {429, "slow_down"},
    [OAUTH_EXPIRED] = {400, "expired_token"},
    [OAUTH_BUSY] = {503, "temporarily_unavailable"},
    [OAUTH_FAILED] = {500, "server_error"},
};

void oauth_error(const struct request *rq, struct reply *rp, enum oauth_error e, const char *why)
{
	unsigned wait = rp->retry_after;

	if (why)
		log_event(LOG_LEVEL_WARN, "oauth-refused", "request", "%s", rq->id, "peer", "%s",
		    rq->peer ? rq->peer : "", "error", "%s", errors[e].word, "why", "%s", why,
		    NULL);
	reply_json(rp, errors[e].status, json_pack("{s:s}", "error", errors[e].word));
	rp->retry_after = wait;
}

void oauth_errno(const struct request *rq, struct reply *rp, int error)
{
	bool busy = error == -EBUSY || error == -ENOMEM || error == -EAGAIN;

	rp->retry_after = busy ? 1 : 0;
	oauth_error(rq, rp, busy ? OAUTH_BUSY : OAUTH_FAILED, "database");
}

void oauth_of_error(const struct request *rq, struct reply *rp)
{
	enum oauth_error e = rp->status >= 500 ? OAUTH_FAILED : OAUTH_INVALID_REQUEST;
	bool ours = rq->route && rq->route->scope == SCOPE_PUBLIC &&
		    strncmp(rq->route->path, "/oauth2/", 8) == 0;

	if (!ours || rp->status < 400 || !json_is_object(json_object_get(rp->json, "error")))
		return;
	oauth_error(rq, rp, rp->status == 503 ? OAUTH_BUSY : e, "the request, before its handler");
}

/* A host has proven who it is, and must not suffer from its neighbours. */
static void peer_key(const struct request *rq, char out[static RATELIMIT_KEY_MAX])
{
	if (rq->who.kind == PRINCIPAL_HOST)
		snprintf(out, RATELIMIT_KEY_MAX, "host %lld", (long long)rq->who.id);
	else
		ratelimit_peer(rq->peer ? rq->peer : "", out);
}

void oauth_bad(const struct request *rq, struct reply *rp, enum oauth_error e, const char *why)
{
	char key[RATELIMIT_KEY_MAX];

	peer_key(rq, key);
	rp->retry_after = ratelimit_take(RATELIMIT_OAUTH_PEER, key);
	if (rp->retry_after)
		oauth_error(rq, rp, OAUTH_TOO_MANY, "too many codes and tokens that were none");
	else
		oauth_error(rq, rp, e, why);
}

/* ---- secrets and sessions -------------------------------------------------------------------- */

int oauth_secret_make(const char prefix[static 4], struct oauth_secret *ret)
{
	uint8_t raw[32];
	int r = secret_random(raw, sizeof(raw));

	if (r < 0)
		return r;
	memcpy(ret->text, prefix, 4);
	base64url_encode(raw, sizeof(raw), ret->text + 4);
	explicit_bzero(raw, sizeof(raw));
	sha256_hex(ret->text, OAUTH_SECRET_LEN, ret->hash);
	return 0;
}

static const char sql_identity[] =
    "SELECT 1 FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id"
    " WHERE i.id = $1 AND i.user_id = $2 AND i.auth_at > 0 AND c.enabled = 1";

int oauth_identity_holds(struct tx *t, int64_t user, int64_t identity)
{
	_cleanup_rows_ struct rows *r = NULL;

	if (!identity)
		return 1;
	int rc = tx_query(t, sql_identity, "ii", &r, identity, user);
	return rc < 0 ? rc : rows_next(r);
}

int oauth_must_use_sso(
    struct tx *t, int64_t user, int64_t identity, char ret_slug[static SLUG_MAX + 1])
{
	return identity ? 0 : sso_enforced(t, user, ret_slug);
}

static const char sql_old[] =
    "SELECT c.slug FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id"
    " JOIN projects p ON p.organization_id = c.organization_id"
    " JOIN memberships m ON m.project_id = p.id AND m.user_id = i.user_id"
    " WHERE i.id = $1 AND i.user_id = $2 AND i.auth_at > 0 AND c.enabled = 1"
    " AND p.state = 'active' AND p.sso_max_age > 0 AND p.sso_max_age <= $3 - i.auth_at"
    " AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $3) LIMIT 1";

int oauth_login_old(struct tx *t, const struct request *rq, char ret_slug[static SLUG_MAX + 1])
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_old, "iii", &r, rq->browser.identity, rq->who.id, rq->now);

	if (rc == 0)
		rc = rows_next(r);
	if (rc > 0)
		row_copy(r, 0, ret_slug, SLUG_MAX + 1);
	return rc;
}

/* Whether a login of theirs by this identity opens anything, now: 1, 0 or -errno. */
static int login_counts(struct tx *t, int64_t user, int64_t identity)
{
	char slug[SLUG_MAX + 1];
	int r = oauth_identity_holds(t, user, identity);

	if (r <= 0)
		return r;
	r = oauth_must_use_sso(t, user, identity, slug);
	return r < 0 ? r : !r;
}

int oauth_session(struct tx *t, const struct request *rq, int64_t user, int64_t identity,
    struct session_token *ret, struct user *ret_user)
{
	int r = user_by_id(t, user, ret_user);

	if (r < 0 || !ret_user->active)
		return r == -ENOENT || r == 0 ? -EACCES : r;
	r = login_counts(t, user, identity);
	if (r <= 0)
		return r < 0 ? r : -EACCES;
	struct request as = request_as(rq, user, ret_user->username);
	r = session_create(t, &as, user, "browser", identity, ret);
	return r < 0 ? r
		     : audit_object(t, &as, "session.open", "user", ret_user->username,
			   json_pack("{ss}", "how", "browser"));
}

void oauth_session_reply(
    const struct request *rq, struct reply *rp, const struct session_token *s, const struct user *u)
{
	reply_json(rp, 200,
	    json_pack("{s:s, s:s, s:I, s:s}", "access_token", s->text, "token_type", "Bearer",
		"expires_in", (json_int_t)(s->expires - rq->now), "username", u->username));
}

/* ---- redirects of pages ---------------------------------------------------------------------- */

void oauth_login_first(struct reply *rp, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT(8192);

	buf_add_str(&b, "/login?return=");
	html_query(&b, path);
	if (buf_error(&b) < 0)
		reply_errno(rp, buf_error(&b));
	else
		reply_redirect(rp, buf_str(&b));
}

void oauth_sso_first(
    struct request *rq, struct reply *rp, const char *slug, bool fresh, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT(8192);

	buf_addf(&b, "/sso/%s/start?%sreturn=", slug, fresh ? "fresh=1&" : "");
	html_query(&b, path);
	if (buf_error(&b) < 0)
		reply_errno(rp, buf_error(&b));
	else
		page_go(rq, rp, "Log in at your institution first", buf_str(&b));
}

/* ---- metadata -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *path;
} endpoints[] = {
    {"authorization_endpoint", "/oauth2/authorize"},
    {"token_endpoint", "/oauth2/token"},
    {"device_authorization_endpoint", "/oauth2/device_authorization"},
    {"revocation_endpoint", "/oauth2/revoke"},
};

void oauth_metadata(struct request *rq, struct reply *rp)
{
	const char *url = rq->central->config.url;
	json_t *o = json_pack("{s:s, s:[s], s:[s], s:[s,s,s], s:[s], s:[s,s], s:[s], s:[s], s:b}",
	    "issuer", url, "response_types_supported", "code", "response_modes_supported", "query",
	    "grant_types_supported", "authorization_code", GRANT_DEVICE, "client_credentials",
	    "code_challenge_methods_supported", "S256", "token_endpoint_auth_methods_supported",
	    "none", "private_key_jwt", "token_endpoint_auth_signing_alg_values_supported", "EdDSA",
	    "revocation_endpoint_auth_methods_supported", "none",
	    "authorization_response_iss_parameter_supported", 1);

	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
		json_t *v = json_sprintf("%s%s", url, endpoints[i].path);
		json_object_set_new(o, endpoints[i].name, v);
	}
	reply_json(rp, 200, o);
}

/* ---- the token endpoint ---------------------------------------------------------------------- */

static const struct {
	const char *type;
	void (*handler)(struct request *, struct reply *);
} grants[] = {
    {"authorization_code", oauth_code_token},
    {GRANT_DEVICE, device_token},
};

/* Whatever else is asked for is host_oauth_token()'s to answer or to refuse. */
void oauth_token(struct request *rq, struct reply *rp)
{
	const char *type = request_form(rq, "grant_type");

	for (size_t i = 0; type && i < ARRAY_SIZE(grants); i++) {
		if (strcmp(type, grants[i].type) == 0) {
			grants[i].handler(rq, rp);
			return;
		}
	}
	host_oauth_token(rq, rp);
}
