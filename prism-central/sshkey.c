/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/secret.h"
#include "feed/feed.h"
#include "host_feed.h"
#include "session.h"
#include "sshkey.h"
#include "sshkey_hosts.h"

#define KEY_COLUMNS                                                                              \
	"SELECT id, fingerprint, line, origin, CASE WHEN state = 'retiring' AND not_after <= $1" \
	" THEN 'revoked' ELSE state END, created_at, not_after FROM ssh_keys "

static const char sql_list[] =
    KEY_COLUMNS "WHERE user_id = $2 AND state <> 'revoked' AND (state = 'active' OR not_after > $1)"
		" ORDER BY id";
static const char sql_one[] = KEY_COLUMNS "WHERE user_id = $2 AND id = $3";
static const char sql_same[] = "SELECT id, user_id, state FROM ssh_keys WHERE fingerprint = $1";
static const char sql_count[] =
    "SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1 AND (state = 'active' OR (state = 'retiring'"
    " AND not_after > $2))";
static const char sql_insert[] =
    "INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at)"
    " VALUES ($1, $2, $3, $4, $5, 'active', $6)";
static const char sql_revoke[] =
    "UPDATE ssh_keys SET state = 'revoked', revoked_at = $3 WHERE id = $1 AND user_id = $2"
    " AND state <> 'revoked'";
static const char sql_revoke_all[] =
    "UPDATE ssh_keys SET state = 'revoked', revoked_at = $2 WHERE user_id = $1"
    " AND state <> 'revoked'";
static const char sql_retire[] =
    "UPDATE ssh_keys SET state = 'retiring', not_after = $3 WHERE id = $1 AND user_id = $2"
    " AND (state = 'active' OR (state = 'retiring' AND not_after > $3))";
static const char sql_nonce_sweep[] = "DELETE FROM nonces WHERE expires_at <= $1";
/* By purpose: anybody can ask for a login's nonce, which must not push out the others. */
static const char sql_nonce_crowd[] =
    "DELETE FROM nonces WHERE user_id = $1 AND purpose = $2 AND nonce_hash NOT IN"
    " (SELECT nonce_hash FROM nonces WHERE user_id = $1 AND purpose = $2"
    " ORDER BY expires_at DESC, nonce_hash LIMIT $3)";
static const char sql_nonce_put[] =
    "INSERT INTO nonces (nonce_hash, user_id, purpose, expires_at) VALUES ($1, $2, $3, $4)";
static const char sql_nonce_somebody[] =
    "INSERT INTO nonces (nonce_hash, user_id, purpose, expires_at)"
    " SELECT $1, MIN(id), 'login', $2 FROM users";
static const char sql_nonce_drop[] = "DELETE FROM nonces WHERE nonce_hash = $1";
static const char sql_nonce_take[] =
    "DELETE FROM nonces WHERE nonce_hash = $1 AND user_id = $2 AND purpose = $3"
    " AND expires_at > $4";

#define PROOF_NAMESPACE "prism-key"
#define PROOF_TEXT	"prism-key-proof-v1\n"
#define NONCE_MAX	128
#define ADDRESS_SIZE	600

/* ---- proofs ---------------------------------------------------------------------------------- */

/* As the command line writes it: in lowercase, without the port that goes without saying. */
static void address_https(const struct config *cfg, char *out, size_t size)
{
	static const char implied[] = ":443";
	size_t n;

	snprintf(out, size, "%s", cfg->url);
	for (char *p = out; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	n = strlen(out);
	if (n > sizeof(implied) && strcmp(out + n - sizeof(implied) + 1, implied) == 0)
		out[n - sizeof(implied) + 1] = '\0';
}

/* The other one, for who is on this machine; "" if there is none. */
static void address_plain(const struct config *cfg, char *out, size_t size)
{
	bool local = strncmp(cfg->listen_plain, "unix:", 5) == 0;

	snprintf(
	    out, size, "%s%s", local || !cfg->listen_plain[0] ? "" : "http://", cfg->listen_plain);
}

static bool proof_verify(
    const char *address, const char *nonce, const char *sig, const struct sshkey_proof *p)
{
	char text[sizeof(PROOF_TEXT) + ADDRESS_SIZE + NONCE_MAX + 3];
	int n = snprintf(text, sizeof(text), "%s%s\n%s\n", PROOF_TEXT, address, nonce);

	return *address && sshsig_verify(sig, p->line, PROOF_NAMESPACE, text, (size_t)n) == 0;
}

enum api_error sshkey_proof_check(
    const struct config *cfg, const json_t *o, const char *nonce, struct sshkey_proof *ret)
{
	const char *line = json_string_value(json_object_get(o, "public_key"));
	const char *sig = json_string_value(json_object_get(o, "signature"));
	const char *origin = json_string_value(json_object_get(o, "origin"));
	char https[ADDRESS_SIZE], plain[ADDRESS_SIZE];
	struct sshkey_proof p = {.origin = "imported"};
	if (!line || !sig || !nonce || strlen(nonce) > NONCE_MAX)
		return API_BAD_REQUEST;
	if (sshsig_public_key(line, p.line, sizeof(p.line), p.fingerprint) < 0 ||
	    !sshkey_line_valid(p.line))
		return API_INVALID_VALUE;
	if (origin && !strcmp(origin, "generated"))
		p.origin = "generated";
	address_https(cfg, https, sizeof(https));
	address_plain(cfg, plain, sizeof(plain));
	if (!proof_verify(https, nonce, sig, &p) && !proof_verify(plain, nonce, sig, &p))
		return API_KEY_PROOF;
	*ret = p;
	return API_OK;
}

static int count_keys(struct tx *t, int64_t user, int64_t now, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_count, "ii", &r, user, now);
	if (!n)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	*ret = row_int(r, 0);
	return 0;
}

