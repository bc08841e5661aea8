/* SPDX-License-Identifier: MIT */

/*
 * A device asks for a code (RFC 8628 §3.1). Threat model: a host MUST get codes only for people of
 * its own projects, and only for itself; whoever asks for many MUST make place from what they have
 * asked for themselves, before anybody else's codes are dropped.
 */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/num.h"
#include "central.h"
#include "host_audit.h"
#include "ratelimit.h"

struct start {
	struct request *rq;
	bool host;
	const char *username, *service, *origin, *nonce;
	int64_t life;
	struct oauth_secret device;
	char code[DEVICE_USER_CODE + 1], code_hash[65];
	int64_t user; /* of the transaction */
};

/* ---- what is asked for ----------------------------------------------------------------------- */

static bool word_valid(const char *s, size_t max, const char *more)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == max || !((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
				    (s[n] >= '0' && s[n] <= '9') || strchr(more, s[n])))
			return false;
	return true;
}

static bool nonce_valid(const char *s)
{
	uint8_t raw[LOGIN_NONCE_LEN];

	return s && hex_decode(s, strlen(s), raw, sizeof(raw)) == sizeof(raw);
}

/* For as long as the terminal waits, so that nobody approves what has ended there. */
static bool life_parse(struct start *s)
{
	const char *life = request_form(s->rq, "life");

	if (life && num_parse_i64(life, &s->life) < 0)
		return false;
	if (s->life < DEVICE_LIFE_MIN)
		s->life = DEVICE_LIFE_MIN;
	if (s->life > DEVICE_SECONDS)
		s->life = DEVICE_SECONDS;
	return true;
}

/* sshd's idea of an origin may be a name, or an address with a zone; a console has none. */
static bool host_parse(struct start *s)
{
	struct request *rq = s->rq;

	s->username = request_form(rq, "login_hint");
	s->service = request_form(rq, "service");
	s->origin = request_form(rq, "origin");
	s->nonce = request_form(rq, "nonce");
	if (!s->origin)
		s->origin = "";
	return s->username && username_valid(s->username) && s->service && s->service[0] &&
	       word_valid(s->service, DEVICE_SERVICE_MAX, "-_.") &&
	       word_valid(s->origin, DEVICE_ORIGIN_MAX, "-_.:%") && nonce_valid(s->nonce) &&
	       life_parse(s);
}

static bool start_parse(struct start *s, struct reply *rp)
{
	struct request *rq = s->rq;
	const char *client = request_form(rq, "client_id");

	s->username = s->service = s->nonce = "";
	s->origin = rq->peer ? rq->peer : "";
	s->life = DEVICE_SECONDS;
	if (!client) {
		oauth_error(rq, rp, OAUTH_INVALID_REQUEST, "no client_id");
		return false;
	}
	s->host = strcmp(client, OAUTH_HOST) == 0;
	if (!s->host && strcmp(client, OAUTH_CLI) != 0) {
		oauth_bad(rq, rp, OAUTH_INVALID_CLIENT, "client_id");
		return false;
	}
	if (s->host && rq->who.kind != PRINCIPAL_HOST) {
		oauth_bad(rq, rp, OAUTH_INVALID_CLIENT, "no access token of a host");
		return false;
	}
	if (s->host && !host_parse(s)) {
		oauth_error(
		    rq, rp, OAUTH_INVALID_REQUEST, "login_hint, service, origin, nonce or life");
		return false;
	}
	return true;
}

static bool start_affords(struct start *s, struct reply *rp)
{
	struct request *rq = s->rq;
	char peer[RATELIMIT_KEY_MAX], key[DEVICE_ORIGIN_MAX + 64];
	unsigned wait;

	ratelimit_peer(s->origin, peer);
	snprintf(key, sizeof(key), "%lld %s %s", (long long)rq->who.id, s->username, peer);
	wait = s->host ? ratelimit_take(RATELIMIT_DEVICE_LOGIN, key)
		       : ratelimit_take(RATELIMIT_DEVICE_PEER, peer);
	if (wait) {
		rp->retry_after = wait;
		oauth_error(rq, rp, OAUTH_TOO_MANY, "too many device codes");
	}
	return wait == 0;
}

/* ---- the row --------------------------------------------------------------------------------- */

static const char sql_sweep[] = "DELETE FROM device_codes WHERE expires_at < $1";
static const char sql_person[] = "SELECT u.id FROM users u JOIN memberships m ON m.user_id = u.id"
				 " JOIN host_projects hp ON hp.project_id = m.project_id"
				 " WHERE hp.host_id = $1 AND u.username = $2 AND u.state = 'active'"
				 " AND m.state <> 'removed' LIMIT 1";
static const char sql_own[] =
    "DELETE FROM device_codes WHERE host_id = $1 AND state = 'pending' AND username = $2"
    " AND origin = $3 AND id NOT IN (SELECT id FROM device_codes WHERE host_id = $1"
    " AND state = 'pending' AND username = $2 AND origin = $3 ORDER BY id DESC LIMIT $4)";
