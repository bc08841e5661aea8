/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "feed/feed.h"

/* SNAP_ACTIVE to SNAP_REFUSED of snapshot.h; a feed never says "refused", that is the host's word.
 */
enum { STATE_FIRST = 1, STATE_LAST = 3 };

int feed_next(struct wire *records, struct feed_record *ret)
{
	if (wire_left(records) == 0)
		return wire_ok(records) ? 0 : -EBADMSG;
	uint32_t len = wire_u32(records);
	const uint8_t *whole = wire_bytes(records, len);

	if (!wire_ok(records) || whole == NULL || len < 8 || len > FEED_RECORD_MAX)
		return -EBADMSG;

	struct wire w;

	wire_init(&w, whole, len);
	ret->type = wire_u8(&w);
	ret->flags = wire_u8(&w);
	ret->version = wire_u16(&w);
	ret->subject = wire_u32(&w);
	ret->body = whole + 8;
	ret->body_len = len - 8;
	ret->whole = whole;
	ret->whole_len = len;
	return 1;
}

static bool record_begin(const struct feed_record *r, uint8_t type, struct wire *ret)
{
	wire_init(ret, r->body, r->body_len);
	return r->type == type && r->version == 1;
}

static bool state_valid(uint8_t state)
{
	return state >= STATE_FIRST && state <= STATE_LAST;
}

int feed_parse_project(const struct feed_record *r, struct feed_project *ret)
{
	struct feed_project p = {.state = 0};
	struct wire w;

	if (!record_begin(r, FEED_PROJECT, &w))
		return -EBADMSG;
	wire_str(&w, p.slug, sizeof(p.slug));
	wire_str(&w, p.name, sizeof(p.name));
	wire_str(&w, p.contact, sizeof(p.contact));
	p.state = wire_u8(&w);
	p.gid_rw = wire_u32(&w);
	p.gid_ro = wire_u32(&w);
	p.sso_max_age = wire_u32(&w);
	if (!wire_ok(&w) || !slug_valid(p.slug) || !gecos_valid(p.name) ||
	    !gecos_valid(p.contact) || !state_valid(p.state) || p.gid_rw == p.gid_ro)
		return -EBADMSG;
	*ret = p;
	return 0;
}

static bool member_valid(const struct feed_member *m)
{
	return username_valid(m->name) && gecos_valid(m->gecos) && path_valid(m->home) &&
	       path_valid(m->shell) && state_valid(m->user_state) && state_valid(m->state) &&
	       m->not_after >= 0 && m->ended_at >= 0 && m->sso_at >= 0;
}

int feed_parse_member(const struct feed_record *r, struct feed_member *ret)
{
	struct wire w;

	if (!record_begin(r, FEED_MEMBER, &w))
		return -EBADMSG;

	/* Parsed in place: the struct is 23 kB, and a copy for each of 100,000 members would show.
	 */
	wire_str(&w, ret->name, sizeof(ret->name));
	wire_str(&w, ret->gecos, sizeof(ret->gecos));
	wire_str(&w, ret->home, sizeof(ret->home));
	wire_str(&w, ret->shell, sizeof(ret->shell));
	ret->user_state = wire_u8(&w);
	ret->state = wire_u8(&w);
	ret->perms = wire_u32(&w);
	ret->not_after = wire_i64(&w);
	ret->ended_at = wire_i64(&w);
	ret->sso_at = wire_i64(&w);
	ret->nkeys = wire_u16(&w);
	if (!wire_ok(&w) || ret->nkeys > FEED_KEYS_MAX || !member_valid(ret))
		return -EBADMSG;
	for (size_t i = 0; i < ret->nkeys; i++) {
		ret->keys[i].not_after = wire_i64(&w);
		wire_str(&w, ret->keys[i].line, sizeof(ret->keys[i].line));
		if (!wire_ok(&w) || ret->keys[i].not_after < 0 ||
		    !sshkey_line_valid(ret->keys[i].line))
			return -EBADMSG;
	}
	return 0;
}

int feed_parse_group(const struct feed_record *r, struct feed_group *ret)
{
	struct feed_group g = {.nmembers = 0};
	struct wire w;

	if (!record_begin(r, FEED_GROUP, &w))
		return -EBADMSG;
	wire_str(&w, g.slug, sizeof(g.slug));
	g.nmembers = wire_u32(&w);
	if (!wire_ok(&w) || g.nmembers > wire_left(&w) / 4 || !slug_valid(g.slug))
		return -EBADMSG;
	g.members = wire_bytes(&w, (size_t)g.nmembers * 4);
	*ret = g;
	return 0;
}

int feed_parse_contents(const struct feed_record *r, struct feed_contents *ret)
{
	struct feed_contents c = {.slug = ""};
	struct wire w;

	if (!record_begin(r, FEED_CONTENTS, &w))
		return -EBADMSG;
	const uint8_t *id = wire_bytes(&w, sizeof(c.id));

	wire_str(&w, c.slug, sizeof(c.slug));
	if (!wire_ok(&w) || id == NULL || !slug_valid(c.slug))
		return -EBADMSG;
	memcpy(c.id, id, sizeof(c.id));
	*ret = c;
	return 0;
}

int feed_parse_next_key(const struct feed_record *r, struct feed_next_key *ret)
{
	struct wire w;

	if (!record_begin(r, FEED_NEXT_KEY, &w))
		return -EBADMSG;
	const uint8_t *key = wire_bytes(&w, FEED_KEY_LEN);
	int64_t not_before = wire_i64(&w);

	if (!wire_ok(&w) || key == NULL || not_before < 0)
		return -EBADMSG;
	memcpy(ret->key, key, FEED_KEY_LEN);
	ret->not_before = not_before;
	return 0;
}