int nonce_issue(struct tx *t, int64_t user, const char *purpose, int64_t now, char out[65])
{
	uint8_t random[32];
	char hash[65];
	int r = secret_random(random, sizeof(random));
	if (!r)
		r = tx_exec(t, sql_nonce_sweep, "i", now);
	if (!r)
		r = tx_exec(t, sql_nonce_crowd, "isi", user, purpose, (int64_t)NONCES_PER_USER - 1);
	if (r < 0)
		return r;
	hex_encode(random, sizeof(random), out);
	sha256_hex(out, strlen(out), hash);
	return tx_exec(t, sql_nonce_put, "sisi", hash, user, purpose, now + NONCE_SECONDS);
}

/* What is written and taken back costs what writing costs. */
int nonce_pretend(struct tx *t, int64_t now, char out[65])
{
	uint8_t random[32];
	char hash[65];
	int r = secret_random(random, sizeof(random));
	if (!r)
		r = tx_exec(t, sql_nonce_sweep, "i", now);
	if (!r)
		r = tx_exec(
		    t, sql_nonce_crowd, "isi", (int64_t)0, "login", (int64_t)NONCES_PER_USER - 1);
	if (r < 0)
		return r;
	hex_encode(random, sizeof(random), out);
	sha256_hex(out, strlen(out), hash);
	r = tx_exec(t, sql_nonce_somebody, "si", hash, now + NONCE_SECONDS);
	return r ? r : tx_exec(t, sql_nonce_drop, "s", hash);
}

int nonce_consume(struct tx *t, int64_t user, const char *purpose, const char *nonce, int64_t now)
{
	char hash[65];
	sha256_hex(nonce, strlen(nonce), hash);
	int r = tx_exec(t, sql_nonce_take, "sisi", hash, user, purpose, now);
	if (r < 0)
		return r;
	return tx_changes(t) == 1 ? 0 : -ENOENT;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The same key, once registered: 0 when it is this person's and active, -EEXIST, or -ENOENT. */
static int find_same(struct tx *t, int64_t user, const char *fingerprint, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_same, "s", &r, fingerprint);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	const char *state = row_text(r, 2);
	if (row_int(r, 1) != user || !state || strcmp(state, "active") != 0)
		return -EEXIST;
	*ret = row_int(r, 0);
	return 0;
}

int sshkey_add(struct tx *t, int64_t user, const struct sshkey_proof *p, int64_t now, int64_t *ret)
{
	int64_t id = store_new_id(), have;
	int r = find_same(t, user, p->fingerprint, ret);
	if (r != -ENOENT)
		return r;
	r = count_keys(t, user, now, &have);
	if (!r && have >= FEED_KEYS_MAX)
		return -EDQUOT;
	if (!r)
		r = tx_exec(
		    t, sql_insert, "iisssi", id, user, p->fingerprint, p->line, p->origin, now);
	if (!r)
		r = feed_touch_user(t, user);
	if (!r)
		*ret = id;
	return r;
}

int sshkey_revoke_all(struct tx *t, int64_t user, int64_t now)
{
	int r = tx_exec(t, sql_revoke_all, "ii", user, now);
	return r || !tx_changes(t) ? r : feed_touch_user(t, user);
}

static json_t *key_read(struct rows *r)
{
	return json_pack("{so, ss, ss, ss, ss, so, so}", "id", json_id(row_int(r, 0)),
	    "fingerprint", row_text(r, 1), "public_key", row_text(r, 2), "origin", row_text(r, 3),
	    "state", row_text(r, 4), "created_at", json_time(row_int(r, 5)), "not_after",
	    json_time(row_int(r, 6)));
}

