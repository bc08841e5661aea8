/* SPDX-License-Identifier: MIT */
#include "oauth_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/num.h"
#include "central.h"
#include "host_name.h"
#include "user.h"

#define WAIT_MAX       30
#define LOGINS_MAX     60
#define LOGINS_AT_ONCE 256
#define LOGINS_LAG     120 /* no answer is committed so long after its time was taken */

/* ---- redeeming (RFC 8628 §3.4, §3.5) --------------------------------------------------------- */

struct poll {
	struct request *rq;
	const char *code;
	bool host;
	int64_t wait;
	/* of the transactions */
	struct device device;
	enum oauth_error error; /* 0: redeemed, or DEVICE_PENDING and to be parked */
	const char *why;
	struct session_token session;
	struct user user;
	struct login_statement statement;
};

static const char sql_polled[] =
    "UPDATE device_codes SET polled_at = $2, interval_s = $3 WHERE id = $1 AND state = 'pending'";
static const char sql_redeem[] =
    "UPDATE device_codes SET state = 'redeemed' WHERE id = $1 AND state = 'approved'";

static int poll_refuse(struct poll *p, enum oauth_error e, const char *why)
{
	p->error = e;
	p->why = why;
	return 0;
}

/* A poll that was parked is the same one when it goes on. */
static int poll_pending(struct tx *t, struct poll *p)
{
	const struct device *d = &p->device;
	int64_t now = p->rq->now;
	bool hasty = d->polled_at && now < d->polled_at + d->interval;

	if (p->rq->again)
		return 0;
	if (hasty)
		poll_refuse(p, OAUTH_SLOW_DOWN, NULL);
	return tx_exec(
	    t, sql_polled, "iii", d->id, now, d->interval + (hasty ? DEVICE_INTERVAL : 0));
}

static int redeem_cli(struct tx *t, struct poll *p)
{
	const struct device *d = &p->device;
	int r = oauth_session(t, p->rq, d->answered_by, d->identity, &p->session, &p->user);

	if (r == -EACCES)
		return poll_refuse(p, OAUTH_ACCESS_DENIED, "the login was ended since");
	if (r < 0)
		return r;
	struct request as = request_as(p->rq, p->user.id, p->user.username);
	return audit_object(t, &as, "device.redeem", "user", p->user.username,
	    json_pack("{ss}", "client", OAUTH_CLI));
}

/* What held when it was approved must hold still. */
static int redeem_host(struct tx *t, struct poll *p)
{
	const struct device *d = &p->device;
	struct device_person who = {d->answered_by, d->identity, d->auth_at};
	struct device_worth w;
	int r = device_judge(t, d, &who, p->rq->now, &w);

	if (r < 0)
		return r;
	if (r != DEVICE_MAY && !w.fresh)
		return poll_refuse(p, OAUTH_ACCESS_DENIED, "the person's right was ended since");
	struct login_statement *l = &p->statement;
	*l = (struct login_statement){
	    .issued_at = p->rq->now, .uid = w.uid, .nprojects = w.nprojects};
	host_id_bytes(d->host, l->host);
	memcpy(l->nonce, d->nonce, sizeof(l->nonce));
	memcpy(l->code, d->user_hash, sizeof(l->code));
	memcpy(l->username, d->username, sizeof(l->username));
	memcpy(l->projects, w.projects, sizeof(l->projects));
	return audit_object(t, p->rq, "device.redeem", "user", d->username,
	    json_pack("{ss, ss, ss}", "host", p->rq->who.name, "service", d->service, "origin",
		d->origin));
}

static int redeem(struct tx *t, struct poll *p)
{
	int r = tx_exec(t, sql_redeem, "i", p->device.id);

	if (r == 0 && tx_changes(t) != 1)
		return poll_refuse(p, OAUTH_INVALID_GRANT, "redeemed before");
	if (r < 0)
		return r;
	return p->host ? redeem_host(t, p) : redeem_cli(t, p);
}

