/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "api/skew.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wire.h"
#include "fetch.h"
#include "fetch_central.h"
#include "fetch_login.h"
#include "link.h"
#include "net_wait.h"

enum { BACKOFF_FIRST = 200, BACKOFF_MAX = 30000, QUICK_MS = 200, REPORT_RETRY_MS = 2000 };

struct net {
	int fd;
	const struct config *config;
	const struct identity *identity;
	pthread_mutex_t send_lock;  /* of fd: frames of two polls must not mix */
	pthread_mutex_t token_lock; /* held during the request for a new one */
	struct central_token token;
	pthread_mutex_t lock; /* of everything below; never held during a request */
	pthread_cond_t changed;
	char query[16384];
	uint64_t have_seq;
	bool progress, poke;
	uint8_t *report;
	size_t report_len;
	bool sync;
	uint32_t sync_tag;
	struct fetch_login *logins;
};

static int net_send(struct net *n, enum link_type type, const struct buf *b)
{
	pthread_mutex_lock(&n->send_lock);
	int rc = buf_error(b) != 0 ? buf_error(b) : link_send(n->fd, type, b->data, b->len, -1);

	pthread_mutex_unlock(&n->send_lock);
	return rc;
}

static int send_frame(void *arg, const void *msg, size_t len)
{
	struct net *n = arg;

	pthread_mutex_lock(&n->send_lock);
	int rc = link_send(n->fd, LINK_FRAME, msg, len, -1);

	pthread_mutex_unlock(&n->send_lock);
	return rc;
}

static int poll_now(struct net *n, struct central *c, long wait, struct central_answer *a)
{
	char query[sizeof(n->query)];

	pthread_mutex_lock(&n->lock);
	memcpy(query, n->query, sizeof(query));
	pthread_mutex_unlock(&n->lock);
	return central_poll(c, query, wait, send_frame, n, a);
}

/* ---- the poller ------------------------------------------------------------------------------ */

static void tell_polled(struct net *n, uint64_t seq, int rc, const struct central_answer *a)
{
	_cleanup_buf_ struct buf b = BUF_INIT(2048);

	wire_put_u64(&b, seq);
	wire_put_u32(&b, (uint32_t)rc);
	wire_put_i64(&b, a->date);
	wire_put_str(&b, a->why);
	net_send(n, LINK_POLLED, &b);
}

/* Said when it begins, when it is another one and when it is over: not with every poll. */
static void note_clock(int64_t date, int64_t *said)
{
	char text[SKEW_TEXT];
	int64_t skew = date - clock_now();

	if (date == 0 ||
	    (skew_matters(skew) ? *said != 0 && !skew_matters(skew - *said) : *said == 0))
		return;
	*said = skew_matters(skew) ? skew : 0;
	skew_describe(skew, text);
	log_msg(*said ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, *said ? "clock-wrong" : "clock-right",
	    "%s", *said ? text : "this machine's clock is the service's again");
}

/* Sleep, unless somebody wants a poll at once. */
static void back_off(struct net *n, int64_t ms)
{
	int64_t end = clock_mono_ms() + net_wait_jitter(ms), left;

	pthread_mutex_lock(&n->lock);
	while (!n->poke && (left = end - clock_mono_ms()) > 0)
		net_wait_ms(&n->changed, &n->lock, left);
	n->poke = false;
	pthread_mutex_unlock(&n->lock);
}

/* Until the root half has looked at everything that the poll with this seq brought. */
static uint64_t wait_have(struct net *n, uint64_t seq, bool *ret_progress)
{
	pthread_mutex_lock(&n->lock);
	while (n->have_seq == seq)
		pthread_cond_wait(&n->changed, &n->lock);
	seq = n->have_seq;
	*ret_progress = n->progress;
	pthread_mutex_unlock(&n->lock);
	return seq;
}

static void *poller(void *arg)
{
	struct net *n = arg;
	struct central *c = NULL;
	int64_t delay = BACKOFF_FIRST;
	bool progress = false, fresh = true; /* no answer since the start or the last failure */
	uint64_t seq = wait_have(n, 0, &progress);
	int64_t skew_said = 0;

	if (central_new(n->config, n->identity, &n->token, &n->token_lock, CENTRAL_PATIENT, &c) < 0)
		_exit(1);
	for (;;) {
		struct central_answer a = {.date = 0};
		int64_t start = clock_mono_ms();
		/* Without waiting at first: that the service is back is to be known now. */
		int rc = poll_now(n, c, fresh ? 0 : (long)n->config->poll_seconds, &a);
		bool quick = clock_mono_ms() - start < QUICK_MS && !fresh;

		note_clock(a.date, &skew_said);
		tell_polled(n, seq, rc, &a);
		seq = wait_have(n, seq, &progress);
		fresh = rc != 0;
		if (rc == 0 && (progress || !quick)) {
			delay = BACKOFF_FIRST;
			continue;
		}
		back_off(n, delay);
		delay = delay * 2 > BACKOFF_MAX ? BACKOFF_MAX : delay * 2;
	}
	return NULL;
}

