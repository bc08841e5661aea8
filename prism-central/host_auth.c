/* SPDX-License-Identifier: MIT */

/*
 * Hosts prove who they are by a signed assertion (RFC 7523 §2.2) and get an access token for an
 * hour. Threat model: the key MUST be the one enrolled for the host that the assertion names, never
 * one that the assertion brings; an assertion MUST be for this service, recent, short-lived and
 * used once; a removed host MUST be refused at once, whatever it still holds; who asks learns
 * nothing from an error but that it failed.
 */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "api/jws.h"
#include "audit.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/secret.h"
#include "central.h"
#include "domain.h"
#include "host_feed.h"
#include "host_name.h"
#include "ratelimit.h"

#define ASSERTION_SECONDS 300
#define ASSERTION_SKEW	  60
#define TOKEN_SECONDS	  3600
#define TOKENS_PER_HOST	  8
#define TOKEN_RANDOM	  32

#define GRANT_TYPE     "client_credentials"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* ---- access tokens --------------------------------------------------------------------------- */

static const char sql_load[] =
    "SELECT t.id, h.id, h.name FROM host_tokens t JOIN hosts h ON h.id = t.host_id"
    " WHERE t.token_hash = $1 AND t.expires_at > $2 AND h.state = 'enrolled'";

struct load {
	struct request *rq;
	char hash[65];
};

static int load_tx(struct tx *t, void *arg)
{
	struct load *l = arg;
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_load, "si", &r, l->hash, l->rq->now);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EACCES;
	struct principal *who = &l->rq->who;
	*who = (struct principal){.kind = PRINCIPAL_HOST};
	who->credential = row_int(r, 0);
	who->id = row_int(r, 1);
	row_copy(r, 2, who->name, sizeof(who->name));
	return 0;
}

int host_principal_load(struct request *rq, const char *bearer)
{
	struct load l = {.rq = rq};

	if (strlen(bearer) != strlen(HOST_TOKEN_PREFIX) + BASE64URL_LEN(TOKEN_RANDOM))
		return -EACCES;
	sha256_hex(bearer, strlen(bearer), l.hash);
	return store_tx(rq->db, STORE_READ, load_tx, &l);
}

/* ---- the assertion --------------------------------------------------------------------------- */

struct grant {
	struct request *rq;
	struct jws jws;
	int64_t host, issued, expires;
	char jti_hash[65];
	/* of the transactions */
	uint8_t key[JWS_KEY_LEN];
	char token[sizeof(HOST_TOKEN_PREFIX) + BASE64URL_LEN(TOKEN_RANDOM)];
	char token_hash[65];
};

/* NULL, or what is wrong, for the log. */
static const char *assertion_times(struct grant *g)
{
	int64_t now = g->rq->now, not_before;

	if (jws_int(&g->jws, "iat", &g->issued) < 0 || jws_int(&g->jws, "exp", &g->expires) < 0)
		return "iat or exp is missing";
	if (g->issued < 0 || g->issued > now + ASSERTION_SKEW)
		return "issued in the future";
	if (g->expires <= g->issued || g->expires > g->issued + ASSERTION_SECONDS)
		return "lasts too long";
	if (g->expires + ASSERTION_SKEW <= now)
		return "expired";
	if (!json_object_get(g->jws.claims, "nbf"))
		return NULL;
	if (jws_int(&g->jws, "nbf", &not_before) < 0 || not_before > now + ASSERTION_SKEW)
		return "not valid yet";
	return NULL;
}

