/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/secret.h"
#include "browser.h"
#include "login.h"
#include "session.h"
#include "sshkey.h"
#include "sso.h"

static const char sql_insert[] =
    "INSERT INTO sessions (id, user_id, token_hash, how, identity_id, peer, created_at, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
static const char sql_sweep[] = "DELETE FROM sessions WHERE expires_at < $1";
static const char sql_load[] =
    "SELECT s.id, u.id, s.identity_id, u.username FROM sessions s JOIN users u ON u.id = s.user_id"
    " WHERE s.token_hash = $1 AND s.revoked_at = 0 AND s.expires_at > $2 AND u.state = 'active'";
static const char sql_holds[] =
    "SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND u.id = $2"
    " AND s.revoked_at = 0 AND s.expires_at > $3 AND u.state = 'active'";
static const char sql_revoke[] =
    "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0";
static const char sql_revoke_all[] =
    "UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND revoked_at = 0";
static const char sql_revoke_keys[] =
    "UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND how = 'key'"
    " AND revoked_at = 0";
static const char sql_key[] =
    "SELECT 1 FROM ssh_keys WHERE user_id = $1 AND fingerprint = $2 AND (state = 'active'"
    " OR (state = 'retiring' AND not_after > $3))";

/* Rows of sessions that ended so long ago tell nothing any more; the audit chain keeps them. */
#define SESSION_KEEP (30 * 86400)

int session_create(struct tx *t, const struct request *rq, int64_t user, const char *how,
    int64_t identity, struct session_token *ret)
{
	uint8_t secret[32];
	struct session_token s = {.id = store_new_id(), .expires = rq->now + SESSION_SECONDS};
	char hash[65];
	int r = secret_random(secret, sizeof(secret));
	if (r < 0)
		return r;
	memcpy(s.text, SESSION_PREFIX, strlen(SESSION_PREFIX));
	base64url_encode(secret, sizeof(secret), s.text + strlen(SESSION_PREFIX));
	explicit_bzero(secret, sizeof(secret));
	sha256_hex(s.text, strlen(s.text), hash);
	r = tx_exec(t, sql_sweep, "i", rq->now - SESSION_KEEP);
	if (!r)
		r = tx_exec(t, sql_insert, "iissisii", s.id, user, hash, how, identity,
		    rq->peer ? rq->peer : "", rq->now, s.expires);
	if (!r)
		*ret = s;
	explicit_bzero(&s, sizeof(s));
	return r;
}

int session_close(struct tx *t, int64_t id, int64_t now)
{
	return tx_exec(t, sql_revoke, "ii", id, now);
}

int session_revoke_all(struct tx *t, int64_t user, int64_t keep, int64_t now)
{
	int r = tx_exec(t, sql_revoke_all, "iii", user, keep, now);
	if (!r)
		r = browser_revoke(t, user, now);
	return r ? r : sso_link_forget(t, user);
}

int session_revoke_keys(struct tx *t, int64_t user, int64_t keep, int64_t now)
{
	int r = tx_exec(t, sql_revoke_keys, "iii", user, keep, now);

	return r ? r : sso_link_forget(t, user);
}

json_t *session_json(const struct session_token *s, const struct user *u)
{
	json_t *o = json_pack("{ss, so}", "token", s->text, "expires_at", json_time(s->expires));
	if (o && u && json_object_set_new(o, "user", user_json(u)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

struct load {
	struct request *rq;
	char hash[65];
	struct principal who;
};

static int load_tx(struct tx *t, void *arg)
{
	struct load *l = arg;
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_load, "si", &r, l->hash, l->rq->now);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -EACCES;
	l->who = principal_user(row_int(r, 1), row_text(r, 3));
	l->who.credential = row_int(r, 0);
	l->who.identity = row_int(r, 2);
	return 0;
}

int session_principal_load(struct request *rq, const char *bearer)
{
	struct load l = {.rq = rq};
	if (strlen(bearer) != SESSION_TOKEN_LEN)
		return -EACCES;
	sha256_hex(bearer, SESSION_TOKEN_LEN, l.hash);
	int r = store_tx(rq->db, STORE_READ, load_tx, &l);
	if (!r)
		rq->who = l.who;
	return r;
}

int session_holds(struct tx *t, const struct principal *who, int64_t now)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_holds, "iii", &r, who->credential, who->id, now);
	return n < 0 ? n : rows_next(r);
}

/* ---- login with a password ------------------------------------------------------------------- */

static int session_open(
    struct tx *t, struct act *a, const struct user *u, const char *how, struct session_token *ret)
{
	struct request as = request_as(a->rq, u->id, u->username);
	int r = session_create(t, a->rq, u->id, how, 0, ret);
	if (r < 0)
		return r;
	r = audit_object(
	    t, &as, "session.open", "user", u->username, json_pack("{ss}", "how", how));
	a->json = session_json(ret, u);
	return r;
}

