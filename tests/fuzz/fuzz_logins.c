/* SPDX-License-Identifier: MIT */
/* with: prism-sync.a */
/*
 * What the network half says of a device login: the first byte chooses which message it is, the
 * rest follows the handle of a login that waits for it. Whatever is let through to a person must be
 * a page of the service, and nobody is ever approved by bytes that no key has signed.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "prism-sync/login_check.h"
#include "prism-sync/logins.h"

#define BASE "https://p"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t handle;

static int64_t now(void *arg)
{
	return 1800000000;
}

static int person(void *arg, const char *user, uint32_t *ret_uid)
{
	*ret_uid = 10001;
	return 0;
}

static bool away(void *arg)
{
	return false;
}

static int take(void *arg, enum link_type type, const struct buf *b)
{
	struct wire w;

	wire_init(&w, b->data, b->len);
	handle = wire_u64(&w);
	return 0;
}

static void reply(void *arg, uint64_t ticket, const struct agent_reply *r)
{
	_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
	struct agent_reply whole = *r;

	whole.verb = r->login ? AGENT_LOGIN_START : AGENT_LOGIN_WAIT;
	agent_put_reply(&b, &whole);
	if (buf_error(&b) < 0 || r->approval ||
	    (r->login && strncmp(r->login->url, BASE "/", sizeof(BASE)) != 0))
		abort();
}

static void begun(struct logins *l, const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);

	wire_put_u64(&b, handle);
	buf_add(&b, data, size);
	logins_begun(l, b.data, b.len);
}

/* The page with the code would be painted by another process: here there is none with one. */
static void begun_plainly(struct logins *l)
{
	static const uint8_t ok[] = "\0\0\0\0\0\0\20\0https://p/device\0\0\2\0AB";

	begun(l, ok, sizeof(ok) - 1);
}

static void done(struct logins *l, const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);

	wire_put_u64(&b, handle);
	buf_add(&b, data, size);
	logins_done(l, b.data, b.len);
}

static bool paints(const uint8_t *data, size_t size)
{
	const uint8_t *first = memmem(data, size, BASE "/", sizeof(BASE));

	return first &&
	       memmem(first + 1, size - (size_t)(first + 1 - data), BASE "/", sizeof(BASE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct agent_request rq = {
	    .verb = AGENT_LOGIN_START, .user = "alice", .service = "sshd", .ms = 60000};
	struct agent_request wait = {.verb = AGENT_LOGIN_WAIT, .ms = 60000};
	static struct trust trust = {.url = BASE};
	struct logins_host h = {.trust = &trust,
	    .now = now,
	    .person = person,
	    .away = away,
	    .send = take,
	    .reply = reply};
	static sd_event *event;
	char text[AGENT_TEXT_MAX];
	struct logins *l;

	if (size == 0 || size > 8192)
		return 0;
	if (!event && sd_event_new(&event) < 0)
		abort();
	log_init("fuzz_logins", LOG_LEVEL_ERROR);
	h.event = event;
	memset(trust.keys[0].key, 7, sizeof(trust.keys[0].key));
	trust.keys[0].role = TRUST_CURRENT;
	trust.nkeys = 1;
	if (logins_new(&h, &l) < 0 || logins_start(l, &rq, 1, text) < 0)
		abort();
	if (data[0] & 1) {
		begun_plainly(l);
		wait.handle = handle;
		if (logins_wait(l, &wait, 2, text) < 0)
			abort();
		done(l, data + 1, size - 1);
	} else if (!paints(data + 1, size - 1)) {
		begun(l, data + 1, size - 1);
	}
	logins_free(l);
	return 0;
}
