/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "host_feed.h"
#include "oidc_cache.h"
#include "secrets.h"
#include "sso_internal.h"

static const char sql_due[] =
    "SELECT i.id, i.connection_id, i.refresh_token FROM sso_identities i"
    " JOIN sso_connections c ON c.id = i.connection_id AND c.enabled = 1 AND c.type = 'oidc'"
    " WHERE i.refresh_due > 0 AND i.refresh_due <= $1 AND i.refresh_token IS NOT NULL"
    " ORDER BY CASE WHEN i.organization_id = $2 THEN 1 ELSE 0 END, i.refresh_due LIMIT 1";
static const char sql_same[] = "SELECT 1 FROM sso_identities WHERE id = $1 AND refresh_token = $2";
static const char sql_put[] = "UPDATE sso_identities SET refresh_token = $2, refresh_due = $3"
			      " WHERE id = $1 AND refresh_token = $4";
/* Everybody of a provider that does not answer waits. */
static const char sql_later[] =
    "UPDATE sso_identities SET refresh_due = $3"
    " WHERE connection_id = $1 AND refresh_due > 0 AND refresh_due < $2";

static const char sql_later_one[] = "UPDATE sso_identities SET refresh_due = $2 WHERE id = $1"
				    " AND refresh_due > 0";

#define TICK_MS	  2000
#define LATER_MAX 300 /* seconds until another try, at most */

struct refresher {
	struct central *central;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
};

/* One identity whose turn it is. */
struct due {
	struct request rq;
	int64_t identity;
	struct sso_connection c;
	int64_t slow_org; /* whose provider took its time the last time: others come first */
	char *sealed;	  /* as it stands in the database */
	struct buf token;
	const char *next; /* the token to use the next time */
	const char *why;  /* of an end */
	int64_t at;
};

static void due_clear(struct due *d)
{
	sso_connection_clear(&d->c);
	secret_free(d->sealed);
	d->sealed = NULL;
	buf_clear(&d->token);
}

static void due_release(struct due *d)
{
	due_clear(d);
	buf_free(&d->token);
}

int oidc_due(struct tx *t, int64_t now, int64_t slow_org, struct oidc_due *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_due, "ii", &r, now, slow_org);

	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	char *sealed = strdup(row_text(r, 2));
	if (!sealed)
		return -ENOMEM;
	*ret = (struct oidc_due){row_int(r, 0), row_int(r, 1), sealed};
	return 0;
}

/* -ENOENT: nobody's turn. A token that cannot be opened leaves the buffer empty. */
static int due_tx(struct tx *t, void *arg)
{
	struct due *d = arg;
	struct oidc_due next;

	due_clear(d);
	int r = oidc_due(t, d->rq.now, d->slow_org, &next);
	if (r < 0)
		return r;
	d->identity = next.identity;
	d->sealed = next.sealed;
	r = sso_connection_by_id(t, next.connection, &d->c);
	if (r < 0)
		return r;
	r = secret_open(d->rq.central->secrets, t, d->c.org, "sso_identities.refresh_token",
	    d->identity, d->sealed, &d->token);
	return r == -EIO || r == -ENOMEM ? r : 0;
}

/* ---- what comes of it ------------------------------------------------------------------------ */

/* Whether nobody has logged in by this identity meanwhile: then what was asked is of the past. */
static int same(struct tx *t, const struct due *d)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_same, "is", &r, d->identity, d->sealed);

	return n < 0 ? n : rows_next(r);
}

static int end_tx(struct tx *t, void *arg)
{
	struct due *d = arg;
	int r = same(t, d);

	return r <= 0 ? r : sso_end(t, &d->rq, d->identity, d->why);
}

static int keep_tx(struct tx *t, void *arg)
{
	struct due *d = arg;
	_cleanup_buf_ struct buf sealed = BUF_INIT(2 * OIDC_TOKEN_MAX);
	int r = sso_seal(
	    t, &d->rq, d->c.org, "sso_identities.refresh_token", d->identity, d->next, &sealed);

	return r < 0 ? r
		     : tx_exec(t, sql_put, "isis", d->identity, buf_str(&sealed), d->at, d->sealed);
}

static int later_tx(struct tx *t, void *arg)
{
	struct due *d = arg;

	return tx_exec(t, sql_later, "iii", d->c.id, d->at, d->at);
}

static int later_one_tx(struct tx *t, void *arg)
{
	struct due *d = arg;

	return tx_exec(t, sql_later_one, "ii", d->identity, d->at);
}