static const char *assertion_claims(struct grant *g)
{
	const struct jws *j = &g->jws;
	const char *typ = json_string_value(json_object_get(j->header, "typ"));
	const char *iss = jws_str(j, "iss", HOST_ID_HEX), *sub = jws_str(j, "sub", HOST_ID_HEX);
	const char *aud = jws_str(j, "aud", sizeof(g->rq->central->config.url) + 16);
	const char *jti = jws_str(j, "jti", 128);
	char want[sizeof(g->rq->central->config.url) + 16];

	if (typ && strcmp(typ, "JWT") != 0)
		return "not an assertion";
	if (!iss || !sub || strcmp(iss, sub) != 0)
		return "iss and sub are not the host";
	g->host = host_id_parse(iss);
	if (!g->host)
		return "no host's id";
	snprintf(want, sizeof(want), "%s/oauth2/token", g->rq->central->config.url);
	if (!aud || strcmp(aud, want) != 0)
		return "for another audience";
	if (!jti || strlen(jti) < 16)
		return "no jti";
	sha256_hex(jti, strlen(jti), g->jti_hash);
	return assertion_times(g);
}

static const char sql_key[] = "SELECT public_key FROM hosts WHERE id = $1 AND state = 'enrolled'";

static int key_tx(struct tx *t, void *arg)
{
	struct grant *g = arg;
	_cleanup_rows_ struct rows *r = NULL;
	int64_t epoch, started;

	/* What was used between the backup and its restoration is not known: refuse all of it. */
	int rc = feed_epoch_load(t, &epoch, &started);
	if (rc < 0)
		return rc;
	if (started && g->issued < started)
		return -ESTALE;
	rc = tx_query(t, sql_key, "i", &r, g->host);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	const char *hex = row_text(r, 0);
	if (!hex || hex_decode(hex, strlen(hex), g->key, sizeof(g->key)) != sizeof(g->key))
		return -EIO;
	return 0;
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static const char sql_prune_jti[] = "DELETE FROM host_assertions WHERE expires_at <= $1";
static const char sql_jti[] =
    "INSERT INTO host_assertions (host_id, jti_hash, expires_at) VALUES ($1, $2, $3)";
static const char sql_prune[] = "DELETE FROM host_tokens WHERE expires_at <= $1";
static const char sql_crowd[] =
    "DELETE FROM host_tokens WHERE host_id = $1 AND id NOT IN"
    " (SELECT id FROM host_tokens WHERE host_id = $1 ORDER BY id DESC LIMIT $2)";
static const char sql_token[] =
    "INSERT INTO host_tokens (id, host_id, token_hash, expires_at) VALUES ($1, $2, $3, $4)";
static const char sql_seen[] =
    "UPDATE hosts SET last_seen = $1 WHERE id = $2 AND state = 'enrolled'";
static const char sql_name[] = "SELECT name FROM hosts WHERE id = $1";

static int who_set(struct tx *t, struct grant *g)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_name, "i", &r, g->host);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	g->rq->who = (struct principal){.kind = PRINCIPAL_HOST, .id = g->host};
	row_copy(r, 0, g->rq->who.name, sizeof(g->rq->who.name));
	return 0;
}

static int grant_tx(struct tx *t, void *arg)
{
	struct grant *g = arg;
	int64_t now = g->rq->now;

	int r = tx_exec(t, sql_seen, "ii", now, g->host);
	if (r == 0 && tx_changes(t) != 1)
		return -ENOENT;
	if (r == 0)
		r = tx_exec(t, sql_prune_jti, "i", now);
	if (r == 0)
		r = tx_exec(
		    t, sql_jti, "isi", g->host, g->jti_hash, g->expires + ASSERTION_SKEW + 1);
	if (r == 0)
		r = tx_exec(t, sql_prune, "i", now);
	if (r == 0)
		r = tx_exec(t, sql_crowd, "ii", g->host, (int64_t)TOKENS_PER_HOST - 1);
	if (r == 0)
		r = tx_exec(t, sql_token, "iisi", store_new_id(), g->host, g->token_hash,
		    now + TOKEN_SECONDS);
	if (r == 0)
		r = who_set(t, g);
	if (r < 0)
		return r;
	return audit_object(t, g->rq, "host.authenticate", "host", g->rq->who.name, NULL);
}

static int token_new(struct grant *g)
{
	uint8_t raw[TOKEN_RANDOM];
	size_t n = strlen(HOST_TOKEN_PREFIX);
	int r = secret_random(raw, sizeof(raw));

	if (r < 0)
		return r;
	memcpy(g->token, HOST_TOKEN_PREFIX, n);
	base64url_encode(raw, sizeof(raw), g->token + n);
	explicit_bzero(raw, sizeof(raw));
	sha256_hex(g->token, strlen(g->token), g->token_hash);
	return 0;
}

