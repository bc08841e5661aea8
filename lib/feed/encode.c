/* SPDX-License-Identifier: MIT */
#include "feed/feed.h"

void feed_put_record(
    struct buf *b, uint8_t type, uint8_t flags, uint32_t subject, const void *body, size_t body_len)
{
	wire_put_u32(b, (uint32_t)(8 + body_len));
	wire_put_u8(b, type);
	wire_put_u8(b, flags);
	wire_put_u16(b, 1);
	wire_put_u32(b, subject);
	buf_add(b, body, body_len);
}

void feed_body_project(struct buf *b, const struct feed_project *p)
{
	wire_put_str(b, p->slug);
	wire_put_str(b, p->name);
	wire_put_str(b, p->contact);
	wire_put_u8(b, p->state);
	wire_put_u32(b, p->gid_rw);
	wire_put_u32(b, p->gid_ro);
	wire_put_u32(b, p->sso_max_age);
}

void feed_body_member(struct buf *b, const struct feed_member *m)
{
	wire_put_str(b, m->name);
	wire_put_str(b, m->gecos);
	wire_put_str(b, m->home);
	wire_put_str(b, m->shell);
	wire_put_u8(b, m->user_state);
	wire_put_u8(b, m->state);
	wire_put_u32(b, m->perms);
	wire_put_i64(b, m->not_after);
	wire_put_i64(b, m->ended_at);
	wire_put_i64(b, m->sso_at);
	wire_put_u16(b, m->nkeys);
	for (size_t i = 0; i < m->nkeys && i < FEED_KEYS_MAX; i++) {
		wire_put_i64(b, m->keys[i].not_after);
		wire_put_str(b, m->keys[i].line);
	}
}

void feed_body_group(struct buf *b, const struct feed_group *g)
{
	wire_put_str(b, g->slug);
	wire_put_u32(b, g->nmembers);
	buf_add(b, g->members, (size_t)g->nmembers * 4);
}

void feed_body_contents(struct buf *b, const struct feed_contents *c)
{
	buf_add(b, c->id, sizeof(c->id));
	wire_put_str(b, c->slug);
}

void feed_body_next_key(struct buf *b, const struct feed_next_key *k)
{
	buf_add(b, k->key, sizeof(k->key));
	wire_put_i64(b, k->not_before);
}
