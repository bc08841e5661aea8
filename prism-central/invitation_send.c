/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/secret.h"
#include "invitation.h"
#include "member.h"
#include "project.h"
#include "ratelimit.h"

static const char sql_insert[] =
    "INSERT INTO invitations (id, project_id, email, canonical, role_id, state, message,"
    " token_hash, invited_by, created_at, expires_at, sent_at)"
    " VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $9)";
/* What has expired, or was sent by somebody who may not any more, makes room for a new one. */
static const char sql_sweep[] =
    "UPDATE invitations SET state = $3 WHERE id = $1 AND project_id = $2 AND state = 'pending'";
static const char sql_pending[] =
    "SELECT id FROM invitations WHERE project_id = $1 AND canonical = $2 AND state = 'pending'";
static const char sql_resend[] =
    "UPDATE invitations SET state = 'pending', token_hash = $3, invited_by = $4, expires_at = $5,"
    " sent_at = $6, resend_count = resend_count + 1, answered_at = 0, answered_by = NULL,"
    " reason = NULL WHERE id = $1 AND project_id = $2"
    " AND state IN ('pending', 'declined', 'expired')";
static const char sql_revoke[] =
    "UPDATE invitations SET state = 'revoked', answered_at = $3, answered_by = $4"
    " WHERE id = $1 AND project_id = $2 AND state IN ('pending', 'expired', 'declined')";

struct send_act {
	struct act act;
	const char *email, *role, *message;
	int64_t seconds; /* 0: not said */
	char canonical[EMAIL_MAX + 1];
	uint8_t secret[TOKEN_SECRET_LEN];
	char hash[65];
};

/* ---- the token ------------------------------------------------------------------------------- */

static int secret_make(struct send_act *s)
{
	uint8_t hash[32];
	int r = secret_random(s->secret, sizeof(s->secret));
	if (r < 0)
		return r;
	token_hash(s->secret, hash);
	hex_encode(hash, sizeof(hash), s->hash);
	return 0;
}

static int token_text(struct send_act *s, const struct invitation *i, struct buf *out)
{
	struct central *c = s->act.rq->central;
	struct token k = {.kind = TOKEN_INVITATION, .expires = i->expires_at};
	snprintf(k.url, sizeof(k.url), "%s", c->config.url);
	snprintf(k.pin, sizeof(k.pin), "%s", c->tls_pin);
	memcpy(k.secret, s->secret, sizeof(k.secret));
	snprintf(k.project, sizeof(k.project), "%s", i->project_slug);
	snprintf(k.project_name, sizeof(k.project_name), "%s", i->project_name);
	snprintf(k.role, sizeof(k.role), "%s", i->role.slug);
	int r = token_make(&k, feed_signer_sign_raw, c->signer, out);
	explicit_bzero(&k, sizeof(k));
	return r;
}

/*
 * The answer to the sender: the only place where the token is ever shown. In the link it stands
 * behind a "#", which browsers send to no server: it gets into no log and no Referer.
 */
static int sent_json(struct send_act *s, const struct invitation *i)
{
	_cleanup_buf_ struct buf token = BUF_INIT(TOKEN_MAX);
	_cleanup_buf_ struct buf url = BUF_INIT(TOKEN_MAX + 600);
	int r = token_text(s, i, &token);
	if (r < 0)
		return r;
	buf_addf(&url, "%s/invite#%s", s->act.rq->central->config.url, buf_str(&token));
	if (buf_error(&url))
		return buf_error(&url);
	s->act.json = json_pack("{so, ss, ss}", "invitation", invitation_json(i), "token",
	    buf_str(&token), "url", buf_str(&url));
	return s->act.json ? 0 : -ENOMEM;
}

/* ---- send ------------------------------------------------------------------------------------ */

static int check_not_member(struct tx *t, struct send_act *s)
{
	struct user u;
	struct member m;
	int r = user_by_email(t, s->canonical, &u);
	if (!r)
		r = member_get(t, s->act.authz.project, u.id, NULL, s->act.rq->now, &m);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (m.state == MEMBER_ACTIVE || m.state == MEMBER_SUSPENDED)
		return act_fail(&s->act, API_ALREADY_MEMBER, NULL);
	return 0;
}

