/* SPDX-License-Identifier: MIT */
#include "agent/protocol.h"

#include <errno.h>
#include <string.h>
#include "base/name.h"

/* Magic, verb, result and the two lengths. */
#define REPLY_FIXED 12

/* What each verb carries; a verb that is not listed does not exist. */
static const struct verb {
	uint16_t verb;
	bool request_user;
	bool user_optional; /* "": everybody */
	bool reply_json;
	bool request_start, request_handle, request_wait; /* of device logins */
	bool reply_login, reply_approval;		  /* with result 0 */
	bool (*request_ok)(const struct agent_request *r);
} VERBS[] = {
    {.verb = AGENT_PING},
    {.verb = AGENT_STATUS, .reply_json = true},
    {.verb = AGENT_ENSURE_HOME, .request_user = true},
    {.verb = AGENT_SYNC},
    {.verb = AGENT_RELEASE, .request_user = true, .user_optional = true},
    {.verb = AGENT_LOGIN_START,
	.request_user = true,
	.request_start = true,
	.reply_login = true,
	.request_ok = start_request_ok},
    {.verb = AGENT_LOGIN_WAIT,
	.request_handle = true,
	.request_wait = true,
	.reply_approval = true,
	.request_ok = wait_request_ok},
    {.verb = AGENT_LOGIN_END, .request_handle = true, .request_ok = end_request_ok},
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

static bool request_ok(const struct verb *v, const struct agent_request *r)
{
	if (!v || (v->request_user && !user_ok(v, r->user, sizeof(r->user))))
		return false;
	return !v->request_ok || v->request_ok(r);
}

void agent_put_request(struct buf *b, const struct agent_request *r)
{
	const struct verb *v = verb_find(r->verb);

	if (!request_ok(v, r)) {
		buf_fail(b, -EINVAL);
		return;
	}
	wire_put_u32(b, AGENT_MAGIC);
	wire_put_u16(b, r->verb);
	wire_put_u16(b, 0);
	if (v->request_user)
		wire_put_str(b, r->user);
	if (v->request_start) {
		wire_put_str(b, r->service);
		wire_put_str(b, r->origin);
	}
	if (v->request_handle)
		wire_put_u64(b, r->handle);
	if (v->request_start || v->request_wait)
		wire_put_u32(b, r->ms);
}

static void read_request(struct wire *w, const struct verb *v, struct agent_request *r)
{
	if (v->request_user)
		wire_str(w, r->user, sizeof(r->user));
	if (v->request_start) {
		wire_str(w, r->service, sizeof(r->service));
		wire_str(w, r->origin, sizeof(r->origin));
	}
	if (v->request_handle)
		r->handle = wire_u64(w);
	if (v->request_start || v->request_wait)
		r->ms = wire_u32(w);
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
	read_request(&w, v, &r);
	if (!wire_done(&w) || !request_ok(v, &r))
		return -EBADMSG;
	*ret = r;
	return 0;
}

static int json_check(const struct agent_reply *r, size_t text_len)
{
	if (r->json_len > AGENT_PACKET_MAX - REPLY_FIXED - text_len)
		return -EMSGSIZE;
	return r->json_len > 0 && memchr(r->json, '\0', r->json_len) ? -EINVAL : 0;
}

/* What would not parse, or not fit into a packet. */
static int reply_check(const struct agent_reply *r, const struct verb *v)
{
	const size_t text_len = strnlen(r->text, sizeof(r->text));

	if (!v || r->result > 0 || r->result < INT16_MIN || text_len == sizeof(r->text))
		return -EINVAL;
	if (v->reply_json)
		return json_check(r, text_len);
	if (r->result < 0)
		return 0;
	if (v->reply_login)
		return r->login && login_ok(r->login) ? 0 : -EINVAL;
	if (v->reply_approval)
		return r->approval && approval_ok(r->approval) ? 0 : -EINVAL;
	return 0;
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
	if (v->reply_login && r->result == 0)
		login_put(b, r->login);
	if (v->reply_approval && r->result == 0)
		approval_put(b, r->approval);
}

static bool read_json(struct wire *w, struct agent_reply *r)
{
	r->json_len = wire_u16(w);
	r->json = (const char *)wire_bytes(w, r->json_len);
	return r->json && !memchr(r->json, '\0', r->json_len);
}

/* The caller's room is written to only when the whole packet is right. */
static int parse_login(struct wire *w, struct agent_login *out)
{
	struct agent_login l = {0};

	if (!login_parse(w, &l) || !wire_done(w))
		return -EBADMSG;
	if (out)
		*out = l;
	return 0;
}

static int parse_approval(struct wire *w, struct agent_approval *out)
{
	struct agent_approval a = {0};

	if (!approval_parse(w, &a) || !wire_done(w))
		return -EBADMSG;
	if (out)
		*out = a;
	return 0;
}

static int parse_extra(
    struct wire *w, const struct verb *v, struct agent_reply *r, const struct agent_reply *room)
{
	if (v->reply_json)
		return read_json(w, r) ? 0 : -EBADMSG;
	if (v->reply_login)
		r->login = room->login;
	if (v->reply_approval)
		r->approval = room->approval;
	if (r->result < 0)
		return 0;
	if (v->reply_login)
		return parse_login(w, r->login);
	return v->reply_approval ? parse_approval(w, r->approval) : 0;
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
	if (!v || r.result > 0 || parse_extra(&w, v, &r, ret) < 0 || !wire_done(&w))
		return -EBADMSG;
	*ret = r;
	return 0;
}
