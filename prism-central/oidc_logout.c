/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "api/logout_token.h"
#include "base/clock.h"
#include "host_feed.h"
#include "oauth.h"
#include "oidc.h"
#include "sso_share.h"

static const char sql_by_subject[] = "SELECT id FROM sso_identities WHERE connection_id = $1"
				     " AND issuer = $2 AND subject = $3";
/*
 * Rows of browsers that were logged out here stay for a month after their end, longer than what was
 * opened by them. Such a one leads to its owner while something of it is left: freshness, unless
 * there was a login since in another session, or a session of the command line.
 */
static const char sql_by_sid[] =
    "SELECT DISTINCT i.id FROM browser_sessions b JOIN sso_identities i ON i.id = b.identity_id"
    " WHERE i.connection_id = $1 AND b.provider_sid = $2 AND (b.revoked_at = 0"
    " OR (i.auth_at > 0 AND NOT EXISTS (SELECT 1 FROM browser_sessions n WHERE n.identity_id = i.id"
    " AND n.id > b.id AND n.provider_sid <> b.provider_sid))"
    " OR EXISTS (SELECT 1 FROM sessions s WHERE s.identity_id = i.id AND s.revoked_at = 0"
    " AND s.expires_at > $3 AND s.created_at BETWEEN b.created_at AND b.revoked_at + $4)) LIMIT 8";

#define ENDED_MAX 8

struct logout {
	struct request *rq;
	struct sso_connection c;
	struct oidc_metadata m;
	struct logout_token token;
	struct oidc_fault f;
};

static void logout_release(struct logout *l)
{
	sso_connection_clear(&l->c);
	logout_token_clear(&l->token);
}

/* The identities first: ending one writes what the query reads. */
static int identities_of(
    struct tx *t, const struct logout *l, int64_t ids[static ENDED_MAX], size_t *ret_n)
{
	_cleanup_rows_ struct rows *rows = NULL;
	size_t n = 0;
	int r = l->token.subject ? tx_query(t, sql_by_subject, "iss", &rows, l->c.id, l->c.issuer,
				       l->token.subject)
				 : tx_query(t, sql_by_sid, "isii", &rows, l->c.id, l->token.sid,
				       l->rq->now, (int64_t)DEVICE_SECONDS);

	if (r < 0)
		return r;
	while (n < ENDED_MAX && (r = rows_next(rows)) > 0)
		ids[n++] = row_int(rows, 0);
	if (r < 0)
		return r;
	*ret_n = n;
	return 0;
}

/*
 * Who is named by the subject, is ended altogether: a provider that shuts somebody out says so in
 * no other way. So is who owns a browser of the provider's session that is named alone.
 */
static int logout_tx(struct tx *t, void *arg)
{
	struct logout *l = arg;
	char what[ID_TOKEN_SUBJECT_MAX + 16];
	int64_t ids[ENDED_MAX];
	size_t n = 0;

	snprintf(what, sizeof(what), "logout:%s", l->token.id);
	int r = sso_seen(t, l->c.id, what, l->token.forget_at, l->rq->now);
	if (r == 0)
		r = identities_of(t, l, ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = sso_end(t, l->rq, ids[i], "back-channel logout");
	return r;
}

static int token_open(struct oidc_check *k, const struct jwks *keys, enum jwt_fault *ret_fault)
{
	struct logout *l = k->arg;

	return logout_token_open(k->text, strlen(k->text), keys, l->c.issuer, l->c.client_id,
	    clock_now(), &l->token, ret_fault);
}

static int logout_run(struct logout *l, const char *text)
{
	struct oidc_check check = {
	    .c = &l->c, .m = &l->m, .text = text, .open = token_open, .arg = l};
	int r = oidc_metadata(l->rq->central, &l->c, &l->m, &l->f);

	if (r == 0)
		r = oidc_check(l->rq, &check, &l->f);
	if (r < 0)
		return r;
	r = store_tx(l->rq->db, STORE_WRITE, logout_tx, l);
	feed_wake_all(l->rq->central);
	return r == -EEXIST ? oidc_fail(&l->f, "replayed", "this token was taken before") : r;
}

/* Section 2.8 of the specification: 200, or 400 with no more than this. */
static void answer(struct reply *rp, bool ok)
{
	if (ok)
		reply_json(rp, 200, json_object());
	else
		reply_json(rp, 400, json_pack("{s:s}", "error", "invalid_request"));
}

void oidc_logout(struct request *rq, struct reply *rp)
{
	_cleanup_(logout_release) struct logout l = {.rq = rq};
	const char *text = request_form(rq, "logout_token");

	if (sso_flow_limited(rq, rp, false))
		return;
	int r = sso_flow_connection(rq, SSO_OIDC, &l.c);
	if (r == -ENOENT || (r == 0 && !text)) {
		answer(rp, false);
		return;
	}
	if (r == 0) {
		if (!sso_share_take(rq, rp, l.c.org))
			return;
		r = logout_run(&l, text);
		sso_share_return(rq, l.c.org);
	}
	if (r == -EPROTO && !sso_flow_limited(rq, rp, true)) {
		sso_refuse_note(rq, &l.c, l.f.word, l.f.detail);
		answer(rp, false);
	} else if (r == 0) {
		answer(rp, true);
	} else if (r != -EPROTO) {
		reply_errno(rp, r);
	}
}
