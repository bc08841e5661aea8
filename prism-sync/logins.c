/* SPDX-License-Identifier: MIT */

/*
 * MUST: a login is answered with an approval only where login_check() let a statement through, and
 * once; the texts that are handed on are the service's own pages; whatever the network half sends,
 * the table stays within its bounds and every ticket is answered by its time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/skew.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "login_check.h"
#include "login_qr.h"
#include "logins.h"

enum { BEGIN_MS = 5000, BEGIN_AWAY_MS = 1500 };

enum login_state { LOGIN_BEGINS, LOGIN_WAITS, LOGIN_ANSWERED };

struct login {
	uint64_t handle;
	enum login_state state;
	struct login_expect expect;
	char origin[AGENT_ORIGIN_MAX + 1];
	int64_t until;			 /* monotonic ms: its life */
	int64_t reply_by;		 /* monotonic ms: of the ticket */
	uint64_t ticket;		 /* that waits; 0: none */
	int result;			 /* LOGIN_ANSWERED */
	char why[SKEW_TEXT];		 /* for the person; "": a sentence of ours */
	struct agent_approval *approval; /* with result 0 */
};

struct logins {
	struct logins_host host;
	sd_event_source *timer;
	struct login *all[LOGINS_MAX];
	size_t n;
};

/* For whoever stands at the door. */
static const struct {
	int result;
	const char *text;
} sentences[] = {
    {-ENETUNREACH, "The login service cannot be reached now; try again later. Your SSH key still "
		   "lets you in, unless your project asks for a recent login in a browser."},
    {-ENOENT, "The login service does not know this person on this host."},
    {-EUSERS, "Too many logins wait for their approval; try again in a few minutes."},
    {-EACCES, "The login was denied in the browser."},
    {-ETIMEDOUT, "The login was not approved in time; begin again."},
    {-EBADMSG, "The login service's answer is not one that this host may believe."},
};

static const char *sentence(int result)
{
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
		if (sentences[i].result == result)
			return sentences[i].text;
	return "The login failed.";
}

/* ---- the table ------------------------------------------------------------------------------- */

static void login_free(struct login *g)
{
	free(g->approval);
	explicit_bzero(g, sizeof(*g));
	free(g);
}

static struct login *login_find(const struct logins *l, uint64_t handle)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i]->handle == handle)
			return l->all[i];
	return NULL;
}

static void login_forget(struct logins *l, struct login *g)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->all[i] != g)
			continue;
		l->all[i] = l->all[--l->n];
		login_free(g);
		return;
	}
}

static void tell_end(const struct logins *l, const struct login *g)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16);

	wire_put_u64(&b, g->handle);
	l->host.send(l->host.arg, LINK_LOGIN_END, &b);
}

static void log_login(
    enum log_level level, const char *event, const struct login *g, const char *why)
{
	log_event(level, event, "user", "%s", g->expect.user, "origin", "%s", g->origin,
	    why[0] ? "reason" : NULL, "%s", why, NULL);
}

static void answer(const struct logins *l, uint64_t ticket, int result, const char *text)
{
	struct agent_reply r = {.result = result};

	snprintf(r.text, sizeof(r.text), "%s", text);
	l->host.reply(l->host.arg, ticket, &r);
}

/* Answer whoever waits, if anybody does: then nothing is left to be told. */
static void deliver(struct logins *l, struct login *g)
{
	struct agent_reply r = {.result = g->result, .approval = g->approval};

	if (g->ticket == 0)
		return;
	if (g->result < 0)
		snprintf(r.text, sizeof(r.text), "%s", g->why[0] ? g->why : sentence(g->result));
	l->host.reply(l->host.arg, g->ticket, &r);
	login_forget(l, g);
}

static void settle(struct logins *l, struct login *g, int result)
{
	g->state = LOGIN_ANSWERED;
	g->result = result;
	deliver(l, g);
}

/* ---- time ------------------------------------------------------------------------------------ */

static int64_t next_time(const struct login *g)
{
	return g->ticket != 0 && g->reply_by < g->until ? g->reply_by : g->until;
}