/* ---- reports and sync ------------------------------------------------------------------------ */

static void run_sync(struct net *n, struct central *c, uint32_t tag)
{
	_cleanup_buf_ struct buf b = BUF_INIT(2048);
	struct central_answer a = {.date = 0};
	int rc = poll_now(n, c, 0, &a);

	wire_put_u32(&b, tag);
	wire_put_u32(&b, (uint32_t)rc);
	wire_put_str(&b, a.why);
	net_send(n, LINK_SYNCED, &b);
}

/* One report; a newer one that came meanwhile takes its place when this one failed. */
static bool run_report(struct net *n, struct central *c, uint8_t *text, size_t len)
{
	struct central_answer a = {.date = 0};
	int rc = central_report(c, text, len, &a);

	if (rc == 0 || rc == -EINVAL) {
		if (rc < 0)
			log_msg(LOG_LEVEL_WARN, "report-refused", "%s", a.why);
		free(text);
		return true;
	}
	pthread_mutex_lock(&n->lock);
	if (n->report == NULL) {
		n->report = text;
		n->report_len = len;
	} else {
		free(text);
	}
	pthread_mutex_unlock(&n->lock);
	return false;
}

static void *messenger(void *arg)
{
	struct net *n = arg;
	struct central *c = NULL;
	bool failed = false;

	if (central_new(n->config, n->identity, &n->token, &n->token_lock, CENTRAL_PATIENT, &c) < 0)
		_exit(1);
	for (;;) {
		pthread_mutex_lock(&n->lock);
		if (failed)
			net_wait_ms(&n->changed, &n->lock, net_wait_jitter(REPORT_RETRY_MS));
		while (!n->sync && n->report == NULL)
			pthread_cond_wait(&n->changed, &n->lock);
		bool sync = n->sync;
		uint32_t tag = n->sync_tag;
		uint8_t *report = sync ? NULL : TAKE_PTR(n->report);
		size_t len = n->report_len;

		n->sync = false;
		pthread_mutex_unlock(&n->lock);
		failed = false;
		if (sync)
			run_sync(n, c, tag);
		else
			failed = !run_report(n, c, report, len);
	}
	return NULL;
}

/* ---- what the root half says ----------------------------------------------------------------- */

static void take_have(struct net *n, struct wire *w)
{
	uint64_t seq = wire_u64(w);
	bool progress = wire_u8(w) != 0;
	size_t len = wire_left(w);
	const uint8_t *text = wire_bytes(w, len);

	if (!wire_ok(w) || len >= sizeof(n->query))
		return;
	memcpy(n->query, text, len);
	n->query[len] = '\0';
	n->have_seq = seq;
	n->progress = progress;
}

static void take_message(struct net *n, struct link_reader *r)
{
	struct wire w;

	wire_init(&w, r->body, r->len);
	pthread_mutex_lock(&n->lock);
	if (r->type == LINK_HAVE)
		take_have(n, &w);
	if (r->type == LINK_REPORT) {
		uint8_t *copy = malloc(r->len + 1);

		if (copy != NULL) {
			memcpy(copy, r->body, r->len);
			free(n->report);
			n->report = copy;
			n->report_len = r->len;
		}
	}
	if (r->type == LINK_SYNC) {
		n->sync_tag = wire_u32(&w);
		n->sync = n->poke = true;
	}
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

static int send_login(void *arg, enum link_type type, const struct buf *b)
{
	return net_send(arg, type, b);
}

static int net_init(struct net *n)
{
	const struct fetch_login_site site = {.config = n->config,
	    .identity = n->identity,
	    .token = &n->token,
	    .token_lock = &n->token_lock,
	    .send = send_login,
	    .arg = n};

	if (pthread_mutex_init(&n->send_lock, NULL) != 0 ||
	    pthread_mutex_init(&n->token_lock, NULL) != 0)
		return -ENOMEM;
	const int rc = net_wait_init(&n->lock, &n->changed);

	return rc < 0 ? rc : fetch_login_new(&site, &n->logins);
}

int fetch_main(int fd, const struct config *c, const struct identity *id)
{
	static struct net n;
	struct link_reader r = {.have = 0};
	int rc;

	n.fd = fd;
	n.config = c;
	n.identity = id;
	if (net_init(&n) < 0 || net_wait_thread(poller, &n) < 0 ||
	    net_wait_thread(messenger, &n) < 0)
		return 1;
	while ((rc = link_read(&r, fd)) > 0) {
		if (r.type == LINK_LOGIN_START || r.type == LINK_LOGIN_END)
			fetch_login_message(n.logins, r.type, r.body, r.len);
		else
			take_message(&n, &r);
		link_reader_next(&r);
	}
	/* The other threads may be in the middle of a request: the process ends them. */
	_exit(rc == -EPIPE ? 0 : 1);
}
