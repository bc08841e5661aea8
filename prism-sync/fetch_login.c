/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "feed/login.h"
#include "fetch_device.h"
#include "fetch_login.h"
#include "net_wait.h"

enum {
	WORKERS_MAX = 2,
	ERRANDS_MAX = 1024,
	WAIT_SECONDS = 25,
	QUICK_MS = 200,
	WATCH_FIRST = 200,
	WATCH_MAX = 10000,
	REDEEM_FIRST = 1000,
	REDEEM_MAX = 30000,
	SLOWER_MS = 5000, /* RFC 8628 §3.5 */
};

enum errand_state {
	ERRAND_BEGIN,
	ERRAND_BEGINS,
	ERRAND_WAITS,
	ERRAND_REDEEMS,
	ERRAND_END, /* nobody waits any more: the service is to be told */
	ERRAND_ENDS,
};

struct errand {
	struct errand *next;
	uint64_t handle;
	enum errand_state state;
	bool given_up; /* while a worker had it */
	uint32_t life_s;
	char user[USERNAME_MAX + 1], service[AGENT_SERVICE_MAX + 1], origin[AGENT_ORIGIN_MAX + 1];
	char nonce[HEX_LEN(LOGIN_NONCE_LEN) + 1];
	char code[DEVICE_CODE_MAX + 1];
	uint8_t hash[FEED_DIGEST_LEN];
	int64_t not_before; /* monotonic ms: when to redeem; its end, until it is answered */
	int64_t interval, delay;
};

struct fetch_login {
	struct fetch_login_site site;
	pthread_mutex_t lock; /* of everything below; never held during a request */
	pthread_cond_t changed;
	struct errand *errands; /* in the order in which they came */
	size_t n;
	int workers, idle;
	bool ending;  /* a worker tells the service of an end */
	bool watched; /* the watcher runs */
	bool poke;    /* the service answers, so it need not wait any longer */
};

/* ---- to the root half ------------------------------------------------------------------------ */

static void send_begun(
    struct fetch_login *f, uint64_t handle, int rc, const char *why, const struct device *d)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	wire_put_u64(&b, handle);
	wire_put_u32(&b, (uint32_t)rc);
	wire_put_str(&b, why);
	if (rc == 0) {
		wire_put_str(&b, d->url);
		wire_put_str(&b, d->url_complete);
		wire_put_str(&b, d->user_code);
	}
	f->site.send(f->site.arg, LINK_LOGIN_BEGUN, &b);
}

static void send_done(struct fetch_login *f, uint64_t handle, int rc, const struct buf *statement)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX + 64);

	wire_put_u64(&b, handle);
	wire_put_u32(&b, (uint32_t)rc);
	if (rc == 0) {
		wire_put_u16(&b, (uint16_t)statement->len);
		buf_add(&b, statement->data, statement->len);
	}
	f->site.send(f->site.arg, LINK_LOGIN_DONE, &b);
}

/* ---- the list; its lock is held -------------------------------------------------------------- */

static struct errand *errand_find(struct fetch_login *f, uint64_t handle)
{
	struct errand *e = f->errands;

	while (e != NULL && e->handle != handle)
		e = e->next;
	return e;
}

static bool errand_remove(struct fetch_login *f, uint64_t handle)
{
	for (struct errand **at = &f->errands; *at != NULL; at = &(*at)->next) {
		struct errand *e = *at;

		if (e->handle != handle)
			continue;
		*at = e->next;
		f->n--;
		explicit_bzero(e, sizeof(*e));
		free(e);
		return true;
	}
	return false;
}