static void arm(struct logins *l)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < l->n; i++)
		if (next_time(l->all[i]) < first)
			first = next_time(l->all[i]);
	if (first == INT64_MAX) {
		sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(l->timer, (uint64_t)first * 1000);
	sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

/* Its time, or its ticket's, is over. The entry may be gone after this. */
static void run_out(struct logins *l, struct login *g, int64_t now)
{
	if (g->state == LOGIN_BEGINS) {
		log_login(LOG_LEVEL_WARN, "login-not-begun", g, "no answer in time");
		tell_end(l, g);
		settle(l, g, -ENETUNREACH);
		return;
	}
	if (now < g->until) {
		const uint64_t ticket = g->ticket;

		g->ticket = 0;
		answer(l, ticket, -EAGAIN, "");
		return;
	}
	if (g->state == LOGIN_WAITS) {
		log_login(LOG_LEVEL_INFO, "login-expired", g, "");
		tell_end(l, g);
	}
	g->result = -ETIMEDOUT;
	if (g->ticket != 0)
		deliver(l, g);
	else
		login_forget(l, g);
}

static int on_time(sd_event_source *s, uint64_t usec, void *arg)
{
	struct logins *l = arg;
	const int64_t now = clock_mono_ms();

	for (size_t i = l->n; i-- > 0;)
		if (i < l->n && next_time(l->all[i]) <= now)
			run_out(l, l->all[i], now);
	arm(l);
	return 0;
}

int logins_new(const struct logins_host *h, struct logins **ret)
{
	struct logins *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->host = *h;
	int rc = sd_event_add_time(h->event, &l->timer, CLOCK_MONOTONIC, 0, 1000, on_time, l);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	if (rc < 0) {
		logins_free(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void logins_free(struct logins *l)
{
	if (l == NULL)
		return;
	sd_event_source_disable_unref(l->timer);
	for (size_t i = 0; i < l->n; i++)
		login_free(l->all[i]);
	free(l);
}

size_t logins_waiting(const struct logins *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->all[i]->state != LOGIN_ANSWERED;
	return n;
}

/* ---- what is asked over the socket ----------------------------------------------------------- */

static int refuse(int rc, const char *text, char out[static AGENT_TEXT_MAX])
{
	snprintf(out, AGENT_TEXT_MAX, "%s", text);
	return rc;
}

static bool full(const struct logins *l, const char *origin)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->all[i]->state != LOGIN_ANSWERED && strcmp(l->all[i]->origin, origin) == 0;
	return l->n == LOGINS_MAX || n >= LOGINS_ORIGIN_MAX;
}

static int send_start(struct logins *l, const struct login *g, const struct agent_request *rq)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1024);

	wire_put_u64(&b, g->handle);
	wire_put_str(&b, rq->user);
	wire_put_str(&b, rq->service);
	wire_put_str(&b, rq->origin);
	buf_add(&b, g->expect.nonce, sizeof(g->expect.nonce));
	wire_put_u32(&b, rq->ms);
	return buf_error(&b) != 0 ? buf_error(&b) : l->host.send(l->host.arg, LINK_LOGIN_START, &b);
}

static struct login *login_make(struct logins *l, const struct agent_request *rq, uint32_t uid)
{
	struct login *g = calloc(1, sizeof(*g));
	const int64_t now = clock_mono_ms();

	if (g == NULL)
		return NULL;
	do {
		if (secret_random(&g->handle, sizeof(g->handle)) < 0 ||
		    secret_random(g->expect.nonce, sizeof(g->expect.nonce)) < 0) {
			free(g);
			return NULL;
		}
	} while (g->handle == 0 || login_find(l, g->handle) != NULL);
	snprintf(g->expect.user, sizeof(g->expect.user), "%s", rq->user);
	snprintf(g->origin, sizeof(g->origin), "%s", rq->origin);
	g->expect.uid = uid;
	g->until = now + rq->ms;
	g->reply_by = now + (l->host.away(l->host.arg) ? BEGIN_AWAY_MS : BEGIN_MS);
	if (g->until < g->reply_by)
		g->until = g->reply_by;
	return g;
}

int logins_start(struct logins *l, const struct agent_request *rq, uint64_t ticket,
    char text[static AGENT_TEXT_MAX])
{
	uint32_t uid = 0;

	if (l->host.trust->url[0] == '\0')
		return refuse(-EPERM,
		    "Nobody can log in to this host through a browser until it is enrolled again; "
		    "log "
		    "in with your key, or ask its administrator to run \"prism-sync status\", "
		    "which "
		    "says how.",
		    text);
	if (l->host.person(l->host.arg, rq->user, &uid) < 0)
		return refuse(-ENOENT, "This host does not let this person in.", text);
	if (full(l, rq->origin)) {
		log_event(LOG_LEVEL_WARN, "login-refused", "user", "%s", rq->user, "origin", "%s",
		    rq->origin, "reason", "%s", "too many wait", NULL);
		return refuse(-EUSERS, sentence(-EUSERS), text);
	}
	struct login *g = login_make(l, rq, uid);

	if (g == NULL)
		return refuse(-ENOMEM, "This host has no memory left for a login.", text);
	const int rc = send_start(l, g, rq);

	if (rc < 0) {
		login_free(g);
		return refuse(rc, sentence(-ENETUNREACH), text);
	}
	g->ticket = ticket;
	l->all[l->n++] = g;
	arm(l);
	return 0;
}

int logins_wait(struct logins *l, const struct agent_request *rq, uint64_t ticket,
    char text[static AGENT_TEXT_MAX])
{
	struct login *g = login_find(l, rq->handle);

	if (g == NULL || g->state == LOGIN_BEGINS)
		return refuse(-ENOENT, sentence(-ETIMEDOUT), text);
	/* One waits; an earlier one has been given up by whoever asks again. */
	if (g->ticket != 0)
		answer(l, g->ticket, -EAGAIN, "");
	g->ticket = ticket;
	g->reply_by = clock_mono_ms() + rq->ms;
	if (g->state == LOGIN_ANSWERED)
		deliver(l, g);
	arm(l);
	return 0;
}

int logins_end(struct logins *l, const struct agent_request *rq)
{
	struct login *g = login_find(l, rq->handle);

	if (g == NULL)
		return -ENOENT;
	if (g->ticket != 0)
		answer(l, g->ticket, -EAGAIN, "");
	if (g->state != LOGIN_ANSWERED)
		tell_end(l, g);
	login_forget(l, g);
	arm(l);
	return 0;
}

static void give_up(struct logins *l, struct login *g)
{
	log_login(LOG_LEVEL_INFO, "login-given-up", g, "");
	if (g->state != LOGIN_ANSWERED)
		tell_end(l, g);
	login_forget(l, g);
	arm(l);
}

void logins_gone(struct logins *l, uint64_t ticket)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->all[i]->ticket != ticket)
			continue;
		give_up(l, l->all[i]);
		return;
	}
}

