/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/encode.h"
#include "base/secret.h"
#include "browser.h"
#include "html.h"
#include "ratelimit.h"
#include "sso_flow_internal.h"
#include "sso_share.h"

static const char sql_sweep[] = "DELETE FROM sso_attempts WHERE expires_at < $1";
static const char sql_insert[] =
    "INSERT INTO sso_attempts (id, state_hash, browser_hash, connection_id, link_user, return_to,"
    " fresh, request_id, assertion, created_at, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
static const char sql_find[] =
    "SELECT id, link_user, created_at, return_to, fresh, request_id, assertion, browser_hash"
    " FROM sso_attempts WHERE state_hash = $1 AND connection_id = $2 AND expires_at > $3";
static const char sql_use[] = "DELETE FROM sso_attempts WHERE id = $1";
/* No hash of a state looks like that. */
static const char sql_use_link[] = "UPDATE sso_attempts SET state_hash = 'taken ' || id,"
				   " assertion = NULL WHERE id = $1";
static const char sql_spend[] = "DELETE FROM sso_attempts WHERE id = $1 AND link_user = $2";
static const char sql_fill[] = "UPDATE sso_attempts SET assertion = $2 WHERE id = $1"
			       " AND assertion IS NULL AND expires_at > $3";
static const char sql_seen_sweep[] = "DELETE FROM sso_seen WHERE expires_at < $1";
static const char sql_seen[] = "INSERT INTO sso_seen (connection_id, hash, expires_at)"
			       " VALUES ($1, $2, $3) ON CONFLICT (connection_id, hash) DO NOTHING";

/* ---- attempts -------------------------------------------------------------------------------- */

void sso_attempt_clear(struct sso_attempt *a)
{
	free(a->assertion);
	*a = (struct sso_attempt){0};
}

int sso_attempt_prepare(
    const struct request *rq, const struct sso_connection *c, struct sso_attempt *a)
{
	uint8_t secret[32];
	char text[BASE64URL_LEN(32) + 1];
	int r = secret_random(secret, sizeof(secret));

	if (r < 0)
		return r;
	base64url_encode(secret, sizeof(secret), text);
	a->id = store_new_id();
	a->connection = c->id;
	a->created_at = rq->now;
	snprintf(a->state, sizeof(a->state), "%lld.%s", (long long)a->id, text);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return 0;
}

int sso_attempt_insert(struct tx *t, const struct request *rq, const struct sso_attempt *a)
{
	char state[65], browser[65];
	int r = tx_exec(t, sql_sweep, "i", rq->now);

	sha256_hex(a->state, strlen(a->state), state);
	browser_hash(rq, browser);
	return r < 0 ? r
		     : tx_exec(t, sql_insert, "issiisissii", a->id, state, browser, a->connection,
			   a->link_user, a->return_to, (int64_t)a->fresh, a->request_id,
			   a->assertion, a->created_at, rq->now + SSO_ATTEMPT_SECONDS);
}

static int attempt_row(
    struct rows *r, const struct sso_connection *c, const char *state, struct sso_attempt *ret)
{
	struct sso_attempt a = {
	    .id = row_int(r, 0),
	    .connection = c->id,
	    .link_user = row_int(r, 1),
	    .created_at = row_int(r, 2),
	    .fresh = row_int(r, 4),
	};

	row_copy(r, 3, a.return_to, sizeof(a.return_to));
	row_copy(r, 5, a.request_id, sizeof(a.request_id));
	snprintf(a.state, sizeof(a.state), "%s", state);
	if (!row_null(r, 6) && !(a.assertion = strdup(row_text(r, 6))))
		return -ENOMEM;
	*ret = a;
	return 0;
}

/* "browser" NULL: whoever's it is. */
static int attempt_find(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *state, const char *browser, struct sso_attempt *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	char hash[65];

	if (!state || strlen(state) >= SSO_STATE_MAX)
		return -ENOENT;
	sha256_hex(state, strlen(state), hash);
	int n = tx_query(t, sql_find, "sii", &r, hash, c->id, rq->now);
	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	if (browser && strcmp(row_text(r, 7), browser) != 0)
		return -ENOENT;
	return attempt_row(r, c, state, ret);
}

int sso_attempt_take(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *state, struct sso_attempt *ret)
{
	char browser[65];

	browser_hash(rq, browser);
	int r = attempt_find(t, rq, c, state, browser, ret);
	return r < 0 ? r : tx_exec(t, ret->link_user ? sql_use_link : sql_use, "i", ret->id);
}

int sso_attempt_spend(struct tx *t, const struct sso_attempt *a)
{
	int r = tx_exec(t, sql_spend, "ii", a->id, a->link_user);

	return r < 0 ? r : tx_changes(t) == 1 ? 0 : -ESTALE;
}

int sso_attempt_peek(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *state, struct sso_attempt *ret)
{
	struct sso_attempt a;
	int r = attempt_find(t, rq, c, state, NULL, &a);

	if (r < 0)
		return r;
	if (a.assertion) {
		sso_attempt_clear(&a);
		return -ENOENT;
	}
	*ret = a;
	return 0;
}

int sso_attempt_fill(struct tx *t, const struct request *rq, int64_t id, const char *json)
{
	int r = tx_exec(t, sql_fill, "isi", id, json, rq->now);

	return r < 0 ? r : tx_changes(t) == 1 ? 0 : -ENOENT;
}