static const char sql_count[] =
    "SELECT COUNT(*) FROM device_codes WHERE host_id = $1 AND state = 'pending'";
/* The oldest of the origin that has most. */
static const char sql_crowd[] =
    "DELETE FROM device_codes WHERE id = (SELECT MIN(id) FROM device_codes WHERE host_id = $1"
    " AND state = 'pending' AND origin = (SELECT origin FROM device_codes WHERE host_id = $1"
    " AND state = 'pending' GROUP BY origin ORDER BY COUNT(*) DESC, MIN(id) LIMIT 1))";
static const char sql_insert[] =
    "INSERT INTO device_codes (id, device_hash, user_hash, host_id, user_id, username, service,"
    " origin, nonce, state, interval_s, created_at, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $11, $12)";

static int one_int(struct tx *t, const char *sql, int64_t id, const char *name, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = name ? tx_query(t, sql, "is", &r, id, name) : tx_query(t, sql, "i", &r, id);

	if (rc == 0)
		rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	*ret = row_int(r, 0);
	return 0;
}

/* A crowd that grew while the limit was another is worn off two at a time. */
static int make_room(struct tx *t, const struct start *s, int64_t host)
{
	int64_t pending = 0, max = s->host ? DEVICE_HOST_MAX : DEVICE_CLI_MAX;
	int r = tx_exec(t, sql_sweep, "i", s->rq->now - DEVICE_KEEP);

	if (r == 0 && s->host)
		r = tx_exec(t, sql_own, "issi", host, s->username, s->origin,
		    (int64_t)DEVICE_LOGIN_MAX - 1);
	if (r == 0)
		r = one_int(t, sql_count, host, NULL, &pending);
	for (int i = 0; r == 0 && i < 2 && pending - i >= max; i++)
		r = tx_exec(t, sql_crowd, "i", host);
	return r;
}

static int person_find(struct tx *t, struct start *s)
{
	int r = device_host_holds(t, s->rq);

	if (r <= 0)
		return r < 0 ? r : -EACCES;
	return one_int(t, sql_person, s->rq->who.id, s->username, &s->user);
}

/* Anybody can ask for a code of the command line, and the audit keeps every event for ever. */
static int start_audit(struct tx *t, const struct start *s)
{
	if (!s->host)
		return 0;
	return host_audit(t, s->rq, "device.begin", "user", s->username,
	    json_pack("{ss, ss, ss}", "host", s->rq->who.name, "service", s->service, "origin",
		s->origin));
}

static int start_tx(struct tx *t, void *arg)
{
	struct start *s = arg;
	int64_t host = s->host ? s->rq->who.id : 0, now = s->rq->now;
	int r = 0;

	s->user = 0;
	if (s->host)
		r = person_find(t, s);
	if (r == 0)
		r = make_room(t, s, host);
	if (r == 0)
		r = tx_exec(t, sql_insert, "issiissssiii", store_new_id(), s->device.hash,
		    s->code_hash, host, s->user, s->username, s->service, s->origin, s->nonce,
		    (int64_t)DEVICE_INTERVAL, now, now + s->life);
	return r < 0 ? r : start_audit(t, s);
}

/* Two people hardly ever get the same user code at the same time; then another one is made. */
static int start_run(struct start *s)
{
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < 3; i++) {
		r = oauth_secret_make("pdc_", &s->device);
		if (r == 0)
			r = device_user_code_make(s->code);
		if (r < 0)
			break;
		sha256_hex(s->code, DEVICE_USER_CODE, s->code_hash);
		r = store_tx(s->rq->db, STORE_WRITE, start_tx, s);
	}
	return r;
}

static void start_reply(struct start *s, struct reply *rp)
{
	const char *url = s->rq->central->config.url;
	char shown[DEVICE_SHOWN + 1];

	device_user_code_show(s->code, shown);
	json_t *o = json_pack("{s:s, s:s, s:I, s:i}", "device_code", s->device.text, "user_code",
	    shown, "expires_in", (json_int_t)s->life, "interval", DEVICE_INTERVAL);
	json_object_set_new(o, "verification_uri", json_sprintf("%s/device", url));
	json_object_set_new(
	    o, "verification_uri_complete", json_sprintf("%s/device?user_code=%s", url, shown));
	reply_json(rp, 200, o);
	explicit_bzero(shown, sizeof(shown));
}

void device_authorization(struct request *rq, struct reply *rp)
{
	struct start s = {.rq = rq};

	if (!start_parse(&s, rp) || !start_affords(&s, rp))
		return;
	int r = start_run(&s);
	if (r == -ENOENT)
		oauth_error(rq, rp, OAUTH_ACCESS_DENIED, "nobody of this host's projects");
	else if (r == -EACCES)
		oauth_error(rq, rp, OAUTH_INVALID_CLIENT, "the host was removed");
	else if (r < 0)
		oauth_errno(rq, rp, r);
	else
		start_reply(&s, rp);
	explicit_bzero(&s, sizeof(s));
}