void logins_left(struct logins *l, uint64_t handle)
{
	struct login *g = login_find(l, handle);

	if (g == NULL)
		return;
	if (g->ticket != 0)
		answer(l, g->ticket, -ENOENT, "");
	give_up(l, g);
}

/* ---- what comes from the network half -------------------------------------------------------- */

/* What the network half may say at which state; anything else is not an answer. */
static int known_failure(enum login_state state, int rc)
{
	static const struct {
		enum login_state state;
		int rc;
	} known[] = {{LOGIN_BEGINS, -ENETUNREACH}, {LOGIN_BEGINS, -ENOENT}, {LOGIN_BEGINS, -EUSERS},
	    {LOGIN_WAITS, -ENETUNREACH}, {LOGIN_WAITS, -EACCES}, {LOGIN_WAITS, -ETIMEDOUT}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (rc == known[i].rc && state == known[i].state)
			return rc;
	return -EBADMSG;
}

/* One that another's prompt shows would have this login approved by whoever looks at that. */
static bool shown_already(const struct logins *l, const uint8_t code[static FEED_DIGEST_LEN])
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->all[i]->expect.code, code, FEED_DIGEST_LEN) == 0)
			return true;
	return false;
}

/* 0 and what the person is to see, or -EBADMSG. */
static int read_begun(
    const struct logins *l, struct login *g, struct wire *w, struct agent_login *ret)
{
	uint8_t code[FEED_DIGEST_LEN];
	const char *base = l->host.trust->url;

	wire_str(w, ret->url, sizeof(ret->url));
	wire_str(w, ret->url_complete, sizeof(ret->url_complete));
	wire_str(w, ret->code, sizeof(ret->code));
	if (!wire_done(w) || !login_code_ok(ret->code) || !login_page_ok(base, ret->url, NULL) ||
	    (ret->url_complete[0] != '\0' && !login_page_ok(base, ret->url_complete, ret->code)))
		return -EBADMSG;
	login_code_hash(ret->code, code);
	if (shown_already(l, code))
		return -EBADMSG;
	memcpy(g->expect.code, code, sizeof(code));
	return 0;
}

