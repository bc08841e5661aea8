/* SPDX-License-Identifier: MIT */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "central.h"
#include "host_audit.h"

static const char sql_session[] =
    "SELECT s.id, u.id, u.username FROM sessions s JOIN users u ON u.id = s.user_id"
    " WHERE s.token_hash = $1 AND s.revoked_at = 0 AND s.expires_at > $2";
static const char sql_end[] = "UPDATE device_codes SET expires_at = $2 WHERE id = $1"
			      " AND state IN ('pending', 'approved') AND expires_at > $2";
static const char sql_forget_devices[] =
    "UPDATE device_codes SET state = 'denied' WHERE answered_by = $1 AND state = 'approved'";
static const char sql_forget_codes[] =
    "UPDATE authorization_codes SET expires_at = 1 WHERE user_id = $1 AND session_id = 0";

/* ---- RFC 7009 -------------------------------------------------------------------------------- */

struct revocation {
	struct request *rq;
	char hash[65];
	bool revoke; /* otherwise only look */
	bool found;
};

static int session_find(struct tx *t, struct revocation *v, int64_t *ret_id, struct request *ret_as)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_session, "si", &r, v->hash, v->rq->now);

	if (rc == 0)
		rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	*ret_id = row_int(r, 0);
	*ret_as = request_as(v->rq, row_int(r, 1), row_text(r, 2));
	return 0;
}

static int revoke_tx(struct tx *t, void *arg)
{
	struct revocation *v = arg;
	struct request as;
	int64_t id;
	int r = session_find(t, v, &id, &as);

	v->found = r == 0;
	if (r < 0 || !v->revoke)
		return r == -ENOENT ? 0 : r;
	r = session_close(t, id, v->rq->now);
	return r < 0 ? r : audit_object(t, &as, "session.close", "user", as.who.name, NULL);
}

/* ---- a host gives a login up ------------------------------------------------------------------
 */

struct ending {
	struct request *rq;
	const char *code;
	bool end; /* otherwise only look */
	bool found;
	struct device device;
};

static int end_tx(struct tx *t, void *arg)
{
	struct ending *e = arg;
	const struct device *d = &e->device;
	int64_t now = e->rq->now;
	int r = device_by_code(t, e->code, &e->device);

	e->found = r == 0 && d->host == e->rq->who.id && d->expires_at > now &&
		   (d->state == DEVICE_PENDING || d->state == DEVICE_APPROVED);
	if (r < 0 || !e->found || !e->end)
		return r == -ENOENT ? 0 : r;
	r = tx_exec(t, sql_end, "ii", d->id, now);
	return r < 0 ? r
		     : host_audit(t, e->rq, "device.end", "user", d->username,
			   json_pack("{ss, ss, ss}", "host", e->rq->who.name, "service", d->service,
			       "origin", d->origin));
}

/* Nothing tells a code of another host, or one that was redeemed, from none at all. */
static void device_end(struct request *rq, struct reply *rp, const char *code)
{
	struct ending e = {.rq = rq, .code = code};
	char topic[64];
	int r = store_tx(rq->db, STORE_READ, end_tx, &e);

	e.end = e.found;
	if (r == 0 && e.end)
		r = store_tx(rq->db, STORE_WRITE, end_tx, &e);
	if (r < 0) {
		oauth_errno(rq, rp, r);
		return;
	}
	if (e.found) {
		device_topic(&e.device, topic);
		http_wake(rq->central, topic);
	}
	reply_json(rp, 200, json_object());
}

/*
 * The answer is the same for a token that was none, but whoever tries many is slowed down. They
 * have nothing to write.
 */
void oauth_revoke(struct request *rq, struct reply *rp)
{
	struct revocation v = {.rq = rq};
	bool host = rq->who.kind == PRINCIPAL_HOST;
	const char *token = request_form(rq, "token"), *client = request_form(rq, "client_id");

	if (!token) {
		oauth_bad(rq, rp, OAUTH_INVALID_REQUEST, "no token");
		return;
	}
	if (client && strcmp(client, host ? OAUTH_HOST : OAUTH_CLI) != 0) {
		oauth_bad(rq, rp, OAUTH_INVALID_CLIENT, "client_id");
		return;
	}
	if (host) {
		device_end(rq, rp, token);
		return;
	}
	sha256_hex(token, strlen(token), v.hash);
	int r = store_tx(rq->db, STORE_READ, revoke_tx, &v);
	v.revoke = v.found;
	if (r == 0 && v.revoke)
		r = store_tx(rq->db, STORE_WRITE, revoke_tx, &v);
	if (r < 0) {
		oauth_errno(rq, rp, r);
		return;
	}
	if (!v.found)
		oauth_bad(rq, rp, OAUTH_INVALID_GRANT, "revocation of a token that is none");
	if (!rp->retry_after)
		reply_json(rp, 200, json_object());
}

/* ---- when a person's logins end -------------------------------------------------------------- */

int oauth_forget(struct tx *t, int64_t user)
{
	int r = tx_exec(t, sql_forget_devices, "i", user);

	return r < 0 ? r : tx_exec(t, sql_forget_codes, "i", user);
}