/* Whose code is it, and what has become of it? 0; nothing more to do if p->error is set. */
static int poll_look(struct tx *t, struct poll *p)
{
	struct device *d = &p->device;
	int r = device_by_code(t, p->code, d);

	p->error = 0;
	if (r == -ENOENT)
		return poll_refuse(p, OAUTH_INVALID_GRANT, "no such device code");
	if (r < 0)
		return r;
	if (d->host != (p->host ? p->rq->who.id : 0))
		return poll_refuse(p, OAUTH_INVALID_GRANT, "another's device code");
	if (d->state == DEVICE_REDEEMED)
		return poll_refuse(p, OAUTH_INVALID_GRANT, "redeemed before");
	if (d->expires_at <= p->rq->now)
		return poll_refuse(p, OAUTH_EXPIRED, NULL);
	return d->state == DEVICE_DENIED ? poll_refuse(p, OAUTH_ACCESS_DENIED, NULL) : 0;
}

static int poll_look_tx(struct tx *t, void *arg)
{
	return poll_look(t, arg);
}

static int poll_tx(struct tx *t, void *arg)
{
	struct poll *p = arg;
	int r = p->host ? device_host_holds(t, p->rq) : 1;

	if (r <= 0)
		return r < 0 ? r : -EACCES;
	r = poll_look(t, p);
	if (r < 0 || p->error)
		return r;
	return p->device.state == DEVICE_PENDING ? poll_pending(t, p) : redeem(t, p);
}

static void poll_host_reply(struct poll *p, struct reply *rp)
{
	_cleanup_oauth_secret_ struct oauth_secret token = {.text = ""};
	_cleanup_buf_ struct buf signed_ = BUF_INIT(LOGIN_MAX);
	char text[BASE64URL_LEN(LOGIN_MAX) + 1];
	int r = login_sign(p->rq->central->signer, &p->statement, &signed_);

	if (r == 0)
		r = oauth_secret_make("pdt_", &token);
	if (r < 0) {
		oauth_errno(p->rq, rp, r);
		return;
	}
	base64url_encode(signed_.data, signed_.len, text);
	reply_json(rp, 200,
	    json_pack("{s:s, s:s, s:i, s:s}", "access_token", token.text, "token_type", "Bearer",
		"expires_in", LOGIN_LIFE, "prism_login", text));
}

static void poll_park(struct poll *p, struct reply *rp)
{
	int64_t left = p->device.expires_at - p->rq->now;
	char topic[64];

	if (p->rq->last || p->wait == 0) {
		oauth_error(p->rq, rp, OAUTH_PENDING, NULL);
		return;
	}
	device_topic(&p->device, topic);
	reply_park(rp, topic, 1000 * (left < p->wait ? left : p->wait));
}

/* What the client got wrong counts; that a decision was against it, or late, does not. */
static void poll_reply(struct poll *p, int r, struct reply *rp)
{
	if (r == -EACCES)
		oauth_bad(p->rq, rp, OAUTH_INVALID_CLIENT, "the host was removed");
	else if (r < 0)
		oauth_errno(p->rq, rp, r);
	else if (p->error == OAUTH_INVALID_GRANT)
		oauth_bad(p->rq, rp, p->error, p->why);
	else if (p->error)
		oauth_error(p->rq, rp, p->error, p->why);
	else if (p->device.state == DEVICE_PENDING)
		poll_park(p, rp);
	else if (p->host)
		poll_host_reply(p, rp);
	else
		oauth_session_reply(p->rq, rp, &p->session, &p->user);
}

