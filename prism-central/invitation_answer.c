/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "invitation.h"
#include "member.h"
#include "password.h"
#include "project.h"
#include "ratelimit.h"
#include "session.h"
#include "sshkey.h"
#include "sso.h"

/* Of two who answer at the same moment, one changes the row and the other finds it changed. */
static const char sql_answer[] =
    "UPDATE invitations SET state = $2, answered_at = $3, answered_by = $4, reason = $5"
    " WHERE id = $1 AND state = 'pending' AND expires_at > $3";
static const char sql_email_known[] = "SELECT 1 FROM emails WHERE canonical = $1";

#define REASON_MAX 500

struct answer_act {
	struct act act;
	char hash[65]; /* of the token's secret: also the nonce of the key's proof */
	const char *reason;
	/* accept */
	const char *username, *name;
	char password[PASSWORD_ENCODED_MAX]; /* "": none */
	bool has_key;
	struct sshkey_proof key;
	int64_t key_id;
	bool created;
	struct user user;
	struct invitation invitation;
	struct session_token session;
};

/* ---- the token ------------------------------------------------------------------------------- */

/* The secret's hash, or INVITATION_NOT_FOUND for whatever is not an invitation's token. */
static int read_token(struct answer_act *n)
{
	const struct request *rq = n->act.rq;
	const char *text = rq->arg[0] ? rq->arg[0] : request_str(rq, "token");
	struct token k;
	uint8_t hash[32];
	if (!text || token_parse(text, &k) < 0)
		return act_fail(&n->act, API_INVITATION_NOT_FOUND, NULL);
	enum token_kind kind = k.kind;
	token_hash(k.secret, hash);
	explicit_bzero(&k, sizeof(k));
	hex_encode(hash, sizeof(hash), n->hash);
	return kind == TOKEN_INVITATION ? 0 : act_fail(&n->act, API_INVITATION_NOT_FOUND, NULL);
}

static int load(struct tx *t, struct answer_act *n, struct invitation *ret)
{
	int r = invitation_by_hash(t, n->hash, n->act.rq->now, ret);
	if (r == -ENOENT)
		return act_fail(&n->act, API_INVITATION_NOT_FOUND, NULL);
	if (r < 0)
		return r;
	enum api_error e = invitation_error(ret);
	return e == API_OK ? 0 : act_fail(&n->act, e, NULL);
}

static int consume(struct tx *t, struct answer_act *n, int64_t id, const char *state, int64_t by)
{
	int r = tx_exec(t, sql_answer, "isiIs", id, state, n->act.rq->now, by, n->reason);
	if (r < 0)
		return r;
	return tx_changes(t) == 1 ? 0 : act_fail(&n->act, API_CONFLICT, NULL);
}

/* Guessing is hopeless and slow; whoever holds the right secret does not count. */
static void answer_run(
    struct answer_act *n, enum store_mode mode, int (*read)(struct answer_act *), struct reply *rp)
{
	int r;
	const struct request *rq = n->act.rq;
	char peer[RATELIMIT_KEY_MAX];
	ratelimit_peer(rq->peer ? rq->peer : "", peer);
	unsigned wait = ratelimit_take(RATELIMIT_TOKEN_PEER, peer);
	if (wait) {
		rp->retry_after = wait;
		r = act_fail(
		    &n->act, API_TOO_MANY_REQUESTS, "Too many attempts: wait %u seconds.", wait);
	} else {
		r = read(n);
		if (!r)
			r = act_do(&n->act, mode);
		bool guessed = r == -ECANCELED && n->act.error == API_INVITATION_NOT_FOUND;
		/* A password that was hashed for nothing cost too much to be free. */
		if (!guessed && (!r || !n->password[0]))
			ratelimit_return(RATELIMIT_TOKEN_PEER, peer);
	}
	act_reply(&n->act, r, rp);
	explicit_bzero(n->password, sizeof(n->password));
	explicit_bzero(&n->session, sizeof(n->session));
}

/* ---- look ------------------------------------------------------------------------------------ */

static int email_known(struct tx *t, const char *canonical)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_email_known, "s", &r, canonical);
	return n < 0 ? n : rows_next(r);
}

static int lookup_tx(struct tx *t, struct act *a)
{
	struct answer_act *n = (struct answer_act *)a;
	struct invitation i;
	int r = load(t, n, &i);
	if (r)
		return r;
	r = email_known(t, i.canonical);
	if (r >= 0)
		a->json =
		    json_pack("{so, sb}", "invitation", invitation_json(&i), "account_exists", r);
	return r < 0 ? r : 0;
}

void invitation_lookup(struct request *rq, struct reply *rp)
{
	struct answer_act n = {.act = {.fn = lookup_tx, .rq = rq, .status = 200}};
	answer_run(&n, STORE_READ, read_token, rp);
}