static int pending_id(struct tx *t, struct send_act *s, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_pending, "is", &r, s->act.authz.project, s->canonical);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n > 0)
		*ret = row_int(r, 0);
	return n < 0 ? n : n ? 0 : -ENOENT;
}

static int make_room(struct tx *t, struct send_act *s)
{
	struct invitation i;
	int64_t id;
	int r = pending_id(t, s, &id);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = invitation_get(t, id, s->act.authz.project, s->act.rq->now, &i);
	if (r < 0)
		return r;
	if (!strcmp(i.state, "pending"))
		return act_fail(&s->act, API_ALREADY_INVITED, NULL);
	return tx_exec(t, sql_sweep, "iis", id, s->act.authz.project, i.state);
}

static int check_open(struct tx *t, struct act *a)
{
	struct project p;
	int r = project_get(t, a->authz.project, a->rq->who.id, a->rq->now, &p);
	if (!r && !strcmp(p.state, "archived"))
		return act_fail(a, API_CONFLICT, "The project is archived.");
	return r;
}

static int audit_sent(struct tx *t, struct act *a, const char *action, const struct invitation *i)
{
	char id[24];
	snprintf(id, sizeof(id), "%lld", (long long)i->id);
	return audit_object(t, a->rq, action, "invitation", id,
	    json_pack("{ss, ss, so}", "email", i->email, "role", i->role.slug, "expires_at",
		json_time(i->expires_at)));
}

static int insert(struct tx *t, struct send_act *s, const struct role *role, struct invitation *ret)
{
	struct act *a = &s->act;
	int64_t id = store_new_id(), now = a->rq->now;
	int64_t seconds = s->seconds ? s->seconds : INVITATION_SECONDS;
	int r = tx_exec(t, sql_insert, "iississiii", id, a->authz.project, s->email, s->canonical,
	    role->id, s->message ? s->message : "", s->hash, a->rq->who.id, now, now + seconds);
	if (r < 0)
		return r == -EEXIST ? act_fail(a, API_ALREADY_INVITED, NULL) : r;
	return invitation_get(t, id, a->authz.project, now, ret);
}

static int post_tx(struct tx *t, struct act *a)
{
	struct send_act *s = (struct send_act *)a;
	struct invitation i;
	struct role role;
	int r = role_find(t, a->authz.org, s->role, &role);
	if (r == -ENOENT)
		return act_fail(a, API_INVALID_VALUE,
		    "There is no role called %s: give owner, admin, member or viewer.", s->role);
	if (!r && role.rank > a->authz.rank)
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	if (!r)
		r = check_open(t, a);
	if (!r)
		r = check_not_member(t, s);
	if (!r)
		r = make_room(t, s);
	if (!r)
		r = insert(t, s, &role, &i);
	if (!r)
		r = audit_sent(t, a, "invitation.send", &i);
	return r ? r : sent_json(s, &i);
}

static int read_seconds(struct send_act *s)
{
	const json_t *v = json_object_get(s->act.rq->body, "expires_in");
	if (!v || json_is_null(v))
		return 0;
	s->seconds = json_integer_value(v);
	if (!json_is_integer(v) || s->seconds < INVITATION_SECONDS_MIN ||
	    s->seconds > INVITATION_SECONDS_MAX)
		return act_fail(&s->act, API_INVALID_VALUE,
		    "An invitation lasts between a minute and %d days.",
		    INVITATION_SECONDS_MAX / 86400);
	return 0;
}

static int read_values(struct send_act *s)
{
	struct act *a = &s->act;
	if (!body_string(a->rq, "email", &s->email) || !body_string(a->rq, "role", &s->role) ||
	    !body_string(a->rq, "message", &s->message) || !s->email)
		return act_fail(a, API_BAD_REQUEST, "\"email\" is needed.");
	if (!email_canonical(s->email, s->canonical))
		return act_fail(a, API_INVALID_VALUE, "This is not an email address.");
	if (s->message && !text_valid(s->message, INVITATION_MESSAGE_MAX))
		return act_fail(a, API_INVALID_VALUE,
		    "A message is one line of at most %d characters.", INVITATION_MESSAGE_MAX);
	if (!s->role)
		s->role = "member";
	return read_seconds(s);
}