int sso_seen(struct tx *t, int64_t connection, const char *what, int64_t expires_at, int64_t now)
{
	char hash[65];
	int r = tx_exec(t, sql_seen_sweep, "i", now);

	sha256_hex(what, strlen(what), hash);
	if (r == 0)
		r = tx_exec(t, sql_seen, "isi", connection, hash, expires_at);
	return r < 0 ? r : tx_changes(t) == 1 ? 0 : -EEXIST;
}

/* ---- the beginning --------------------------------------------------------------------------- */

struct find {
	const char *slug;
	struct sso_connection *c;
};

static int find_tx(struct tx *t, void *arg)
{
	struct find *f = arg;
	struct sso_connection c;
	int r = sso_connection_find(t, f->slug, &c);

	if (r < 0)
		return r;
	sso_connection_clear(f->c);
	*f->c = c;
	return 0;
}

int sso_flow_connection(struct request *rq, enum sso_type type, struct sso_connection *ret)
{
	struct find f = {rq->arg[0], ret};
	int r = store_tx(rq->db, STORE_READ, find_tx, &f);

	if (r == 0 && (!ret->enabled || (type && ret->type != type)))
		r = -ENOENT;
	return r;
}

void sso_flow_no_connection(struct request *rq, struct reply *rp, int error)
{
	if (error != -ENOENT)
		reply_errno(rp, error);
	else
		page_error(rq, rp, 404, "There is no such login",
		    "This institution's login is not set up here, or is switched off.");
}

static bool limited(struct request *rq, struct reply *rp, enum ratelimit kind, bool take)
{
	char key[RATELIMIT_KEY_MAX];

	ratelimit_peer(rq->peer, key);
	unsigned wait = take ? ratelimit_take(kind, key) : ratelimit_check(kind, key);
	if (!wait)
		return false;
	rp->retry_after = wait;
	page_error(rq, rp, 429, "Too many attempts", "Wait %u seconds and try again.", wait);
	return true;
}

bool sso_flow_limited(struct request *rq, struct reply *rp, bool take)
{
	return limited(rq, rp, RATELIMIT_SSO_PEER, take);
}

struct start {
	struct request *rq;
	struct sso_connection c;
	struct sso_attempt a;
	const char *ticket;
};

static int start_tx(struct tx *t, void *arg)
{
	struct start *s = arg;
	int r = 0;

	if (s->ticket)
		r = sso_link_take(t, s->ticket, s->c.id, s->rq->now, &s->a.link_user);
	return r < 0 ? r : sso_attempt_insert(t, s->rq, &s->a);
}

/* What follows upon a form may not redirect to another origin. */
static void go(struct start *s, struct reply *rp, const char *url)
{
	if (s->rq->method == HTTP_GET) {
		reply_redirect(rp, url);
		reply_header(rp, "Referrer-Policy", "no-referrer");
	} else {
		page_go(s->rq, rp, "Taking you to your institution's login", url);
	}
	browser_set_new_cookies(s->rq, rp);
}

static void start(struct start *s, struct reply *rp)
{
	_cleanup_buf_ struct buf url = BUF_INIT(16384);
	struct sso_fault f = {.word = "start"};
	const struct sso_provider *p = s->c.type == SSO_OIDC ? &sso_oidc : &sso_saml;
	int r = p->start(s->rq, &s->c, &s->a, &url, &f);

	if (r == -EPROTO) {
		sso_flow_refuse(s->rq, rp, &s->c, f.word, f.detail);
		return;
	}
	if (r == 0)
		r = buf_error(&url);
	if (r == 0)
		r = store_tx(s->rq->db, STORE_WRITE, start_tx, s);
	if (r == -ENOENT)
		page_error(s->rq, rp, 410, "This link is used up",
		    "An address for linking an account is good once and for ten minutes: ask for "
		    "another one.");
	else if (r < 0)
		reply_errno(rp, r);
	else
		go(s, rp, buf_str(&url));
}

/* "get" is request_query() or request_form(). */
static void start_read(struct start *s, const char *(*get)(const struct request *, const char *))
{
	const char *fresh = get(s->rq, "fresh");

	s->ticket = get(s->rq, "link");
	s->a.fresh = fresh && strcmp(fresh, "1") == 0;
	snprintf(s->a.return_to, sizeof(s->a.return_to), "%s", return_path(get(s->rq, "return")));
}

static void begin(
    struct request *rq, struct reply *rp, const char *(*get)(const struct request *, const char *))
{
	struct start s = {.rq = rq};

	/* A campus may have one address, and all its people begin their day at the same time. */
	if (!rq->again && limited(rq, rp, RATELIMIT_SSO_START, true))
		return;
	int r = sso_flow_connection(rq, 0, &s.c);
	if (r == 0)
		r = sso_attempt_prepare(rq, &s.c, &s.a);
	start_read(&s, get);
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
	} else if (sso_share_take(rq, rp, s.c.org)) {
		start(&s, rp);
		sso_share_return(rq, s.c.org);
	}
	sso_attempt_clear(&s.a);
	sso_connection_clear(&s.c);
}

void sso_flow_start(struct request *rq, struct reply *rp)
{
	if (browser_came_itself(rq))
		begin(rq, rp, request_query);
	else
		sso_flow_ask(rq, rp);
}

void sso_flow_start_post(struct request *rq, struct reply *rp)
{
	begin(rq, rp, request_form);
}
