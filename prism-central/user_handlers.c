/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "host_feed.h"
#include "invitation.h"
#include "member.h"
#include "organization.h"
#include "password.h"
#include "ratelimit.h"
#include "session.h"
#include "user.h"

static const char sql_memberships[] =
    "SELECT p.slug, r.slug, CASE WHEN m.state = 'active' AND m.not_after > 0 AND m.not_after <= $2"
    " THEN 'expired' ELSE m.state END, m.not_after, p.state FROM memberships m"
    " JOIN projects p ON p.id = m.project_id JOIN roles r ON r.id = m.role_id"
    " WHERE m.user_id = $1 AND m.state <> 'removed' ORDER BY p.slug";
static const char sql_name[] = "UPDATE users SET name = $2 WHERE id = $1";
static const char sql_password_get[] = "SELECT password FROM users WHERE id = $1";
static const char sql_password_set[] =
    "UPDATE users SET password = $2, password_at = $4 WHERE id = $1"
    " AND COALESCE(password, '') = $3";
static const char sql_suspend[] =
    "UPDATE users SET state = 'suspended', ended_at = $2 WHERE id = $1 AND state = 'active'";
static const char sql_resume[] =
    "UPDATE users SET state = 'active', ended_at = 0 WHERE id = $1 AND state = 'suspended'";
static const char sql_email_release[] = "DELETE FROM emails WHERE user_id = $1 AND canonical = $2";

/* ---- oneself --------------------------------------------------------------------------------- */

static int memberships(struct tx *t, int64_t user, int64_t now, json_t *into)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_memberships, "ii", &r, user, now);
	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		json_t *m = json_pack("{ss, ss, ss, so, ss}", "project", row_text(r, 0), "role",
		    row_text(r, 1), "state", row_text(r, 2), "not_after", json_time(row_int(r, 3)),
		    "project_state", row_text(r, 4));
		if (json_array_append_new(into, m) < 0)
			return -ENOMEM;
	}
	return n;
}

static int me_tx(struct tx *t, struct act *a)
{
	struct user u;
	int r = user_by_id(t, a->rq->who.id, &u);
	if (r < 0)
		return r;
	json_t *list = json_array();
	a->json = user_json(&u);
	if (json_object_set_new(a->json, "memberships", list) < 0)
		return -ENOMEM;
	return memberships(t, u.id, a->rq->now, list);
}

void me_get(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = me_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int me_patch_tx(struct tx *t, struct act *a)
{
	const char *name;
	if (!body_string(a->rq, "name", &name) || !name || !name[0])
		return act_fail(a, API_INVALID_VALUE, "\"name\" is needed.");
	int r = user_check_values(a, NULL, name, NULL);
	if (!r)
		r = tx_exec(t, sql_name, "is", a->rq->who.id, name);
	if (!r)
		r = feed_touch_user(t, a->rq->who.id);
	if (!r)
		r = audit_object(t, a->rq, "user.rename", "user", a->rq->who.name,
		    json_pack("{ss}", "name", name));
	return r ? r : me_tx(t, a);
}

void me_patch(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = me_patch_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}

struct password_act {
	struct act act;
	char before[PASSWORD_ENCODED_MAX], after[PASSWORD_ENCODED_MAX];
};

static int password_get_tx(struct tx *t, struct act *a)
{
	struct password_act *p = (struct password_act *)a;
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_password_get, "i", &r, a->rq->who.id);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n > 0)
		row_copy(r, 0, p->before, sizeof(p->before));
	return n < 0 ? n : 0;
}

static int password_set_tx(struct tx *t, struct act *a)
{
	struct password_act *p = (struct password_act *)a;
	const struct principal *who = &a->rq->who;
	int r = authz_way_in(t, a);
	if (!r)
		r = tx_exec(t, sql_password_set, "issi", who->id, p->after, p->before, a->rq->now);
	if (!r && !tx_changes(t))
		return act_fail(a, API_CONFLICT, NULL);
	if (!r)
		r = session_revoke_all(t, who->id, who->credential, a->rq->now);
	return r ? r : audit_object(t, a->rq, "user.password", "user", who->name, NULL);
}

/* An account without a password has none to show: its session is the proof. */
static int password_check_old(struct password_act *p, const char *old)
{
	if (!p->before[0])
		return 0;
	int r = old ? password_verify(old, p->before) : -EKEYREJECTED;
	if (r == -EKEYREJECTED)
		return act_fail(&p->act, API_BAD_CREDENTIALS, "The old password is wrong.");
	if (!r)
		ratelimit_return(RATELIMIT_LOGIN_ACCOUNT, p->act.rq->who.name);
	return r;
}

static int password_change(struct password_act *p, const char *old, const char *new)
{
	int r = user_check_values(&p->act, NULL, NULL, new);
	if (!r)
		r = act_do(&p->act, STORE_READ);
	if (!r)
		r = password_check_old(p, old);
	if (!r)
		r = password_hash(new, p->after);
	p->act.fn = password_set_tx;
	return r ? r : act_do(&p->act, STORE_WRITE);
}

void me_password(struct request *rq, struct reply *rp)
{
	struct password_act p = {.act = {.fn = password_get_tx, .rq = rq, .status = 204}};
	const char *old, *new;
	if (!body_string(rq, "old", &old) || !body_string(rq, "new", &new) || !new) {
		reply_error(rp, API_BAD_REQUEST, "\"new\" is needed, and \"old\" if there is one.");
		return;
	}
	unsigned wait = ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, rq->who.name);
	if (wait) {
		reply_error(rp, API_TOO_MANY_REQUESTS, "Too many attempts: wait %u seconds.", wait);
		rp->retry_after = wait;
		return;
	}
	act_reply(&p.act, password_change(&p, old, new), rp);
	explicit_bzero(&p, sizeof(p));
}