/* ---- accept ---------------------------------------------------------------------------------- */

static int fail_username(struct tx *t, struct answer_act *n, enum api_error e, const char *what)
{
	char free_name[USERNAME_MAX + 1];
	int r = user_suggest(t, n->invitation.canonical, free_name);
	if (r < 0)
		return r;
	if (free_name[0])
		return act_fail(&n->act, e, "%s \"%s\" is free.", what, free_name);
	return act_fail(&n->act, e, "%s", what);
}

static int create_account(struct tx *t, struct answer_act *n)
{
	const struct request *rq = n->act.rq;
	struct user_new v = {.username = n->username,
	    .name = n->name,
	    .email = n->invitation.email,
	    .password = n->password[0] ? n->password : NULL};
	char slug[SLUG_MAX + 1];
	if (rq->who.kind == PRINCIPAL_USER)
		return act_fail(&n->act, API_INVITATION_NOT_YOURS, NULL);
	int r = sso_enforced_for(t, n->invitation.email, slug);
	if (r)
		return r < 0 ? r : sso_required(&n->act, slug);
	if (!n->username)
		return fail_username(t, n, API_INVALID_VALUE, "A username is needed.");
	if (!username_valid(n->username))
		return fail_username(t, n, API_INVALID_VALUE,
		    "A username is 2 to 32 of a-z, 0-9, - and _, begins with a letter or _, and is "
		    "not a name that the system uses.");
	/* Looked up first: after a failed insert there is no asking in this transaction. */
	r = user_by_name(t, n->username, &n->user);
	if (!r)
		return fail_username(t, n, API_NAME_TAKEN, "This username is taken.");
	if (r == -ENOENT)
		r = user_create(t, &rq->central->config, &v, rq->now, &n->user);
	n->created = !r;
	if (r == -ENOSPC)
		return act_fail(&n->act, API_IDS_EXHAUSTED, NULL);
	return r == -EADDRINUSE ? act_fail(&n->act, API_LOGIN_REQUIRED, NULL) : r;
}

/* Who accepts: the owner of the invited address, who is logged in or comes to be now. */
static int find_account(struct tx *t, struct answer_act *n)
{
	const struct principal *who = &n->act.rq->who;
	int r = user_by_email(t, n->invitation.canonical, &n->user);
	n->created = false;
	if (r == -ENOENT)
		return create_account(t, n);
	if (r < 0)
		return r;
	if (who->kind != PRINCIPAL_USER)
		return act_fail(&n->act, API_LOGIN_REQUIRED, NULL);
	if (who->id != n->user.id)
		return act_fail(&n->act, API_INVITATION_NOT_YOURS, NULL);
	r = session_holds(t, who, n->act.rq->now);
	return r > 0 ? 0 : r < 0 ? r : act_fail(&n->act, API_LOGIN_REQUIRED, NULL);
}

static int add_key(struct tx *t, struct answer_act *n)
{
	if (!n->has_key)
		return 0;
	int r = authz_way_in(t, &n->act);
	if (!r)
		r = sshkey_add(t, n->user.id, &n->key, n->act.rq->now, &n->key_id);
	if (r == -EEXIST)
		return act_fail(&n->act, API_KEY_TAKEN, NULL);
	if (r == -EDQUOT)
		return act_fail(&n->act, API_CONFLICT, "You have as many keys as there may be.");
	return r;
}

static int accepted_json(struct tx *t, struct answer_act *n)
{
	const struct user *u = &n->user;
	int64_t now = n->act.rq->now;
	struct project p;
	json_t *key = NULL;
	int r = invitation_get(t, n->invitation.id, n->invitation.project, now, &n->invitation);
	if (!r)
		r = project_get(t, n->invitation.project, u->id, now, &p);
	if (!r && n->has_key)
		r = sshkey_json(t, u->id, n->key_id, &key);
	if (r < 0)
		return r;
	n->act.json = json_pack("{so, so, s{ss, sI, sI, ss}, so, ss, so}", "invitation",
	    invitation_json(&n->invitation), "project", project_json(&p), "research_user",
	    "username", u->username, "uid", (json_int_t)u->uid, "gid", (json_int_t)u->uid, "home",
	    u->home, "ssh_key", key ? key : json_null(), "provisioning_status",
	    n->has_key ? "provisioned" : "key_missing", "session",
	    n->created ? session_json(&n->session, u) : json_null());
	return n->act.json ? 0 : -ENOMEM;
}