struct password_login {
	struct login login;
	struct session_token token;
};

static int password_open(struct tx *t, struct login *l)
{
	struct password_login *p = (struct password_login *)l;
	return session_open(t, &l->act, &l->user, "password", &p->token);
}

void session_post(struct request *rq, struct reply *rp)
{
	struct password_login p = {
	    .login = {.act = {.rq = rq, .status = 201}, .open = password_open}};
	const char *password = request_str(rq, "password");
	p.login.name = request_str(rq, "login");
	if (!p.login.name || !password || strlen(p.login.name) > EMAIL_MAX) {
		reply_error(rp, API_BAD_REQUEST, "\"login\" and \"password\" are needed.");
		return;
	}
	int r = login_password(&p.login, password);
	rp->retry_after = p.login.wait;
	act_reply(&p.login.act, r, rp);
	explicit_bzero(&p, sizeof(p));
}

/* ---- login with a key ------------------------------------------------------------------------ */

struct key_act {
	struct act act;
	const char *username, *nonce;
	struct sshkey_proof proof;
	struct session_token token;
};

/* Too many? Then the reply is filled. Nobody guesses a key: only the address counts. */
static bool throttled(struct act *a, struct reply *rp)
{
	struct login_count n;
	login_count_init(a->rq, NULL, &n);
	unsigned wait = login_count_take(a, &n);
	if (!wait)
		return false;
	rp->retry_after = wait;
	act_reply(a, -ECANCELED, rp);
	return true;
}

static int challenge_tx(struct tx *t, struct act *a)
{
	struct key_act *k = (struct key_act *)a;
	struct user u;
	char nonce[65];
	int r = user_by_name(t, k->username, &u);
	if (r == -ENOENT || (!r && !u.active))
		r = nonce_pretend(t, a->rq->now, nonce);
	else if (!r)
		r = nonce_issue(t, u.id, "login", a->rq->now, nonce);
	if (!r)
		a->json = json_pack("{ss}", "nonce", nonce);
	return r;
}

void session_key_challenge(struct request *rq, struct reply *rp)
{
	struct key_act k = {.act = {.fn = challenge_tx, .rq = rq, .status = 200}};
	k.username = request_str(rq, "username");
	if (!k.username || !username_valid(k.username))
		reply_error(rp, API_BAD_REQUEST, "\"username\" is needed.");
	else if (!throttled(&k.act, rp))
		act_run(&k.act, STORE_WRITE, rp);
}

static int key_login_tx(struct tx *t, struct act *a)
{
	struct key_act *k = (struct key_act *)a;
	struct user u;
	int r = user_by_name(t, k->username, &u);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_BAD_CREDENTIALS, NULL) : r;
	_cleanup_rows_ struct rows *rows = NULL;
	r = tx_query(t, sql_key, "isi", &rows, u.id, k->proof.fingerprint, a->rq->now);
	if (r < 0)
		return r;
	r = rows_next(rows);
	if (r <= 0)
		return r < 0 ? r : act_fail(a, API_BAD_CREDENTIALS, NULL);
	r = nonce_consume(t, u.id, "login", k->nonce, a->rq->now);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_BAD_CREDENTIALS, NULL) : r;
	r = login_allowed(t, a, &u);
	return r ? r : session_open(t, a, &u, "key", &k->token);
}

void session_key_post(struct request *rq, struct reply *rp)
{
	struct key_act k = {.act = {.fn = key_login_tx, .rq = rq, .status = 201}};
	k.username = request_str(rq, "username");
	k.nonce = request_str(rq, "nonce");
	if (!k.username || !k.nonce || !username_valid(k.username)) {
		reply_error(rp, API_BAD_REQUEST,
		    "\"username\", \"nonce\", \"public_key\" and \"signature\" are needed.");
		return;
	}
	if (throttled(&k.act, rp))
		return;
	if (sshkey_proof_check(&rq->central->config, rq->body, k.nonce, &k.proof) != API_OK)
		reply_error(rp, API_BAD_CREDENTIALS,
		    "The key does not open this account, or the proof was not made for %s.",
		    rq->central->config.url);
	else
		act_run(&k.act, STORE_WRITE, rp);
	explicit_bzero(&k.token, sizeof(k.token));
}

/* ---- logout ---------------------------------------------------------------------------------- */

static int logout_tx(struct tx *t, struct act *a)
{
	const struct principal *who = &a->rq->who;
	int r = session_close(t, who->credential, a->rq->now);
	return r ? r : audit_object(t, a->rq, "session.close", "user", who->name, NULL);
}

void session_delete(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = logout_tx, .rq = rq, .status = 204};
	act_run(&a, STORE_WRITE, rp);
}