/* ---- others ---------------------------------------------------------------------------------- */

static int user_get_tx(struct tx *t, struct act *a)
{
	struct user u;
	int r = user_find(t, a->rq->arg[0], &u);
	if (r == -ENOENT || (!r && u.id != a->rq->who.id && a->authz.rank < RANK_SUPERADMIN))
		return act_fail(a, API_USER_NOT_FOUND, NULL);
	if (!r)
		a->json = user_json(&u);
	return r;
}

void user_get(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = user_get_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

struct post_act {
	struct act act;
	struct user_new values;
	char encoded[PASSWORD_ENCODED_MAX];
};

static int user_post_tx(struct tx *t, struct act *a)
{
	struct post_act *p = (struct post_act *)a;
	struct user u;
	int64_t org;
	int r = user_create(t, &a->rq->central->config, &p->values, a->rq->now, &u);
	switch (r) {
	case -EEXIST:
		return act_fail(a, API_NAME_TAKEN, "The username %s is taken.", p->values.username);
	case -EADDRINUSE:
		return act_fail(a, API_NAME_TAKEN, "This address has an account already.");
	case -ENOSPC:
		return act_fail(a, API_IDS_EXHAUSTED, NULL);
	}
	if (r < 0)
		return r;
	a->json = user_json(&u);
	r = organization_find(t, NULL, &org);
	if (!r)
		r = organization_put_member(t, org, u.id, "member", a->rq->now);
	if (r == -ENOENT)
		r = 0;
	if (!r)
		r = audit_object(t, a->rq, "user.create", "user", u.username,
		    json_pack("{ss, sI}", "email", u.email, "uid", (json_int_t)u.uid));
	return r;
}

static int user_post_checked(struct post_act *p, const char *password)
{
	struct user_new *v = &p->values;
	if (!v->username || !v->email)
		return act_fail(&p->act, API_BAD_REQUEST, "\"username\" and \"email\" are needed.");
	if (!email_valid(v->email))
		return act_fail(&p->act, API_INVALID_VALUE, "This is not an email address.");
	int r = user_check_values(&p->act, v->username, v->name, password);
	if (!r && password) {
		r = password_hash(password, p->encoded);
		v->password = p->encoded;
	}
	return r ? r : act_do(&p->act, STORE_WRITE);
}

void user_post(struct request *rq, struct reply *rp)
{
	struct post_act p = {.act = {.fn = user_post_tx, .rq = rq, .status = 201}};
	const char *password;
	if (!body_string(rq, "username", &p.values.username) ||
	    !body_string(rq, "email", &p.values.email) ||
	    !body_string(rq, "name", &p.values.name) || !body_string(rq, "password", &password)) {
		reply_error(rp, API_BAD_REQUEST, NULL);
		return;
	}
	act_reply(&p.act, user_post_checked(&p, password), rp);
	explicit_bzero(p.encoded, sizeof(p.encoded));
}

/* Suspension bites everywhere at once: sessions, invitations that they sent, every host. */
static int suspend_effects(struct tx *t, struct act *a, const struct user *u)
{
	int r = session_revoke_all(t, u->id, 0, a->rq->now);
	if (!r)
		r = invitation_revoke_of(t, 0, u->id, -1, a->rq->now);
	return r;
}

static int user_state_change(struct tx *t, struct act *a, bool suspend)
{
	struct user u;
	int r = user_by_name(t, a->rq->arg[0], &u);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_USER_NOT_FOUND, NULL) : r;
	if (suspend && u.id == a->rq->who.id)
		return act_fail(a, API_CONFLICT, "You cannot suspend yourself.");
	if (suspend)
		r = tx_exec(t, sql_suspend, "ii", u.id, a->rq->now);
	else
		r = tx_exec(t, sql_resume, "i", u.id);
	if (!r && !tx_changes(t))
		return act_fail(a, API_CONFLICT, "This account is %s.", u.state);
	if (!r && suspend)
		r = suspend_effects(t, a, &u);
	if (!r)
		r = feed_touch_user(t, u.id);
	if (!r)
		r = audit_object(
		    t, a->rq, suspend ? "user.suspend" : "user.resume", "user", u.username, NULL);
	if (!r)
		r = user_by_id(t, u.id, &u);
	if (!r)
		a->json = user_json(&u);
	return r;
}

static int suspend_tx(struct tx *t, struct act *a)
{
	return user_state_change(t, a, true);
}

static int resume_tx(struct tx *t, struct act *a)
{
	return user_state_change(t, a, false);
}

void user_suspend(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = suspend_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}

void user_resume(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = resume_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}

/*
 * The sender of an invitation holds its token, so an account may have an address that is not its
 * person's. Set free, the address can be invited again; the account stays as it is without it.
 */
static int release_tx(struct tx *t, struct act *a)
{
	char canonical[EMAIL_MAX + 1];
	struct user u;
	int r = user_find(t, a->rq->arg[0], &u);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_USER_NOT_FOUND, NULL) : r;
	if (!email_canonical(a->rq->arg[1], canonical))
		return act_fail(a, API_NOT_FOUND, "This is not an email address.");
	r = tx_exec(t, sql_email_release, "is", u.id, canonical);
	if (!r && !tx_changes(t))
		return act_fail(a, API_NOT_FOUND, "%s does not have this address.", u.username);
	if (!r)
		r = audit_object(t, a->rq, "user.email-release", "user", u.username,
		    json_pack("{ss}", "email", canonical));
	if (!r)
		r = user_by_id(t, u.id, &u);
	if (!r)
		a->json = user_json(&u);
	return r;
}

void user_email_release(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = release_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}