static bool poll_parse(struct poll *p, struct reply *rp)
{
	const char *client = request_form(p->rq, "client_id");
	const char *wait = request_form(p->rq, "wait");

	p->code = request_form(p->rq, "device_code");
	p->host = client && strcmp(client, OAUTH_HOST) == 0;
	if (!client || !p->code || (wait && num_parse_i64(wait, &p->wait) < 0) || p->wait < 0) {
		oauth_bad(p->rq, rp, OAUTH_INVALID_REQUEST, "client_id, device_code or wait");
		return false;
	}
	if (p->host ? p->rq->who.kind != PRINCIPAL_HOST : strcmp(client, OAUTH_CLI) != 0) {
		oauth_bad(p->rq, rp, OAUTH_INVALID_CLIENT, "client_id, or no token of a host");
		return false;
	}
	if (p->wait > WAIT_MAX)
		p->wait = WAIT_MAX;
	return true;
}

/* Most runs of a parked poll, and all guesses, have nothing to write. */
void device_token(struct request *rq, struct reply *rp)
{
	struct poll p = {.rq = rq};

	if (!poll_parse(&p, rp))
		return;
	int r = store_tx(rq->db, STORE_READ, poll_look_tx, &p);
	if (r == 0 && !p.error && !(p.device.state == DEVICE_PENDING && rq->again))
		r = store_tx(rq->db, STORE_WRITE, poll_tx, &p);
	poll_reply(&p, r, rp);
	explicit_bzero(&p.session, sizeof(p.session));
}

/* ---- which of a host's codes were answered --------------------------------------------------- */

struct logins {
	struct request *rq;
	int64_t after, wait, newest;
	json_t *answered; /* owned */
};

/* answered_at never falls from one answer for a host to the next: see device_page.c. */
static const char sql_answered[] =
    "SELECT answered_at, state, device_hash FROM device_codes WHERE host_id = $1"
    " AND answered_at > $2 AND expires_at > $3 ORDER BY answered_at LIMIT $4";

static int logins_tx(struct tx *t, void *arg)
{
	struct logins *l = arg;
	_cleanup_rows_ struct rows *r = NULL;
	const struct request *rq = l->rq;
	int64_t n = 0;

	json_array_clear(l->answered);
	l->newest = l->after;
	int rc = tx_query(
	    t, sql_answered, "iiii", &r, rq->who.id, l->after, rq->now, (int64_t)LOGINS_AT_ONCE);
	for (; rc == 0 && (rc = rows_next(r)) > 0; n++) {
		const char *state = row_text(r, 1);
		l->newest = row_int(r, 0);
		rc = 0;
		if (state && strcmp(state, "redeemed") != 0)
			json_array_append_new(l->answered, json_text(row_text(r, 2)));
	}
	if (n < LOGINS_AT_ONCE && l->newest < rq->now - LOGINS_LAG)
		l->newest = rq->now - LOGINS_LAG;
	return rc;
}

static bool logins_parse(struct logins *l)
{
	const char *after = request_query(l->rq, "after"), *wait = request_query(l->rq, "wait");

	if ((after && num_parse_i64(after, &l->after) < 0) ||
	    (wait && num_parse_i64(wait, &l->wait) < 0) || l->after < 0 || l->wait < 0)
		return false;
	if (l->wait > LOGINS_MAX)
		l->wait = LOGINS_MAX;
	/* It was said by a service whose clock was wrong, and would hide everything. */
	if (l->after > l->rq->now + LOGINS_LAG)
		l->after = 0;
	return true;
}

void device_logins(struct request *rq, struct reply *rp)
{
	struct logins l = {.rq = rq, .answered = json_array()};
	char topic[64];

	if (!logins_parse(&l)) {
		json_decref(l.answered);
		reply_error(rp, API_BAD_REQUEST, "after or wait is not understood.");
		return;
	}
	int r = store_tx(rq->db, STORE_READ, logins_tx, &l);
	if (r < 0) {
		reply_errno(rp, r);
	} else if (json_array_size(l.answered) || rq->last || l.wait == 0) {
		reply_json(rp, 200,
		    json_pack("{s:I, s:O}", "now", (json_int_t)l.newest, "answered", l.answered));
	} else {
		snprintf(topic, sizeof(topic), "host-logins:%" PRId64, rq->who.id);
		reply_park(rp, topic, l.wait * 1000);
	}
	json_decref(l.answered);
}
