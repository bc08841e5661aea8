/* SPDX-License-Identifier: MIT */
#ifndef SYNC_LOGIN_HOST_H
#define SYNC_LOGIN_HOST_H

/*
 * The root half's device logins between a network half that lies and the agent's socket: the test
 * is both. open_world() begins anew; what was sent and answered stands in w.
 */
#include <errno.h>
#include "base/clock.h"
#include "base/wire.h"
#include "feed/login.h"
#include "prism-sync/logins.h"
#include "sync/forge.h"
#include "test.h"

#define BASE "https://prism.uni.edu"

struct sent {
	enum link_type type;
	uint64_t handle;
	uint8_t nonce[LOGIN_NONCE_LEN];
	char user[64], origin[300], code[16];
};

struct answer {
	uint64_t ticket;
	int result;
	char text[AGENT_TEXT_MAX];
	struct agent_login login;
	struct agent_approval approval;
};

static struct world {
	sd_event *event;
	struct trust trust;
	struct logins *logins;
	struct feed_signer *signer;
	int64_t now;
	bool away, gone;
	int send_error;
	struct sent sent[700];
	size_t nsent;
	struct answer answers[700];
	size_t nanswers;
	uint64_t ticket;
} w;

static inline int64_t world_now(void *arg)
{
	return w.now;
}

static inline int world_person(void *arg, const char *user, uint32_t *ret_uid)
{
	if (w.gone || (strcmp(user, "alice") != 0 && strncmp(user, "user", 4) != 0))
		return -ENOENT;
	*ret_uid = user[0] == 'a' ? 10001 : 20000;
	return 0;
}

static inline bool world_away(void *arg)
{
	return w.away;
}

static inline int world_send(void *arg, enum link_type type, const struct buf *b)
{
	struct sent *s = &w.sent[w.nsent];
	char service[64];
	struct wire r;

	if (w.send_error < 0)
		return w.send_error;
	memset(s, 0, sizeof(*s));
	wire_init(&r, b->data, b->len);
	s->type = type;
	s->handle = wire_u64(&r);
	if (type == LINK_LOGIN_START) {
		wire_str(&r, s->user, sizeof(s->user));
		wire_str(&r, service, sizeof(service));
		wire_str(&r, s->origin, sizeof(s->origin));
		memcpy(s->nonce, wire_bytes(&r, LOGIN_NONCE_LEN), LOGIN_NONCE_LEN);
		wire_u32(&r);
	}
	if (!wire_done(&r))
		abort();
	w.nsent++;
	return 0;
}

static inline void world_reply(void *arg, uint64_t ticket, const struct agent_reply *r)
{
	struct answer *a = &w.answers[w.nanswers++];
	struct buf b = BUF_INIT(AGENT_PACKET_MAX);
	struct agent_reply whole = *r;

	memset(a, 0, sizeof(*a));
	a->ticket = ticket;
	a->result = r->result;
	memcpy(a->text, r->text, sizeof(a->text));
	if (r->login)
		a->login = *r->login;
	if (r->approval)
		a->approval = *r->approval;
	/* What cannot be encoded would never reach anybody. */
	whole.verb = r->login ? AGENT_LOGIN_START : AGENT_LOGIN_WAIT;
	agent_put_reply(&b, &whole);
	if (buf_error(&b) < 0)
		abort();
	buf_free(&b);
}

static inline void open_world(void)
{
	struct logins_host h = {.now = world_now,
	    .person = world_person,
	    .away = world_away,
	    .send = world_send,
	    .reply = world_reply};

	logins_free(w.logins);
	sd_event_unref(w.event);
	feed_signer_free(w.signer);
	memset(&w, 0, sizeof(w));
	w.now = FORGE_NOW;
	w.signer = forge_signer(1);
	memset(w.trust.host_id, 0xaa, sizeof(w.trust.host_id));
	memcpy(w.trust.keys[0].key, feed_signer_public(w.signer), FEED_KEY_LEN);
	w.trust.keys[0].role = TRUST_CURRENT;
	w.trust.nkeys = 1;
	snprintf(w.trust.url, sizeof(w.trust.url), BASE);
	snprintf(w.trust.name, sizeof(w.trust.name), "ws1.uni.edu");
	if (sd_event_new(&w.event) < 0)
		abort();
	h.event = w.event;
	h.trust = &w.trust;
	if (logins_new(&h, &w.logins) < 0)
		abort();
}