/* What the page calls this host, or, where an older version enrolled it, what it calls itself. */
static void host_name(const struct logins *l, char out[static AGENT_HOST_MAX + 1])
{
	_Static_assert(sizeof(l->host.trust->name) == AGENT_HOST_MAX + 1, "it fits");
	char name[AGENT_HOST_MAX + 1] = "";

	gethostname(name, sizeof(name) - 1);
	snprintf(out, AGENT_HOST_MAX + 1, "%s",
	    l->host.trust->name[0] ? l->host.trust->name
	    : trust_name_ok(name)  ? name
				   : "this-workstation");
}

static void begun_failed(struct logins *l, struct login *g, int rc, const char *why)
{
	log_login(LOG_LEVEL_WARN, "login-not-begun", g, why[0] ? why : strerror(-rc));
	if (rc == -EBADMSG)
		tell_end(l, g);
	settle(l, g, rc);
	arm(l);
}

void logins_begun(struct logins *l, const void *body, size_t n)
{
	struct agent_login shown = {.handle = 0};
	struct agent_reply r = {.login = &shown};
	char why[256];
	struct wire w;

	wire_init(&w, body, n);
	struct login *g = login_find(l, wire_u64(&w));
	int rc = (int32_t)wire_u32(&w);

	link_text(&w, why, sizeof(why));
	if (g == NULL || g->state != LOGIN_BEGINS)
		return;
	if (rc == 0)
		rc = read_begun(l, g, &w, &shown);
	else
		rc = known_failure(g->state, rc);
	if (rc < 0) {
		begun_failed(l, g, rc,
		    rc == -EBADMSG ? "the page or the code is not one of the service" : why);
		return;
	}
	if (shown.url_complete[0] != '\0')
		login_qr_make(shown.url_complete, &shown);
	host_name(l, shown.host);
	shown.handle = g->handle;
	g->state = LOGIN_WAITS;
	log_login(LOG_LEVEL_INFO, "login-begun", g, "");
	const uint64_t ticket = g->ticket;

	g->ticket = 0;
	l->host.reply(l->host.arg, ticket, &r);
	arm(l);
}

static int take_statement(struct logins *l, struct login *g, struct wire *w)
{
	struct agent_approval *a = calloc(1, sizeof(*a));
	const uint16_t len = wire_u16(w);
	const uint8_t *p = wire_bytes(w, len);
	const char *word = "malformed";
	int64_t ahead = 0;
	uint32_t uid = 0;
	int rc = a == NULL ? -ENOMEM : p == NULL || !wire_done(w) ? -EBADMSG : 0;

	if (rc == 0)
		rc = login_check(
		    l->host.trust, &g->expect, l->host.now(l->host.arg), p, len, a, &word, &ahead);
	/* What has changed meanwhile counts. */
	if (rc == 0 && (l->host.person(l->host.arg, g->expect.user, &uid) < 0 || uid != a->uid)) {
		word = "not-let-in-any-more";
		rc = -EACCES;
		snprintf(g->why, sizeof(g->why), "This host does not let this person in.");
	}
	if (rc < 0) {
		log_login(LOG_LEVEL_WARN, "login-refused", g, word);
		free(a);
	}
	if (rc == -ETIME) {
		skew_describe(ahead, g->why);
		if (g->why[0] >= 'a' && g->why[0] <= 'z')
			g->why[0] = (char)(g->why[0] - 'a' + 'A');
		return -EBADMSG;
	}
	if (rc == 0)
		g->approval = a;
	return rc;
}

void logins_done(struct logins *l, const void *body, size_t n)
{
	struct wire w;

	wire_init(&w, body, n);
	struct login *g = login_find(l, wire_u64(&w));
	int rc = (int32_t)wire_u32(&w);

	if (!wire_ok(&w) || g == NULL || g->state != LOGIN_WAITS)
		return;
	if (rc == 0) {
		rc = take_statement(l, g, &w);
		if (rc == 0)
			log_login(LOG_LEVEL_INFO, "login-approved", g, "");
	} else {
		rc = known_failure(g->state, rc);
		log_login(LOG_LEVEL_INFO,
		    rc == -EACCES      ? "login-denied"
		    : rc == -ETIMEDOUT ? "login-expired"
				       : "login-failed",
		    g, rc == -EACCES || rc == -ETIMEDOUT ? "" : strerror(-rc));
	}
	settle(l, g, rc);
	arm(l);
}