static bool anybody_waits(const struct fetch_login *f)
{
	for (const struct errand *e = f->errands; e != NULL; e = e->next)
		if (e->state == ERRAND_WAITS || e->state == ERRAND_REDEEMS)
			return true;
	return false;
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Something to do now, or NULL and the time of the next. Who stands at the door comes first. */
static struct errand *next_errand(struct fetch_login *f, int64_t now, int64_t *ret_next)
{
	struct errand *due = NULL, *end = NULL;

	*ret_next = INT64_MAX;
	for (struct errand *e = f->errands; e != NULL; e = e->next) {
		if (e->state == ERRAND_BEGIN)
			return e;
		if (e->state == ERRAND_END && !f->ending && end == NULL)
			end = e;
		if (e->state != ERRAND_WAITS)
			continue;
		if (e->not_before <= now && due == NULL)
			due = e;
		if (e->not_before < *ret_next)
			*ret_next = e->not_before;
	}
	return due != NULL ? due : end;
}

static enum errand_state taken(enum errand_state s)
{
	return s == ERRAND_BEGIN ? ERRAND_BEGINS : s == ERRAND_END ? ERRAND_ENDS : ERRAND_REDEEMS;
}

static void take_errand(struct fetch_login *f, struct errand *ret)
{
	struct errand *e;
	int64_t next;

	pthread_mutex_lock(&f->lock);
	while ((e = next_errand(f, clock_mono_ms(), &next)) == NULL) {
		f->idle++;
		if (next == INT64_MAX)
			pthread_cond_wait(&f->changed, &f->lock);
		else
			net_wait_ms(&f->changed, &f->lock, next - clock_mono_ms());
		f->idle--;
	}
	e->state = taken(e->state);
	f->ending = f->ending || e->state == ERRAND_ENDS;
	*ret = *e;
	pthread_mutex_unlock(&f->lock);
}

static bool drop_errand(struct fetch_login *f, uint64_t handle)
{
	pthread_mutex_lock(&f->lock);
	const bool was = errand_remove(f, handle);

	pthread_mutex_unlock(&f->lock);
	return was;
}

static void keep_device(struct fetch_login *f, uint64_t handle, const struct device *d)
{
	pthread_mutex_lock(&f->lock);
	struct errand *e = errand_find(f, handle);

	if (e != NULL) {
		memcpy(e->code, d->code, sizeof(e->code));
		feed_hash(d->code, strlen(d->code), e->hash);
		e->interval = d->interval_s * 1000;
		e->not_before = clock_mono_ms() + d->expires_s * 1000;
		e->state = e->given_up ? ERRAND_END : ERRAND_WAITS;
		f->poke = true;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
}

/* The root half hears of it before anybody can have approved it. */
static void run_begin(struct fetch_login *f, struct central *c, const struct errand *e)
{
	const struct device_login l = {e->user, e->service, e->origin, e->nonce, e->life_s};
	struct central_answer a = {.date = 0};
	struct device d;
	const int rc = device_begin(c, &l, &d, &a);

	if (rc < 0) {
		if (drop_errand(f, e->handle))
			send_begun(f, e->handle, rc == -ENOENT || rc == -EUSERS ? rc : -ENETUNREACH,
			    a.why, NULL);
		return;
	}
	send_begun(f, e->handle, 0, "", &d);
	keep_device(f, e->handle, &d);
	explicit_bzero(&d, sizeof(d));
}

static void try_again(struct fetch_login *f, uint64_t handle, int rc)
{
	pthread_mutex_lock(&f->lock);
	struct errand *e = errand_find(f, handle);

	if (e != NULL) {
		int64_t delay = e->interval;

		if (rc == -EBUSY)
			delay = e->interval += SLOWER_MS;
		if (rc != -EBUSY && rc != -EINPROGRESS) {
			e->delay = e->delay == 0 ? REDEEM_FIRST : e->delay * 2;
			e->delay = e->delay > REDEEM_MAX ? REDEEM_MAX : e->delay;
			delay = net_wait_jitter(e->delay);
		}
		e->not_before = clock_mono_ms() + delay;
		e->state = e->given_up ? ERRAND_END : ERRAND_WAITS;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
}

static void run_redeem(struct fetch_login *f, struct central *c, const struct errand *e)
{
	static const struct {
		int rc, done;
	} ends[] = {{0, 0}, {-EPERM, -EACCES}, {-ETIMEDOUT, -ETIMEDOUT}, {-ENOKEY, -ETIMEDOUT},
	    {-EACCES, -ENETUNREACH}, {-EINVAL, -ENETUNREACH}};
	_cleanup_buf_ struct buf statement = BUF_INIT(LOGIN_MAX);
	struct central_answer a = {.date = 0};
	const int rc = device_redeem(c, e->code, &statement, &a);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (rc != ends[i].rc)
			continue;
		if (drop_errand(f, e->handle))
			send_done(f, e->handle, ends[i].done, &statement);
		return;
	}
	try_again(f, e->handle, rc);
}

/* Codes end by themselves as well, so a service that gives no answer is not asked about the next.
 */
static void forget_ends(struct fetch_login *f)
{
	for (struct errand *e = f->errands, *next; e != NULL; e = next) {
		next = e->next;
		if (e->state == ERRAND_END)
			errand_remove(f, e->handle);
	}
}

static void run_end(struct fetch_login *f, struct central *c, const struct errand *e)
{
	struct central_answer a = {.date = 0};

	const int rc = device_end(c, e->code, &a);

	pthread_mutex_lock(&f->lock);
	errand_remove(f, e->handle);
	if (rc < 0)
		forget_ends(f);
	f->ending = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void *worker(void *arg)
{
	struct fetch_login *f = arg;
	const struct fetch_login_site *s = &f->site;
	struct central *c = NULL;

	if (central_new(s->config, s->identity, s->token, s->token_lock, CENTRAL_QUICK, &c) < 0)
		_exit(1);
	for (;;) {
		struct errand e;

		take_errand(f, &e);
		if (e.state == ERRAND_BEGINS)
			run_begin(f, c, &e);
		else if (e.state == ERRAND_ENDS)
			run_end(f, c, &e);
		else
			run_redeem(f, c, &e);
		explicit_bzero(&e, sizeof(e));
	}
	return NULL;
}

/* ---- the watcher ----------------------------------------------------------------------------- */

struct watch {
	struct fetch_login *login;
	size_t ours;
};

static void take_answered(void *arg, const uint8_t hash[32])
{
	struct watch *w = arg;
	struct fetch_login *f = w->login;

	pthread_mutex_lock(&f->lock);
	for (struct errand *e = f->errands; e != NULL; e = e->next) {
		if (e->state != ERRAND_WAITS || memcmp(e->hash, hash, sizeof(e->hash)) != 0)
			continue;
		e->not_before = clock_mono_ms();
		w->ours++;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
}

/* Whoever waits when this host is not the service's any more waits for nothing. */
static void fail_all(struct fetch_login *f)
{
	for (;;) {
		uint64_t handle = 0;

		pthread_mutex_lock(&f->lock);
		for (struct errand *e = f->errands; e != NULL; e = e->next)
			if (e->state == ERRAND_WAITS)
				handle = e->handle;
		if (handle != 0)
			errand_remove(f, handle);
		pthread_mutex_unlock(&f->lock);
		if (handle == 0)
			return;
		send_done(f, handle, -ENETUNREACH, NULL);
	}
}

/* True: nobody has waited for a while, so what was answered before is to be asked for again. */
static bool watch_idle(struct fetch_login *f)
{
	bool idle = false;

	pthread_mutex_lock(&f->lock);
	while (!anybody_waits(f)) {
		idle = true;
		pthread_cond_wait(&f->changed, &f->lock);
	}
	f->poke = false;
	pthread_mutex_unlock(&f->lock);
	return idle;
}

static void watch_back_off(struct fetch_login *f, int64_t ms)
{
	const int64_t end = clock_mono_ms() + net_wait_jitter(ms);
	int64_t left;

	pthread_mutex_lock(&f->lock);
	while (!f->poke && (left = end - clock_mono_ms()) > 0)
		net_wait_ms(&f->changed, &f->lock, left);
	pthread_mutex_unlock(&f->lock);
}

static void *watcher(void *arg)
{
	struct watch w = {.login = arg};
	const struct fetch_login_site *s = &w.login->site;
	struct central *c = NULL;
	int64_t after = 0, delay = WATCH_FIRST;

	if (central_new(s->config, s->identity, s->token, s->token_lock, CENTRAL_PATIENT, &c) < 0)
		_exit(1);
	for (;;) {
		struct central_answer a = {.date = 0};

		if (watch_idle(w.login))
			after = 0;
		const int64_t start = clock_mono_ms();

		w.ours = 0;
		const int rc = device_answered(c, WAIT_SECONDS, &after, take_answered, &w, &a);

		if (rc == -EACCES)
			fail_all(w.login);
		/* Whoever answers next may be another service, or one restored from a backup. */
		if (rc < 0)
			after = 0;
		if (rc == 0 && (w.ours > 0 || clock_mono_ms() - start >= QUICK_MS)) {
			delay = WATCH_FIRST;
			continue;
		}
		watch_back_off(w.login, delay);
		delay = delay * 2 > WATCH_MAX ? WATCH_MAX : delay * 2;
	}
	return NULL;
}

/* ---- what the root half says ----------------------------------------------------------------- */

int fetch_login_new(const struct fetch_login_site *site, struct fetch_login **ret)
{
	struct fetch_login *f = calloc(1, sizeof(*f));

	if (f == NULL || net_wait_init(&f->lock, &f->changed) < 0) {
		free(f);
		return -ENOMEM;
	}
	f->site = *site;
	*ret = f;
	return 0;
}

/* The service takes letters, digits and what addresses and names are made of. */
static void plain(char *s)
{
	static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.:%";

	while (*(s += strspn(s, taken)) != '\0')
		*s++ = '_';
}

static struct errand *read_errand(struct wire *w)
{
	_cleanup_free_ struct errand *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->handle = wire_u64(w);
	wire_str(w, e->user, sizeof(e->user));
	wire_str(w, e->service, sizeof(e->service));
	wire_str(w, e->origin, sizeof(e->origin));
	const uint8_t *nonce = wire_bytes(w, LOGIN_NONCE_LEN);

	e->life_s = wire_u32(w) / 1000;
	if (!wire_done(w))
		return NULL;
	hex_encode(nonce, LOGIN_NONCE_LEN, e->nonce);
	plain(e->service);
	plain(e->origin);
	return TAKE_PTR(e);
}

static void append(struct fetch_login *f, struct errand *e)
{
	struct errand **at = &f->errands;

	while (*at != NULL)
		at = &(*at)->next;
	*at = e;
	f->n++;
}

static bool take_start(struct fetch_login *f, struct errand *e)
{
	pthread_mutex_lock(&f->lock);
	if (!f->watched)
		f->watched = net_wait_thread(watcher, f) == 0;
	if (f->idle == 0 && f->workers < WORKERS_MAX && net_wait_thread(worker, f) == 0)
		f->workers++;
	const bool ok = f->watched && f->workers > 0 && f->n < ERRANDS_MAX;

	if (ok)
		append(f, e);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return ok;
}

static void give_up(struct fetch_login *f, uint64_t handle)
{
	pthread_mutex_lock(&f->lock);
	struct errand *e = errand_find(f, handle);

	if (e != NULL && (e->state == ERRAND_BEGIN || f->n > ERRANDS_MAX / 2)) {
		errand_remove(f, handle);
	} else if (e != NULL) {
		e->given_up = true;
		if (e->state == ERRAND_WAITS)
			e->state = ERRAND_END;
		/* So that one is left for those who wait. */
		if (f->workers < WORKERS_MAX && net_wait_thread(worker, f) == 0)
			f->workers++;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
}

void fetch_login_message(struct fetch_login *f, enum link_type type, const void *body, size_t n)
{
	struct wire w;

	wire_init(&w, body, n);
	if (type == LINK_LOGIN_END) {
		give_up(f, wire_u64(&w));
		return;
	}
	struct errand *e = read_errand(&w);

	if (e == NULL)
		return;
	const uint64_t handle = e->handle;

	if (take_start(f, e))
		return;
	free(e);
	send_begun(f, handle, -ENETUNREACH, "no thread could be started", NULL);
}
