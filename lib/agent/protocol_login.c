/* SPDX-License-Identifier: MIT */
#include "agent/protocol.h"

#include <string.h>
#include "base/name.h"

_Static_assert(AGENT_SLUG_MAX == SLUG_MAX, "a slug of the feed fits");

/* Terminals show these texts: printable ASCII has no escape sequence in it. */
static bool printable(const char *s, size_t size)
{
	const size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n < size;
}

static bool life_ok(uint32_t ms)
{
	return ms > 0 && ms <= AGENT_LOGIN_MS_MAX;
}

bool start_request_ok(const struct agent_request *r)
{
	return r->service[0] != '\0' && printable(r->service, sizeof(r->service)) &&
	       printable(r->origin, sizeof(r->origin)) && life_ok(r->ms);
}

bool wait_request_ok(const struct agent_request *r)
{
	return r->handle != 0 && r->ms <= AGENT_LOGIN_MS_MAX;
}

bool end_request_ok(const struct agent_request *r)
{
	return r->handle != 0;
}

size_t login_qr_size(uint8_t side)
{
	return (size_t)side * (((size_t)side + 7) / 8);
}

bool login_ok(const struct agent_login *l)
{
	return l->handle != 0 && l->url[0] != '\0' && printable(l->url, sizeof(l->url)) &&
	       printable(l->url_complete, sizeof(l->url_complete)) && l->code[0] != '\0' &&
	       printable(l->code, sizeof(l->code)) && l->host[0] != '\0' &&
	       printable(l->host, sizeof(l->host)) && l->qr_side <= AGENT_QR_MAX;
}

bool approval_ok(const struct agent_approval *a)
{
	if (strnlen(a->user, sizeof(a->user)) == sizeof(a->user) || !username_valid(a->user) ||
	    a->uid == 0 || a->nprojects > AGENT_PROJECTS_MAX)
		return false;
	for (size_t i = 0; i < a->nprojects; i++)
		if (strnlen(a->projects[i], sizeof(a->projects[i])) == sizeof(a->projects[i]) ||
		    !slug_valid(a->projects[i]))
			return false;
	return true;
}

void login_put(struct buf *b, const struct agent_login *l)
{
	wire_put_u64(b, l->handle);
	wire_put_str(b, l->url);
	wire_put_str(b, l->url_complete);
	wire_put_str(b, l->code);
	wire_put_str(b, l->host);
	wire_put_u8(b, l->qr_side);
	buf_add(b, l->qr, login_qr_size(l->qr_side));
}

void approval_put(struct buf *b, const struct agent_approval *a)
{
	wire_put_str(b, a->user);
	wire_put_u32(b, a->uid);
	wire_put_u16(b, (uint16_t)a->nprojects);
	for (size_t i = 0; i < a->nprojects; i++)
		wire_put_str(b, a->projects[i]);
}

bool login_parse(struct wire *w, struct agent_login *ret)
{
	const uint8_t *rows;

	ret->handle = wire_u64(w);
	wire_str(w, ret->url, sizeof(ret->url));
	wire_str(w, ret->url_complete, sizeof(ret->url_complete));
	wire_str(w, ret->code, sizeof(ret->code));
	wire_str(w, ret->host, sizeof(ret->host));
	ret->qr_side = wire_u8(w);
	if (!wire_ok(w) || !login_ok(ret))
		return false;
	rows = wire_bytes(w, login_qr_size(ret->qr_side));
	if (!rows)
		return false;
	memcpy(ret->qr, rows, login_qr_size(ret->qr_side));
	return true;
}

bool approval_parse(struct wire *w, struct agent_approval *ret)
{
	wire_str(w, ret->user, sizeof(ret->user));
	ret->uid = wire_u32(w);
	ret->nprojects = wire_u16(w);
	if (!wire_ok(w) || ret->nprojects > AGENT_PROJECTS_MAX)
		return false;
	for (size_t i = 0; i < ret->nprojects; i++)
		wire_str(w, ret->projects[i], sizeof(ret->projects[i]));
	return wire_ok(w) && approval_ok(ret);
}