static int key_json(struct tx *t, int64_t user, int64_t key, int64_t now, json_t **ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_one, "iii", &r, now, user, key);
	if (!n)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = key_read(r);
	return *ret ? 0 : -ENOMEM;
}

int sshkey_json(struct tx *t, int64_t user, int64_t key, json_t **ret)
{
	return key_json(t, user, key, 0, ret);
}

/* ---- handlers -------------------------------------------------------------------------------- */

static int list_tx(struct tx *t, struct act *a)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_list, "ii", &r, a->rq->now, a->rq->who.id);
	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0)
		if (json_array_append_new(a->json, key_read(r)) < 0)
			return -ENOMEM;
	return n < 0 ? n : sshkey_add_hosts(t, a->rq->who.id, a->rq->now, a->json);
}

void sshkey_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int challenge_tx(struct tx *t, struct act *a)
{
	char nonce[65];
	int r = nonce_issue(t, a->rq->who.id, "register", a->rq->now, nonce);
	if (!r)
		a->json = json_pack("{ss}", "nonce", nonce);
	return r;
}

void sshkey_challenge(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = challenge_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}

struct post_act {
	struct act act;
	struct sshkey_proof proof;
};

static int post_tx(struct tx *t, struct act *a)
{
	struct post_act *p = (struct post_act *)a;
	const struct principal *who = &a->rq->who;
	int64_t id;
	int r = authz_way_in(t, a);
	if (!r)
		r = nonce_consume(t, who->id, "register", request_str(a->rq, "nonce"), a->rq->now);
	if (r == -ENOENT)
		return act_fail(a, API_KEY_PROOF, "The proof is too old or was used before.");
	if (!r)
		r = sshkey_add(t, who->id, &p->proof, a->rq->now, &id);
	if (r == -EEXIST)
		return act_fail(a, API_KEY_TAKEN, NULL);
	if (r == -EDQUOT)
		return act_fail(
		    a, API_CONFLICT, "At most %d keys: remove one first.", FEED_KEYS_MAX);
	if (!r)
		r = key_json(t, who->id, id, a->rq->now, &a->json);
	if (!r)
		r = audit_object(t, a->rq, "key.add", "user", who->name,
		    json_pack("{ss, ss}", "fingerprint", p->proof.fingerprint, "origin",
			p->proof.origin));
	return r;
}

void sshkey_post(struct request *rq, struct reply *rp)
{
	struct post_act p = {.act = {.fn = post_tx, .rq = rq, .status = 201}};
	enum api_error e =
	    sshkey_proof_check(&rq->central->config, rq->body, request_str(rq, "nonce"), &p.proof);
	if (e == API_BAD_REQUEST)
		reply_error(rp, e, "\"public_key\", \"signature\" and \"nonce\" are needed.");
	else if (e == API_INVALID_VALUE)
		reply_error(rp, e, "This public key is not one that Prism takes.");
	else if (e != API_OK)
		reply_error(rp, e, NULL);
	else
		act_run(&p.act, STORE_WRITE, rp);
}

struct delete_act {
	struct act act;
	uint32_t grace;
};

static int delete_tx(struct tx *t, struct act *a)
{
	struct delete_act *d = (struct delete_act *)a;
	const struct principal *who = &a->rq->who;
	int64_t id = arg_id(a->rq, 0), now = a->rq->now;
	int r = tx_exec(t, d->grace ? sql_retire : sql_revoke, "iii", id, who->id, now + d->grace);
	if (r < 0)
		return r;
	if (!tx_changes(t))
		return act_fail(a, API_NOT_FOUND, "You have no such key.");
	r = feed_touch_user(t, who->id);
	/* What is revoked rather than retired may be in other hands. */
	if (!r && !d->grace)
		r = session_revoke_keys(t, who->id, who->credential, now);
	if (!r)
		r = key_json(t, who->id, id, now, &a->json);
	if (!r)
		r = audit_object(t, a->rq, d->grace ? "key.retire" : "key.revoke", "user",
		    who->name,
		    json_pack("{sO, sI}", "fingerprint", json_object_get(a->json, "fingerprint"),
			"grace", (json_int_t)d->grace));
	return r;
}

void sshkey_delete(struct request *rq, struct reply *rp)
{
	struct delete_act d = {.act = {.fn = delete_tx, .rq = rq, .status = 200}};
	const char *grace = request_query(rq, "grace");
	if (grace && num_parse_u32(grace, KEY_GRACE_MAX, &d.grace) < 0)
		reply_error(rp, API_INVALID_VALUE, "\"grace\" is a number of seconds, at most %d.",
		    KEY_GRACE_MAX);
	else
		act_run(&d.act, STORE_WRITE, rp);
}
