/* SPDX-License-Identifier: MIT */
#include "agent/agent.h"

#include <errno.h>
#include <string.h>
#include "base/name.h"
#include "base/wire.h"

/* Magic, verb, result and the two lengths. */
#define REPLY_FIXED 12

/* What each verb carries; a verb that is not listed does not exist. */
static const struct verb {
	uint16_t verb;
	bool request_user;
	bool user_optional; /* "": everybody */
	bool reply_json;
} VERBS[] = {
    {.verb = AGENT_PING},
    {.verb = AGENT_STATUS, .reply_json = true},
    {.verb = AGENT_ENSURE_HOME, .request_user = true},
    {.verb = AGENT_SYNC},
    {.verb = AGENT_RELEASE, .request_user = true, .user_optional = true},
};

static const struct verb *verb_find(uint16_t verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(VERBS); i++)
		if (VERBS[i].verb == verb)
			return &VERBS[i];
	return NULL;
}

static void buf_fail(struct buf *b, int error)
{
	if (!b->error)
		b->error = error;
}

static bool user_ok(const struct verb *v, const char *user, size_t size)
{
	if (v->user_optional && user[0] == '\0')
		return true;
	return strnlen(user, size) < size && username_valid(user);
}

void agent_put_request(struct buf *b, const struct agent_request *r)
{
	const struct verb *v = verb_find(r->verb);

	if (!v || (v->request_user && !user_ok(v, r->user, sizeof(r->user)))) {
		buf_fail(b, -EINVAL);
		return;
	}
	wire_put_u32(b, AGENT_MAGIC);
	wire_put_u16(b, r->verb);
	wire_put_u16(b, 0);
	if (v->request_user)
		wire_put_str(b, r->user);
}

int agent_parse_request(const void *p, size_t n, struct agent_request *ret)
{
	struct agent_request r = {0};
	const struct verb *v;
	struct wire w;

	if (n > AGENT_PACKET_MAX)
		return -EBADMSG;
	wire_init(&w, p, n);
	if (wire_u32(&w) != AGENT_MAGIC)
		return -EBADMSG;
	r.verb = wire_u16(&w);
	v = verb_find(r.verb);
	if (!v || wire_u16(&w) != 0)
		return -EBADMSG;
	if (v->request_user) {
		wire_str(&w, r.user, sizeof(r.user));
		if (!wire_ok(&w) || !user_ok(v, r.user, sizeof(r.user)))
			return -EBADMSG;
	}
	if (!wire_done(&w))
		return -EBADMSG;
	*ret = r;
	return 0;
}

/* What would not parse, or not fit into a packet. */
static int reply_check(const struct agent_reply *r, const struct verb *v)
{
	const size_t text_len = strnlen(r->text, sizeof(r->text));

	if (!v || r->result > 0 || r->result < INT16_MIN || text_len == sizeof(r->text))
		return -EINVAL;
	if (!v->reply_json)
		return 0;
	if (r->json_len > AGENT_PACKET_MAX - REPLY_FIXED - text_len)
		return -EMSGSIZE;
	return r->json_len > 0 && memchr(r->json, '\0', r->json_len) ? -EINVAL : 0;
}

void agent_put_reply(struct buf *b, const struct agent_reply *r)
{
	const struct verb *v = verb_find(r->verb);
	const int err = reply_check(r, v);

	if (err < 0) {
		buf_fail(b, err);
		return;
	}
	wire_put_u32(b, AGENT_MAGIC);
	wire_put_u16(b, r->verb);
	wire_put_u16(b, (uint16_t)(int16_t)r->result);
	wire_put_str(b, r->text);
	if (v->reply_json) {
		wire_put_u16(b, (uint16_t)r->json_len);
		buf_add(b, r->json, r->json_len);
	}
}

int agent_parse_reply(const void *p, size_t n, struct agent_reply *ret)
{
	struct agent_reply r = {0};
	const struct verb *v;
	struct wire w;

	if (n > AGENT_PACKET_MAX)
		return -EBADMSG;
	wire_init(&w, p, n);
	if (wire_u32(&w) != AGENT_MAGIC)
		return -EBADMSG;
	r.verb = wire_u16(&w);
	v = verb_find(r.verb);
	r.result = (int16_t)wire_u16(&w);
	wire_str(&w, r.text, sizeof(r.text));
	if (!v || r.result > 0)
		return -EBADMSG;
	if (v->reply_json) {
		r.json_len = wire_u16(&w);
		r.json = (const char *)wire_bytes(&w, r.json_len);
		if (!r.json || memchr(r.json, '\0', r.json_len))
			return -EBADMSG;
	}
	if (!wire_done(&w))
		return -EBADMSG;
	*ret = r;
	return 0;
}
