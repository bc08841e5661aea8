/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "oidc.h"
#include "secrets.h"

/* ---- the client's secret --------------------------------------------------------------------- */

struct secret {
	struct request *rq;
	const struct sso_connection *c;
	struct buf text;
};

static int secret_tx(struct tx *t, void *arg)
{
	struct secret *s = arg;

	buf_clear(&s->text);
	return sso_secret(t, s->rq, s->c, "client_secret", &s->text);
}

static int secret_get(struct secret *s, struct oidc_fault *f)
{
	int r = store_tx(s->rq->db, STORE_READ, secret_tx, s);

	switch (r) {
	case -ENOKEY:
	case -EKEYREJECTED:
	case -EBADMSG:
	case -ENOENT:
		return oidc_fail(f, "client_secret", "%s", secret_error(r));
	default:
		return r;
	}
}

/* ---- the token endpoint ---------------------------------------------------------------------- */

/* How the client says who it is; *q and the form get what that needs. */
static int authenticate(const struct sso_connection *c, const struct oidc_metadata *m,
    const struct buf *secret, struct buf *form, struct oidc_query *q, struct oidc_fault *f)
{
	if (c->has_secret && m->secret_basic) {
		q->id = c->client_id;
		q->secret = buf_str(secret);
		return 0;
	}
	if (c->has_secret && !m->secret_post)
		return oidc_fail(f, "client_auth", "token: the provider takes no client secret");
	http_form_add(form, "client_id", c->client_id);
	if (c->has_secret)
		http_form_add(form, "client_secret", buf_str(secret));
	return 0;
}

static int answer_read(
    const struct http_response *res, struct oidc_tokens *ret, struct oidc_fault *f)
{
	const char *text = (const char *)res->body.data;
	bool asked_wrong = res->status == 400 || res->status == 401;

	if (res->status != 200) {
		const char *word = asked_wrong ? oidc_error_parse(text, res->body.len) : "other";

		oidc_fail(f, "token_refused", "token: it answered %ld, %s%s", res->status, word,
		    strcmp(word, "invalid_client") == 0 ? ": compare client ID and secret" : "");
		return strcmp(word, "invalid_grant") == 0 ? -EKEYREJECTED : -EPROTO;
	}
	int r = oidc_tokens_parse(text, res->body.len, ret);
	return r == -EBADMSG ? oidc_fail(f, "token_form", "token: the answer has no bearer token")
			     : r;
}

int oidc_grant(struct request *rq, const struct sso_connection *c, const struct oidc_metadata *m,
    struct buf *form, struct oidc_tokens *ret, struct oidc_fault *f)
{
	_cleanup_(http_response_free) struct http_response res;
	struct secret s = {.rq = rq, .c = c};
	struct oidc_query q = {.what = "token", .url = m->token_endpoint};
	int r = 0;

	buf_init(&s.text, 4096);
	http_response_init(&res, OIDC_DOCUMENT_MAX);
	if (c->has_secret)
		r = secret_get(&s, f);
	if (r == 0)
		r = authenticate(c, m, &s.text, form, &q, f);
	if (r == 0)
		r = buf_error(form);
	q.form = buf_str(form);
	if (r == 0)
		r = oidc_fetch(rq->central, c, &q, &res, f);
	buf_free(&s.text);
	return r < 0 ? r : answer_read(&res, ret, f);
}

/* ---- tokens that the provider has signed ----------------------------------------------------- */

/* A key that is not there, or another one under the same name, may be newer than what is kept. */
static bool newer_may_help(enum jwt_fault fault)
{
	return fault == JWT_NO_KEY || fault == JWT_SIGNATURE || fault == JWT_KEY_MISFIT;
}

static int check_with(
    struct request *rq, struct oidc_check *k, struct oidc_keys **keys, struct oidc_fault *f)
{
	enum jwt_fault fault = JWT_OK;
	int r = oidc_keys(rq->central, k->c, k->m, false, keys, f);

	if (r < 0)
		return r;
	r = k->open(k, (*keys)->set, &fault);
	if (r == -EKEYREJECTED && newer_may_help(fault)) {
		r = oidc_keys(rq->central, k->c, k->m, true, keys, f);
		if (r < 0 && r != -EAGAIN)
			return r;
		r = r == 0 ? k->open(k, (*keys)->set, &fault) : -EKEYREJECTED;
	}
	if (r == -EKEYREJECTED || r == -EINVAL)
		return oidc_fail(f, r == -EINVAL ? "configuration" : jwt_fault_name(fault), "%s",
		    jwt_fault_text(fault));
	return r;
}

int oidc_check(struct request *rq, struct oidc_check *k, struct oidc_fault *f)
{
	struct oidc_keys *keys = NULL;
	int r = check_with(rq, k, &keys, f);

	oidc_keys_put(rq->central, keys);
	return r;
}
