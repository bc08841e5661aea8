/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include "base/clock.h"
#include "base/encode.h"
#include "browser.h"
#include "oidc.h"
#include "sso_share.h"

#define CODE_MAX 4096

static const char purpose_nonce[] = "oidc nonce";
static const char purpose_verifier[] = "oidc verifier";

static void redirect_uri(
    const struct request *rq, const struct sso_connection *c, char *out, size_t size)
{
	snprintf(out, size, "%s/sso/%s/callback", rq->central->config.url, c->slug);
}

/* ---- there ----------------------------------------------------------------------------------- */

static int challenge(const char *verifier, char out[BASE64URL_LEN(32) + 1])
{
	uint8_t hash[32];
	unsigned n = 0;

	if (EVP_Digest(verifier, strlen(verifier), hash, &n, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	base64url_encode(hash, sizeof(hash), out);
	return 0;
}

static void add_scope(struct buf *url, const struct sso_connection *c)
{
	char scope[sizeof(c->scopes) + 16];

	if (!c->scopes[0])
		snprintf(scope, sizeof(scope), "openid profile email");
	else
		snprintf(scope, sizeof(scope), "%s%s", oidc_scope_has(c, "openid") ? "" : "openid ",
		    c->scopes);
	http_form_add(url, "scope", scope);
}

/* A refresh token without asking the person is not to be had: OpenID Connect Core section 11. */
static void add_prompt(struct buf *url, const struct sso_connection *c, const struct sso_attempt *a)
{
	bool consent = oidc_scope_has(c, "offline_access");

	if (a->fresh)
		http_form_add(url, "max_age", "0");
	if (a->fresh || consent)
		http_form_add(url, "prompt",
		    !consent   ? "login"
		    : a->fresh ? "login consent"
			       : "consent");
}

static int start(struct request *rq, const struct sso_connection *c, struct sso_attempt *a,
    struct buf *url, struct sso_fault *fault)
{
	_cleanup_buf_ struct buf query = BUF_INIT(8192);
	struct oidc_metadata m;
	struct oidc_fault f = {NULL};
	char uri[sizeof(rq->central->config.url) + 64], nonce[44], verifier[44];
	char hash[BASE64URL_LEN(32) + 1];

	int r = oidc_metadata(rq->central, c, &m, &f);
	if (r == -EPROTO) {
		fault->word = f.word;
		snprintf(fault->detail, sizeof(fault->detail), "%s", f.detail);
	}
	if (r < 0)
		return r;
	redirect_uri(rq, c, uri, sizeof(uri));
	browser_derive(rq, purpose_nonce, a->id, nonce);
	browser_derive(rq, purpose_verifier, a->id, verifier);
	r = challenge(verifier, hash);
	explicit_bzero(verifier, sizeof(verifier));
	if (r < 0)
		return r;
	http_form_add(&query, "response_type", "code");
	http_form_add(&query, "client_id", c->client_id);
	http_form_add(&query, "redirect_uri", uri);
	add_scope(&query, c);
	http_form_add(&query, "state", a->state);
	http_form_add(&query, "nonce", nonce);
	http_form_add(&query, "code_challenge", hash);
	http_form_add(&query, "code_challenge_method", "S256");
	add_prompt(&query, c, a);
	buf_add_str(url, m.authorization_endpoint);
	buf_add_char(url, strchr(m.authorization_endpoint, '?') ? '&' : '?');
	buf_add_str(url, buf_str(&query));
	return buf_error(&query);
}

const struct sso_provider sso_oidc = {.start = start};

/* ---- and back -------------------------------------------------------------------------------- */

struct callback {
	struct request *rq;
	struct sso_connection c;
	struct sso_attempt a;
	struct oidc_metadata m;
	struct oidc_tokens tokens;
	struct id_token id;
	struct sso_assertion said;
	struct oidc_fault f;
};

static void callback_release(struct callback *cb)
{
	sso_connection_clear(&cb->c);
	sso_attempt_clear(&cb->a);
	oidc_tokens_clear(&cb->tokens);
	id_token_clear(&cb->id);
	sso_assertion_clear(&cb->said);
}

static int take_tx(struct tx *t, void *arg)
{
	struct callback *cb = arg;

	sso_attempt_clear(&cb->a);
	return sso_attempt_take(t, cb->rq, &cb->c, request_query(cb->rq, "state"), &cb->a);
}

static int attempt_get(struct callback *cb)
{
	int r = store_tx(cb->rq->db, STORE_WRITE, take_tx, cb);

	/* One to which something was put already waits for the person's consent, not for a code. */
	if (r == -ENOENT || (r == 0 && cb->a.assertion))
		return oidc_fail(&cb->f, "state", "unknown, used, over or another browser's");
	return r;
}

/* What the provider has said to the browser: 0 and there is a code. */
static int answer_check(struct callback *cb)
{
	const char *iss = request_query(cb->rq, "iss"), *error = request_query(cb->rq, "error");
	const char *code = request_query(cb->rq, "code");

	/* RFC 9207 section 2.4: before anything else, also in refusals. */
	if (iss ? strcmp(iss, cb->c.issuer) != 0 : cb->m.names_issuer)
		return oidc_fail(&cb->f, "answer_issuer",
		    iss ? "the answer names another issuer" : "the answer names no issuer");
	if (error) {
		const char *text = request_query(cb->rq, "error_description");
		const char *word = oidc_error_word(error);
		bool denied = strcmp(word, "access_denied") == 0;
		return oidc_fail(&cb->f, denied ? "access_denied" : "provider_error", "%s: %s",
		    word, text ? text : "");
	}
	if (!code || !*code || strlen(code) > CODE_MAX)
		return oidc_fail(&cb->f, "code", "there is no code in the answer");
	return 0;
}

static int code_exchange(struct callback *cb)
{
	_cleanup_buf_ struct buf form = BUF_INIT(32768);
	char uri[sizeof(cb->rq->central->config.url) + 64], verifier[44];

	redirect_uri(cb->rq, &cb->c, uri, sizeof(uri));
	browser_derive(cb->rq, purpose_verifier, cb->a.id, verifier);
	http_form_add(&form, "grant_type", "authorization_code");
	http_form_add(&form, "code", request_query(cb->rq, "code"));
	http_form_add(&form, "redirect_uri", uri);
	http_form_add(&form, "code_verifier", verifier);
	explicit_bzero(verifier, sizeof(verifier));
	int r = oidc_grant(cb->rq, &cb->c, &cb->m, &form, &cb->tokens, &cb->f);
	if (r == -EKEYREJECTED)
		return -EPROTO;
	if (r == 0 && !cb->tokens.id_token)
		return oidc_fail(&cb->f, "token_form", "token: the answer has no ID token");
	return r;
}

static int id_open(struct oidc_check *k, const struct jwks *keys, enum jwt_fault *ret_fault)
{
	struct callback *cb = k->arg;
	int64_t now = clock_now();
	char nonce[44];
	struct id_token_expect want = {
	    .issuer = cb->c.issuer,
	    .client_id = cb->c.client_id,
	    .nonce = nonce,
	    .access_token = cb->tokens.access_token,
	    .now = now,
	    /* The login must have been since we asked for it. */
	    .max_login_age = cb->a.fresh ? now - cb->a.created_at + 1 : 0,
	};

	browser_derive(cb->rq, purpose_nonce, cb->a.id, nonce);
	return id_token_open(k->text, strlen(k->text), keys, &want, &cb->id, ret_fault);
}

static void session_read(struct callback *cb)
{
	const char *sid = json_string_value(json_object_get(cb->id.claims, "sid"));

	snprintf(cb->said.issuer, sizeof(cb->said.issuer), "%s", cb->id.issuer);
	snprintf(cb->said.subject, sizeof(cb->said.subject), "%s", cb->id.subject);
	cb->said.connection = cb->c.id;
	/* Where it is not told, it was no later than this. */
	cb->said.auth_at = cb->id.auth_time ? cb->id.auth_time : cb->id.issued;
	if (sid && strlen(sid) < sizeof(cb->said.sid))
		snprintf(cb->said.sid, sizeof(cb->said.sid), "%s", sid);
	/* Without offline_access it would end with the provider's own session, whose length is not
	   what decides here. */
	if (oidc_scope_has(&cb->c, "offline_access") && cb->tokens.refresh_token &&
	    strlen(cb->tokens.refresh_token) <= OIDC_REFRESH_MAX)
		cb->said.refresh_token = TAKE_PTR(cb->tokens.refresh_token);
}

static int callback_run(struct callback *cb)
{
	struct oidc_check check = {.c = &cb->c, .m = &cb->m, .open = id_open, .arg = cb};
	int r = attempt_get(cb);

	if (r == 0)
		r = oidc_metadata(cb->rq->central, &cb->c, &cb->m, &cb->f);
	if (r == 0)
		r = answer_check(cb);
	if (r == 0)
		r = code_exchange(cb);
	check.text = cb->tokens.id_token;
	if (r == 0)
		r = oidc_check(cb->rq, &check, &cb->f);
	if (r < 0)
		return r;
	session_read(cb);
	return oidc_person(
	    cb->rq, &cb->c, &cb->m, &cb->id, cb->tokens.access_token, &cb->said, &cb->f);
}

void oidc_callback(struct request *rq, struct reply *rp)
{
	_cleanup_(callback_release) struct callback cb = {.rq = rq};

	if (sso_flow_limited(rq, rp, false))
		return;
	int r = sso_flow_connection(rq, SSO_OIDC, &cb.c);
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
		return;
	}
	if (!sso_share_take(rq, rp, cb.c.org))
		return;
	r = callback_run(&cb);
	if (r == -EPROTO)
		sso_flow_refuse(rq, rp, &cb.c, cb.f.word, cb.f.detail);
	else if (r < 0)
		reply_errno(rp, r);
	else
		sso_flow_finish(rq, rp, &cb.c, &cb.a, &cb.said);
	sso_share_return(rq, cb.c.org);
}