static void send_run(struct send_act *s, int r, struct reply *rp)
{
	const struct request *rq = s->act.rq;
	unsigned wait = r ? 0 : ratelimit_take(RATELIMIT_MAIL_PEER, rq->who.name);
	if (wait) {
		rp->retry_after = wait;
		r = act_fail(
		    &s->act, API_TOO_MANY_REQUESTS, "Too many invitations: wait %u seconds.", wait);
	}
	if (!r)
		r = secret_make(s);
	if (!r)
		r = act_do(&s->act, STORE_WRITE);
	act_reply(&s->act, r, rp);
	explicit_bzero(s->secret, sizeof(s->secret));
}

void invitation_post(struct request *rq, struct reply *rp)
{
	struct send_act s = {.act = {.fn = post_tx, .rq = rq, .status = 201}};
	send_run(&s, read_values(&s), rp);
}

/* ---- resend and revoke ----------------------------------------------------------------------- */

/* The invitation of the path, if the caller's rank reaches its role. */
static int load(struct tx *t, struct act *a, struct invitation *ret)
{
	int r = invitation_get(t, arg_id(a->rq, 0), a->authz.project, a->rq->now, ret);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_INVITATION_NOT_FOUND, NULL) : r;
	if (ret->role.rank > a->authz.rank)
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	return 0;
}

static int resend_allowed(struct act *a, const struct invitation *i)
{
	if (!strcmp(i->state, "accepted"))
		return act_fail(a, API_INVITATION_ACCEPTED, "It has been accepted already.");
	if (!strcmp(i->state, "revoked"))
		return act_fail(a, API_INVITATION_REVOKED, "It has been revoked: send a new one.");
	if (i->resend_count && a->rq->now - i->sent_at < INVITATION_RESEND_GAP)
		return act_fail(a, API_TOO_MANY_REQUESTS, "It was sent again a moment ago.");
	return 0;
}

static int resend_tx(struct tx *t, struct act *a)
{
	struct send_act *s = (struct send_act *)a;
	struct invitation i;
	int64_t now = a->rq->now;
	int r = load(t, a, &i);
	if (!r)
		r = resend_allowed(a, &i);
	if (!r)
		r = check_open(t, a);
	if (r)
		return r;
	memcpy(s->canonical, i.canonical, sizeof(s->canonical));
	r = check_not_member(t, s);
	int64_t seconds = s->seconds ? s->seconds : i.expires_at - i.sent_at;
	if (!r)
		r = tx_exec(t, sql_resend, "iisiii", i.id, a->authz.project, s->hash, a->rq->who.id,
		    now + seconds, now);
	if (r == -EEXIST)
		return act_fail(a, API_ALREADY_INVITED, NULL);
	if (!r && !tx_changes(t))
		return act_fail(a, API_CONFLICT, NULL);
	if (!r)
		r = invitation_get(t, i.id, a->authz.project, now, &i);
	if (!r)
		r = audit_sent(t, a, "invitation.resend", &i);
	return r ? r : sent_json(s, &i);
}

void invitation_resend(struct request *rq, struct reply *rp)
{
	struct send_act s = {.act = {.fn = resend_tx, .rq = rq, .status = 200}};
	send_run(&s, read_seconds(&s), rp);
}

static int revoke_tx(struct tx *t, struct act *a)
{
	struct invitation i;
	int r = load(t, a, &i);
	if (r)
		return r;
	r = tx_exec(t, sql_revoke, "iiii", i.id, a->authz.project, a->rq->now, a->rq->who.id);
	if (!r && !tx_changes(t)) {
		enum api_error e = invitation_error(&i);
		return act_fail(a, e == API_OK ? API_CONFLICT : e, NULL);
	}
	if (!r)
		r = invitation_get(t, i.id, a->authz.project, a->rq->now, &i);
	if (!r)
		r = audit_sent(t, a, "invitation.revoke", &i);
	if (!r)
		a->json = invitation_json(&i);
	return r;
}

void invitation_revoke(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = revoke_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}