static int audit_accept(struct tx *t, struct answer_act *n)
{
	struct request as = request_as(n->act.rq, n->user.id, n->user.username);
	char id[24];
	as.project = n->invitation.project;
	snprintf(id, sizeof(id), "%lld", (long long)n->invitation.id);
	return audit_object(t, &as, "invitation.accept", "invitation", id,
	    json_pack("{ss, ss, sI, sb, ss}", "email", n->invitation.email, "role",
		n->invitation.role.slug, "uid", (json_int_t)n->user.uid, "account_created",
		(int)n->created, "key", n->has_key ? n->key.fingerprint : ""));
}

static int accept_tx(struct tx *t, struct act *a)
{
	struct answer_act *n = (struct answer_act *)a;
	struct member_origin from = {"invitation", 0};
	int r = load(t, n, &n->invitation);
	if (!r)
		r = find_account(t, n);
	if (!r)
		r = consume(t, n, n->invitation.id, "accepted", n->user.id);
	if (!r)
		r = add_key(t, n);
	from.source = n->invitation.id;
	if (!r)
		r = member_join(
		    t, n->invitation.project, n->user.id, n->invitation.role.id, &from, a->rq->now);
	if (r == -EEXIST)
		return act_fail(a, API_ALREADY_MEMBER, NULL);
	if (!r && n->created)
		r = session_create(t, a->rq, n->user.id, "invitation", 0, &n->session);
	if (!r)
		r = audit_accept(t, n);
	return r ? r : accepted_json(t, n);
}

/* The proof is checked before anything is used up. */
static int read_key(struct answer_act *n)
{
	const json_t *key = json_object_get(n->act.rq->body, "ssh_key");
	if (!key || json_is_null(key))
		return 0;
	enum api_error e = sshkey_proof_check(&n->act.rq->central->config, key, n->hash, &n->key);
	if (e == API_INVALID_VALUE)
		return act_fail(&n->act, e, "This public key is not one that Prism takes.");
	n->has_key = true;
	return e == API_OK ? 0 : act_fail(&n->act, e, NULL);
}

/*
 * A new password costs a tenth of a second of work: only for who holds the secret of an invitation
 * that can be accepted.
 */
static int hash_password(struct answer_act *n, const char *password)
{
	if (!password)
		return 0;
	n->act.fn = lookup_tx;
	int r = act_do(&n->act, STORE_READ);
	n->act.fn = accept_tx;
	return r ? r : password_hash(password, n->password);
}

static int read_accept(struct answer_act *n)
{
	const struct request *rq = n->act.rq;
	const char *password, *why;
	int r = read_token(n);
	if (r)
		return r;
	if (!body_string(rq, "username", &n->username) || !body_string(rq, "name", &n->name) ||
	    !body_string(rq, "password", &password))
		return act_fail(&n->act, API_BAD_REQUEST, NULL);
	r = user_check_values(&n->act, NULL, n->name, NULL);
	if (!r && password && !password_acceptable(password, n->username, &why))
		r = act_fail(&n->act, API_INVALID_VALUE, "%s", why);
	if (!r)
		r = read_key(n);
	return r ? r : hash_password(n, password);
}

void invitation_accept(struct request *rq, struct reply *rp)
{
	struct answer_act n = {.act = {.fn = accept_tx, .rq = rq, .status = 200}};
	answer_run(&n, STORE_WRITE, read_accept, rp);
}

/* ---- decline --------------------------------------------------------------------------------- */

static int decline_tx(struct tx *t, struct act *a)
{
	struct answer_act *n = (struct answer_act *)a;
	struct invitation *i = &n->invitation;
	struct request as = *a->rq;
	char id[24];
	int r = load(t, n, i);
	if (!r)
		r = consume(
		    t, n, i->id, "declined", a->rq->who.kind == PRINCIPAL_USER ? a->rq->who.id : 0);
	if (!r)
		r = invitation_get(t, i->id, i->project, a->rq->now, i);
	if (r)
		return r;
	as.project = i->project;
	snprintf(id, sizeof(id), "%lld", (long long)i->id);
	a->json = json_pack("{so}", "invitation", invitation_json(i));
	return audit_object(t, &as, "invitation.decline", "invitation", id,
	    json_pack("{ss, so}", "email", i->email, "reason", json_text(n->reason)));
}

static int read_decline(struct answer_act *n)
{
	int r = read_token(n);
	if (!r && (!body_string(n->act.rq, "reason", &n->reason) ||
		      (n->reason && !text_valid(n->reason, REASON_MAX))))
		return act_fail(&n->act, API_INVALID_VALUE,
		    "\"reason\" is one line of at most %d characters.", REASON_MAX);
	return r;
}

void invitation_decline(struct request *rq, struct reply *rp)
{
	struct answer_act n = {.act = {.fn = decline_tx, .rq = rq, .status = 200}};
	answer_run(&n, STORE_WRITE, read_decline, rp);
}