static void refuse(const struct request *rq, struct reply *rp, const char *error, const char *why)
{
	log_event(LOG_LEVEL_WARN, "host-refused", "peer", "%s", rq->peer ? rq->peer : "", "why",
	    "%s", why, NULL);
	int status = strcmp(error, "invalid_client") == 0 ? 401
		     : strcmp(error, "slow_down") == 0	  ? 429
							  : 400;
	reply_json(rp, status, json_pack("{s:s}", "error", error));
}

static const char *grant_errno(int r)
{
	switch (r) {
	case -ENOENT:
		return "no such host";
	case -EEXIST:
		return "assertion used before";
	case -ESTALE:
		return "assertion older than the restored database";
	case -EKEYREJECTED:
		return "signature";
	default:
		return NULL;
	}
}

#define HOST_KEY_MAX 24

static void host_key(const struct grant *g, char out[static HOST_KEY_MAX])
{
	snprintf(out, HOST_KEY_MAX, "%lld", (long long)g->host);
}

/*
 * Counted once the key has been proven: by address, hosts behind one would hurt each other, and by
 * a host's name alone anybody could use up its share.
 */
static bool grant_affords(struct grant *g, struct reply *rp)
{
	char key[HOST_KEY_MAX];

	host_key(g, key);
	unsigned wait = ratelimit_take(RATELIMIT_ACCESS_HOST, key);
	if (wait) {
		refuse(g->rq, rp, "slow_down", "too many access tokens");
		rp->retry_after = wait;
	}
	return wait == 0;
}

/* One that was sent before: whoever has overheard it has not the key. */
static void grant_return(const struct grant *g)
{
	char key[HOST_KEY_MAX];

	host_key(g, key);
	ratelimit_return(RATELIMIT_ACCESS_HOST, key);
}

static void grant_run(struct grant *g, struct reply *rp)
{
	int r = store_tx(g->rq->db, STORE_READ, key_tx, g);

	if (r == 0)
		r = jws_check(&g->jws, g->key);
	if (r == 0 && !grant_affords(g, rp))
		return;
	if (r == 0)
		r = token_new(g);
	if (r == 0)
		r = store_tx(g->rq->db, STORE_WRITE, grant_tx, g);
	if (r == -EEXIST)
		grant_return(g);
	const char *why = grant_errno(r);
	if (why)
		refuse(g->rq, rp, "invalid_client", why);
	else if (r < 0)
		reply_errno(rp, r);
	else
		reply_json(rp, 200,
		    json_pack("{s:s, s:s, s:i}", "access_token", g->token, "token_type", "Bearer",
			"expires_in", TOKEN_SECONDS));
	explicit_bzero(g->token, sizeof(g->token));
}

void host_oauth_token(struct request *rq, struct reply *rp)
{
	const char *grant = request_form(rq, "grant_type");
	const char *type = request_form(rq, "client_assertion_type");
	const char *assertion = request_form(rq, "client_assertion");
	struct grant g = {.rq = rq};

	if (!grant) {
		refuse(rq, rp, "invalid_request", "no grant_type");
		return;
	}
	if (strcmp(grant, GRANT_TYPE) != 0) {
		refuse(rq, rp, "unsupported_grant_type", "grant_type");
		return;
	}
	if (!type || strcmp(type, ASSERTION_TYPE) != 0 || !assertion) {
		refuse(rq, rp, "invalid_client", "no assertion");
		return;
	}
	if (jws_parse(assertion, strlen(assertion), &g.jws) < 0) {
		refuse(rq, rp, "invalid_client", "malformed assertion");
		return;
	}
	const char *fault = assertion_claims(&g);
	if (fault)
		refuse(rq, rp, "invalid_client", fault);
	else
		grant_run(&g, rp);
	jws_clear(&g.jws);
}