static int settle(struct due *d, int (*fn)(struct tx *, void *))
{
	int r = store_tx(d->rq.db, STORE_WRITE, fn, d);

	feed_wake_all(d->rq.central);
	return r;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int ask(struct due *d, struct oidc_tokens *ret, struct oidc_fault *f)
{
	_cleanup_buf_ struct buf form = BUF_INIT(65536);
	struct oidc_metadata m;
	int r = oidc_metadata(d->rq.central, &d->c, &m, f);

	if (r < 0)
		return r;
	http_form_add(&form, "grant_type", "refresh_token");
	http_form_add(&form, "refresh_token", buf_str(&d->token));
	return oidc_grant(&d->rq, &d->c, &m, &form, ret, f);
}

static bool concerns_all(const struct oidc_fault *f)
{
	return f->word &&
	       (strncmp(f->word, "provider_", 9) == 0 || strncmp(f->word, "discovery_", 10) == 0);
}

/* Trouble ends nothing: the provider has not said anything about the person. */
static int put_off(struct due *d, int error, const struct oidc_fault *f)
{
	int64_t every = d->rq.central->config.sso_refresh;

	log_event(LOG_LEVEL_WARN, "oidc_refresh", "connection", "%s", d->c.slug, "fault", "%s",
	    f->word ? f->word : strerror(-error), "reason", "%s", f->detail, NULL);
	d->at = d->rq.now + (every < LATER_MAX ? every : LATER_MAX);
	return settle(d, concerns_all(f) ? later_tx : later_one_tx);
}

static int refresh_one(struct due *d)
{
	_cleanup_oidc_tokens_ struct oidc_tokens tokens = {NULL};
	struct oidc_fault f = {NULL};
	int64_t began = clock_mono_ms();
	int r = d->token.len ? ask(d, &tokens, &f)
			     : oidc_fail(&f, "refresh_token", "it cannot be opened");

	if (clock_mono_ms() - began > OIDC_SLOW_MS)
		d->slow_org = d->c.org;

	d->rq.now = clock_now();
	if (r == -EKEYREJECTED) {
		d->why = "the provider refused to renew the login";
		return settle(d, end_tx);
	}
	if (r == 0) {
		d->next = tokens.refresh_token ? tokens.refresh_token : buf_str(&d->token);
		d->at = d->rq.now + d->rq.central->config.sso_refresh;
		r = settle(d, keep_tx);
	}
	return r < 0 ? put_off(d, r, &f) : 0;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool stopping(struct refresher *f)
{
	pthread_mutex_lock(&f->lock);
	bool stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

/* False when it is time to end. */
static bool pause_for(struct refresher *f, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&f->lock);
	if (!f->stop)
		pthread_cond_timedwait(&f->wake, &f->lock, &until);
	bool stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return !stop;
}

/* Everybody whose turn it is; those that cannot even be put off come again after a pause. */
static void round_run(struct refresher *f, struct store *db)
{
	_cleanup_(due_release) struct due d = {.identity = 0};

	buf_init(&d.token, OIDC_TOKEN_MAX + 1);
	while (!stopping(f)) {
		d.rq = (struct request){.central = f->central, .db = db, .now = clock_now()};
		int r = store_tx(db, STORE_READ, due_tx, &d);
		if (r == 0)
			r = refresh_one(&d);
		if (r < 0 && r != -ENOENT)
			log_event(
			    LOG_LEVEL_ERROR, "oidc_refresh", "reason", "%s", strerror(-r), NULL);
		if (r < 0)
			return;
	}
}

static void *refresher_main(void *arg)
{
	struct refresher *f = arg;
	_cleanup_store_ struct store *db = NULL;
	int r = store_open(f->central->config.database, &db);

	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "oidc_refresh", "reason", "%s", strerror(-r), NULL);
		return NULL;
	}
	while (pause_for(f, TICK_MS))
		round_run(f, db);
	return NULL;
}

static void refresher_free(struct refresher *f)
{
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int refresher_start(struct central *c, struct refresher **ret)
{
	struct refresher *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;

	if (!f)
		return -ENOMEM;
	f->central = c;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->wake, &attr);
	pthread_condattr_destroy(&attr);
	int r = -pthread_create(&f->thread, NULL, refresher_main, f);
	if (r < 0)
		refresher_free(f);
	else
		*ret = f;
	return r;
}

int oidc_start(struct central *c)
{
	return oidc_cache_new(&c->oidc);
}

int oidc_refresh_start(struct central *c)
{
	return c->config.sso_refresh > 0 ? refresher_start(c, &c->oidc->refresher) : 0;
}

void oidc_refresh_stop(struct central *c)
{
	struct refresher *f = c->oidc ? c->oidc->refresher : NULL;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	refresher_free(f);
	c->oidc->refresher = NULL;
}

void oidc_stop(struct central *c)
{
	oidc_refresh_stop(c);
	oidc_cache_free(c->oidc);
	c->oidc = NULL;
}