/* Let time pass: for at most ms, or until there is one more answer. */
static inline void run_ms(int64_t ms)
{
	const int64_t end = clock_mono_ms() + ms;
	const size_t had = w.nanswers;

	while (w.nanswers == had && clock_mono_ms() < end)
		sd_event_run(w.event, (uint64_t)(end - clock_mono_ms()) * 1000);
}

static inline int start_ms(
    const char *user, const char *origin, uint32_t ms, char text[AGENT_TEXT_MAX])
{
	struct agent_request rq = {.verb = AGENT_LOGIN_START, .service = "sshd", .ms = ms};

	snprintf(rq.user, sizeof(rq.user), "%s", user);
	snprintf(rq.origin, sizeof(rq.origin), "%s", origin);
	return logins_start(w.logins, &rq, ++w.ticket, text);
}

static inline void put_begun(
    struct buf *b, uint64_t handle, const char *url, const char *complete, const char *code)
{
	buf_clear(b);
	wire_put_u64(b, handle);
	wire_put_u32(b, 0);
	wire_put_str(b, "");
	wire_put_str(b, url);
	wire_put_str(b, complete);
	wire_put_str(b, code);
}

static inline void begun(uint64_t handle)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	for (size_t i = 0; i < w.nsent; i++) {
		if (w.sent[i].handle == handle)
			snprintf(w.sent[i].code, sizeof(w.sent[i].code), "WDJB-M%03zu", i);
		if (w.sent[i].handle == handle)
			put_begun(&b, handle, BASE "/device", "", w.sent[i].code);
	}
	logins_begun(w.logins, b.data, b.len);
}

/* A login of alice that waits for its approval. */
static inline struct sent *waiting(uint32_t life)
{
	char text[AGENT_TEXT_MAX];

	if (start_ms("alice", "192.0.2.7", life, text) != 0)
		abort();
	struct sent *s = &w.sent[w.nsent - 1];

	begun(s->handle);
	if (w.nanswers == 0 || w.answers[w.nanswers - 1].result != 0)
		abort();
	return s;
}

static inline int wait_for(uint64_t handle, uint32_t ms)
{
	struct agent_request rq = {.verb = AGENT_LOGIN_WAIT, .handle = handle, .ms = ms};
	char text[AGENT_TEXT_MAX];

	return logins_wait(w.logins, &rq, ++w.ticket, text);
}

static inline struct login_statement right(const struct sent *s)
{
	struct login_statement l = {.issued_at = w.now, .uid = 10001, .nprojects = 1};

	memset(l.host, 0xaa, sizeof(l.host));
	memcpy(l.nonce, s->nonce, sizeof(l.nonce));
	login_code_hash(s->code, l.code);
	snprintf(l.username, sizeof(l.username), "alice");
	snprintf(l.projects[0], sizeof(l.projects[0]), "lab");
	return l;
}

static inline void done(uint64_t handle, int rc, const struct buf *statement)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX + 64);

	wire_put_u64(&b, handle);
	wire_put_u32(&b, (uint32_t)rc);
	if (statement) {
		wire_put_u16(&b, (uint16_t)statement->len);
		buf_add(&b, statement->data, statement->len);
	}
	logins_done(w.logins, b.data, b.len);
}

static inline void approve(uint64_t handle, struct feed_signer *s, const struct login_statement *l)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX);

	if (login_sign(s, l, &b) < 0)
		abort();
	done(handle, 0, &b);
}

static inline const struct answer *last(void)
{
	return &w.answers[w.nanswers - 1];
}

static inline size_t ended(uint64_t handle)
{
	size_t n = 0;

	for (size_t i = 0; i < w.nsent; i++)
		n += w.sent[i].type == LINK_LOGIN_END && w.sent[i].handle == handle;
	return n;
}

#endif
