/* SPDX-License-Identifier: MIT */

/*
 * Authorization codes (RFC 6749 §4.1) with PKCE (RFC 7636), for programs on the person's own
 * machine (RFC 8252). Threat model: whoever sees the redirect MUST NOT be able to use the code; one
 * that is shown twice, or with a wrong verifier or address, has been seen by somebody else, and
 * opens nothing any more, nor does what it has opened.
 */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include <openssl/sha.h>
#include "base/secret.h"
#include "central.h"
#include "user.h"

#define CODE_KEEP 86400 /* to notice a second use */
#define CODES_MAX 32	/* of one person */

static const char sql_sweep[] = "DELETE FROM authorization_codes WHERE expires_at < $1";
static const char sql_crowd[] =
    "DELETE FROM authorization_codes WHERE user_id = $1 AND code_hash NOT IN (SELECT code_hash"
    " FROM authorization_codes WHERE user_id = $1 ORDER BY expires_at DESC LIMIT $2)";
static const char sql_insert[] =
    "INSERT INTO authorization_codes (code_hash, user_id, identity_id, auth_at, redirect_uri,"
    " challenge, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char sql_find[] =
    "SELECT user_id, identity_id, redirect_uri, challenge, session_id, expires_at"
    " FROM authorization_codes WHERE code_hash = $1";
static const char sql_use[] =
    "UPDATE authorization_codes SET session_id = $2 WHERE code_hash = $1 AND session_id = 0";
static const char sql_burn[] =
    "UPDATE authorization_codes SET expires_at = 1 WHERE code_hash = $1 AND expires_at > 1";

int oauth_code_make(struct tx *t, const struct request *rq, const char *redirect_uri,
    const char *challenge, struct oauth_secret *ret)
{
	int r = tx_exec(t, sql_sweep, "i", rq->now - CODE_KEEP);

	if (r == 0)
		r = tx_exec(t, sql_crowd, "ii", rq->who.id, (int64_t)CODES_MAX - 1);
	if (r == 0)
		r = oauth_secret_make("pac_", ret);
	if (r == 0)
		r = tx_exec(t, sql_insert, "siiissi", ret->hash, rq->who.id, rq->browser.identity,
		    rq->browser.auth_at, redirect_uri, challenge, rq->now + CODE_SECONDS);
	return r;
}

/* ---- redeeming ------------------------------------------------------------------------------- */

struct exchange {
	struct request *rq;
	const char *redirect_uri, *verifier;
	char hash[65];
	/* of the transaction */
	int64_t user_id, identity, session_id, expires;
	char address[OAUTH_REDIRECT_MAX + 1], challenge[OAUTH_CHALLENGE_LEN + 1];
	const char *fault;
	struct session_token session;
	struct user user;
};

static int code_find(struct tx *t, struct exchange *x)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_find, "s", &r, x->hash);

	if (rc == 0)
		rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	x->user_id = row_int(r, 0);
	x->identity = row_int(r, 1);
	row_copy(r, 2, x->address, sizeof(x->address));
	row_copy(r, 3, x->challenge, sizeof(x->challenge));
	x->session_id = row_int(r, 4);
	x->expires = row_int(r, 5);
	return 0;
}

static bool verifier_fits(const struct exchange *x)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	char text[OAUTH_CHALLENGE_LEN + 1];

	SHA256((const uint8_t *)x->verifier, strlen(x->verifier), hash);
	base64url_encode(hash, sizeof(hash), text);
	return strlen(x->challenge) == OAUTH_CHALLENGE_LEN &&
	       secret_equal(text, x->challenge, OAUTH_CHALLENGE_LEN);
}

/* The code is in wrong hands: nothing that came of it goes on. */
static int code_burn(struct tx *t, struct exchange *x, const char *why)
{
	struct user u = {.username = ""};
	int r = tx_exec(t, sql_burn, "s", x->hash);
	bool news = r == 0 && tx_changes(t) > 0;

	x->fault = why;
	if (r == 0 && x->session_id)
		r = session_close(t, x->session_id, x->rq->now);
	news = news || (r == 0 && x->session_id && tx_changes(t) > 0);
	if (r == 0 && news)
		r = user_by_id(t, x->user_id, &u);
	if (r < 0 || !news)
		return r;
	struct request as = *x->rq;
	as.who = (struct principal){.kind = PRINCIPAL_NONE};
	return audit_object(
	    t, &as, "oauth.code-misused", "user", u.username, json_pack("{ss}", "why", why));
}

static int look_tx(struct tx *t, void *arg)
{
	struct exchange *x = arg;
	int r = code_find(t, x);

	x->fault = r == -ENOENT ? "no such code" : NULL;
	return r == -ENOENT ? 0 : r;
}

static int exchange_tx(struct tx *t, void *arg)
{
	struct exchange *x = arg;
	int r = look_tx(t, x);

	if (r < 0 || x->fault)
		return r;
	if (x->session_id)
		return code_burn(t, x, "used before");
	if (x->expires <= x->rq->now) {
		x->fault = "expired";
		return 0;
	}
	if (strcmp(x->address, x->redirect_uri) != 0)
		return code_burn(t, x, "another redirect_uri");
	if (!verifier_fits(x))
		return code_burn(t, x, "code_verifier");
	r = oauth_session(t, x->rq, x->user_id, x->identity, &x->session, &x->user);
	if (r == -EACCES) {
		x->fault = "the login was ended since";
		return tx_exec(t, sql_burn, "s", x->hash);
	}
	return r < 0 ? r : tx_exec(t, sql_use, "si", x->hash, x->session.id);
}

/* RFC 7636 §4.1 */
static bool verifier_valid(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._~";
	size_t n = s ? strlen(s) : 0;

	return n >= 43 && n <= 128 && strspn(s, allowed) == n;
}

void oauth_code_token(struct request *rq, struct reply *rp)
{
	struct exchange x = {.rq = rq};
	const char *client = request_form(rq, "client_id"), *code = request_form(rq, "code");

	x.redirect_uri = request_form(rq, "redirect_uri");
	x.verifier = request_form(rq, "code_verifier");
	if (!client || !code || !x.redirect_uri || !verifier_valid(x.verifier)) {
		oauth_bad(rq, rp, OAUTH_INVALID_REQUEST,
		    "client_id, code, redirect_uri or code_verifier");
		return;
	}
	if (strcmp(client, OAUTH_CLI) != 0) {
		oauth_bad(rq, rp, OAUTH_INVALID_CLIENT, "client_id");
		return;
	}
	sha256_hex(code, strlen(code), x.hash);
	/* Guesses have nothing to write. */
	int r = store_tx(rq->db, STORE_READ, look_tx, &x);
	if (r == 0 && !x.fault)
		r = store_tx(rq->db, STORE_WRITE, exchange_tx, &x);
	if (r < 0)
		oauth_errno(rq, rp, r);
	else if (x.fault)
		oauth_bad(rq, rp, OAUTH_INVALID_GRANT, x.fault);
	else
		oauth_session_reply(rq, rp, &x.session, &x.user);
	explicit_bzero(&x, sizeof(x));
}
