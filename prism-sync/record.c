/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/attr.h"
#include "record.h"

enum {
	TEXT_MAX_ = 2 * 256 + GECOS_MAX + USERNAME_MAX + 4 + FEED_KEYS_MAX * (SSHKEY_LINE_MAX + 16)
};

struct text {
	char *p;
	size_t n;
};

static uint16_t text_add(struct text *t, const char *s)
{
	size_t at = t->n, len = strlen(s) + 1;

	memcpy(t->p + at, s, len);
	t->n += len;
	return (uint16_t)at;
}

static struct record *block_new(const struct feed_record *r, const uint8_t *hash, size_t size)
{
	struct record *new = calloc(1, sizeof(*new) + size);

	if (new == NULL)
		return NULL;
	new->type = r->type;
	new->subject = r->subject;
	new->size = (uint32_t)size;
	memcpy(new->hash, hash, FEED_DIGEST_LEN);
	return new;
}

/* What the identity snapshot says of a person, in one number: see compiled_publish(). */
static uint64_t identity_of(uint64_t key, const char *text, size_t n)
{
	uint64_t h = key;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint32_t record_hash_name(uint64_t key, const char *s)
{
	uint64_t h = identity_of(key, s, strlen(s));

	return (uint32_t)(h ^ h >> 32);
}

static struct record *member_new(
    const struct feed_record *r, const uint8_t *hash, uint64_t key, const struct feed_member *m)
{
	char text[TEXT_MAX_];
	struct text t = {.p = text};

	text_add(&t, m->name);
	uint16_t gecos = text_add(&t, m->gecos), home = text_add(&t, m->home);
	uint16_t shell = text_add(&t, m->shell), keys = (uint16_t)t.n;

	for (size_t i = 0; i < m->nkeys; i++) {
		memcpy(t.p + t.n, &m->keys[i].not_after, sizeof(int64_t));
		t.n += sizeof(int64_t);
		text_add(&t, m->keys[i].line);
	}
	struct record *new = block_new(r, hash, t.n);

	if (new == NULL)
		return NULL;
	memcpy(new->text, text, t.n);
	new->identity = identity_of(key, text, keys);
	new->name_hash = record_hash_name(key, m->name);
	new->gecos = gecos;
	new->home = home;
	new->shell = shell;
	new->keys = keys;
	new->nkeys = (uint8_t)m->nkeys;
	new->user_state = m->user_state;
	new->state = m->state;
	new->perms = m->perms;
	new->not_after = m->not_after;
	new->ended_at = m->ended_at;
	new->sso_at = m->sso_at;
	return new;
}

static struct record *group_new(
    const struct feed_record *r, const uint8_t *hash, const struct feed_group *g)
{
	size_t slug = strlen(g->slug) + 1;
	struct record *new = block_new(r, hash, slug + (size_t)g->nmembers * 4);

	if (new == NULL)
		return NULL;
	memcpy(new->text, g->slug, slug);
	if (g->nmembers > 0)
		memcpy(new->text + slug, g->members, (size_t)g->nmembers * 4);
	new->keys = (uint16_t)slug;
	new->nmembers = g->nmembers;
	return new;
}

/* Not understood: the old names with the new hash, so that the digest goes on fitting. */
static struct record *broken_new(
    const struct feed_record *r, const uint8_t *hash, const struct record *old)
{
	size_t size = old != NULL ? old->size : 0;
	struct record *new = block_new(r, hash, size);

	if (new == NULL)
		return NULL;
	if (old != NULL) {
		memcpy(new, old, sizeof(*old) + size);
		memcpy(new->hash, hash, FEED_DIGEST_LEN);
	}
	new->flags = RECORD_BROKEN;
	new->judged = 0; /* the verdict was on the old form */
	return new;
}

int record_new(const struct feed_record *r, const uint8_t hash[static FEED_DIGEST_LEN],
    uint64_t key, const struct record *old, struct record **ret)
{
	/* 23 kB that need no clearing for each of 100,000 members: the count of keys bounds its
	 * use. */
	struct feed_member m;
	struct feed_project p;
	struct feed_group g;
	struct record *new;

	if (r->type == FEED_MEMBER && feed_parse_member(r, &m) == 0)
		new = member_new(r, hash, key, &m);
	else if (r->type == FEED_GROUP && feed_parse_group(r, &g) == 0)
		new = group_new(r, hash, &g);
	else if (r->type == FEED_PROJECT && feed_parse_project(r, &p) == 0)
		new = block_new(r, hash, 0);
	else
		new = broken_new(r, hash, old);
	if (new == NULL)
		return -ENOMEM;
	*ret = new;
	return 0;
}

const char *record_key(const struct record *r, size_t i, int64_t *ret_not_after)
{
	const char *at = r->text + r->keys;

	while (i-- > 0)
		at += sizeof(int64_t) + strlen(at + sizeof(int64_t)) + 1;
	memcpy(ret_not_after, at, sizeof(int64_t));
	return at + sizeof(int64_t);
}

uint32_t record_group_uid(const struct record *r, size_t i)
{
	struct wire w;

	wire_init(&w, r->text + r->keys + i * 4, 4);
	return wire_u32(&w);
}

/* ---- the table ------------------------------------------------------------------------------- */

static size_t table_hash(uint8_t type, uint32_t subject, size_t nslots)
{
	/* Neighbours stay together in runs of 64: ids are dense, and whole tables are walked often.
	 */
	uint64_t run = ((uint64_t)type << 32 | subject >> 6) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(run >> 32 << 6 | (subject & 63)) & (nslots - 1);
}

struct record **table_slot(const struct feed *f, uint8_t type, uint32_t subject)
{
	size_t i = table_hash(type, subject, f->nslots);

	while (
	    f->slots[i] != NULL && (f->slots[i]->subject != subject || f->slots[i]->type != type))
		i = (i + 1) & (f->nslots - 1);
	return &f->slots[i];
}

struct record *feed_find(const struct feed *f, uint8_t type, uint32_t subject)
{
	return f->nslots > 0 ? *table_slot(f, type, subject) : NULL;
}

int table_reserve(struct feed *f, size_t n)
{
	size_t want = 64;

	while (want < (f->nrecords + n) * 3 / 2)
		want *= 2;
	if (want <= f->nslots)
		return 0;
	struct feed bigger = {.slots = calloc(want, sizeof(*f->slots)), .nslots = want};

	if (bigger.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < f->nslots; i++)
		if (f->slots[i] != NULL)
			*table_slot(&bigger, f->slots[i]->type, f->slots[i]->subject) = f->slots[i];
	free(f->slots);
	f->slots = bigger.slots;
	f->nslots = want;
	return 0;
}

static void count_record(struct feed *f, const struct record *r, int by)
{
	f->nrecords += (size_t)by;
	if (r->type == FEED_MEMBER)
		f->nmembers += (size_t)by;
	if (r->flags & RECORD_HELD)
		f->nheld += (size_t)by;
}

void table_put(struct feed *f, struct record *r)
{
	struct record **slot = table_slot(f, r->type, r->subject);

	if (*slot != NULL) {
		count_record(f, *slot, -1);
		free(*slot);
	}
	*slot = r;
	count_record(f, r, 1);
}

/* Closes the gap, so that no tombstones slow the table down. */
void table_drop(struct feed *f, struct record *r)
{
	size_t mask = f->nslots - 1, hole = (size_t)(table_slot(f, r->type, r->subject) - f->slots);

	f->slots[hole] = NULL;
	for (size_t i = (hole + 1) & mask; f->slots[i] != NULL; i = (i + 1) & mask) {
		size_t home = table_hash(f->slots[i]->type, f->slots[i]->subject, f->nslots);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		f->slots[hole] = f->slots[i];
		f->slots[i] = NULL;
		hole = i;
	}
	count_record(f, r, -1);
	free(r);
}

void table_free(struct feed *f)
{
	for (size_t i = 0; i < f->nslots; i++)
		free(f->slots[i]);
	free(f->slots);
	f->slots = NULL;
	f->nslots = f->nrecords = f->nmembers = f->nheld = 0;
}
