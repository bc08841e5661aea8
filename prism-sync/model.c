/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "base/secret.h"
#include "model.h"
#include "record.h"

int model_init(struct model *m, const uint8_t host_id[static FEED_ID_LEN])
{
	memset(m, 0, sizeof(*m));
	memcpy(m->host_id, host_id, FEED_ID_LEN);
	m->shrink_percent = 10;
	m->shrink_min = 2;
	return secret_random(&m->hash_key, sizeof(m->hash_key));
}

void model_release(struct model *m)
{
	for (size_t i = 0; i < m->nfeeds; i++)
		table_free(&m->feeds[i]);
	m->nfeeds = 0;
	free(m->lost);
	m->lost = NULL;
	m->nlost = 0;
}

struct feed *model_feed(struct model *m, const uint8_t id[static FEED_ID_LEN])
{
	for (size_t i = 0; i < m->nfeeds; i++)
		if (memcmp(m->feeds[i].id, id, FEED_ID_LEN) == 0)
			return &m->feeds[i];
	return NULL;
}

void model_lose(struct model *m, const struct record *r)
{
	struct lost *more = reallocarray(m->lost, m->nlost + 1, sizeof(*more));

	if (more == NULL)
		return;
	m->lost = more;
	more += m->nlost++;
	more->uid = r->subject;
	snprintf(more->name, sizeof(more->name), "%s", r->size > 0 ? r->text : "");
}

static void lose_record(struct model *m, const struct record *r)
{
	if (r->flags & RECORD_ACTIVE)
		model_lose(m, r);
}

/* ---- manifest -------------------------------------------------------------------------------- */

static void feed_drop(struct model *m, size_t i)
{
	struct feed *f = &m->feeds[i];

	for (size_t k = 0; k < f->nslots; k++)
		if (f->slots[k] != NULL)
			lose_record(m, f->slots[k]);
	table_free(f);
	memmove(f, f + 1, (--m->nfeeds - i) * sizeof(*f));
}

/* All contents are read before the first one counts. */
static int read_contents(
    struct wire records, struct feed_contents out[static FEED_MANIFEST_MAX], size_t *ret_n)
{
	struct feed_record r;
	size_t n = 0;

	while (feed_next(&records, &r) > 0) {
		if (r.type != FEED_CONTENTS)
			continue;
		if (n == FEED_MANIFEST_MAX || feed_parse_contents(&r, &out[n]) < 0)
			return -EBADMSG;
		n++;
	}
	*ret_n = n;
	return 0;
}

int model_apply_manifest(struct model *m, const struct feed_header *h, struct wire records,
    void (*dropped)(void *arg, const struct feed *f), void *arg)
{
	struct feed_contents contents[FEED_MANIFEST_MAX];
	bool changed = h->to != m->manifest_revision || h->epoch != m->manifest_epoch;
	size_t n = 0;

	if (memcmp(h->id, m->host_id, FEED_ID_LEN) != 0)
		return -EXDEV;
	if (m->manifest_known && !changed && h->issued_at <= m->manifest_issued_at)
		return APPLY_STALE;
	int rc = read_contents(records, contents, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < m->nfeeds; i++)
		m->feeds[i].listed = false;
	for (size_t i = 0; i < n; i++) {
		struct feed *f = model_feed(m, contents[i].id);

		if (f != NULL)
			f->listed = true;
	}
	for (size_t i = m->nfeeds; i-- > 0;) {
		if (m->feeds[i].listed)
			continue;
		dropped(arg, &m->feeds[i]);
		feed_drop(m, i);
	}
	for (size_t i = 0; i < n; i++) {
		struct feed *f = model_feed(m, contents[i].id);

		if (f == NULL) {
			f = &m->feeds[m->nfeeds++];
			memset(f, 0, sizeof(*f));
			memcpy(f->id, contents[i].id, FEED_ID_LEN);
			f->listed = true;
		}
		memcpy(f->slug, contents[i].slug, sizeof(f->slug));
	}
	m->manifest_known = true;
	m->manifest_epoch = h->epoch;
	m->manifest_revision = h->to;
	m->manifest_issued_at = h->issued_at;
	m->manifest_valid_until = h->valid_until;
	return changed ? APPLY_CHANGED : APPLY_RENEWED;
}

/* ---- feeds ----------------------------------------------------------------------------------- */

/* A message being applied: its records' keys and hashes, in their order. */
struct incoming {
	uint64_t *keys; /* type and subject */
	uint8_t (*hashes)[FEED_DIGEST_LEN];
	size_t n;
};

static void incoming_free(struct incoming *in)
{
	free(in->keys);
	free(in->hashes);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The service sends records in the order of their keys, so there is hardly ever anything to sort.
 */
static bool keys_unique(uint64_t *keys, size_t n)
{
	bool ascending = true;

	for (size_t i = 1; i < n && ascending; i++)
		ascending = keys[i - 1] < keys[i];
	if (ascending)
		return true;
	qsort(keys, n, sizeof(*keys), compare_u64);
	for (size_t i = 1; i < n; i++)
		if (keys[i - 1] == keys[i])
			return false;
	return true;
}

/* What the digest will be. Nothing of the feed changes. */
static int foresee(const struct feed *f, const struct feed_header *h, struct wire records,
    struct incoming *in, uint8_t digest[static FEED_DIGEST_LEN])
{
	struct feed_record r;

	memset(digest, 0, FEED_DIGEST_LEN);
	if (h->kind == FEED_DELTA)
		memcpy(digest, f->digest, FEED_DIGEST_LEN);
	for (in->n = 0; feed_next(&records, &r) > 0; in->n++) {
		const struct record *old =
		    h->kind == FEED_DELTA ? feed_find(f, r.type, r.subject) : NULL;

		in->keys[in->n] = (uint64_t)r.type << 32 | r.subject;
		if (old != NULL && !(old->flags & RECORD_HELD))
			feed_digest_mix(digest, old->hash, -1);
		if (r.flags & FEED_RECORD_DELETED)
			continue;
		int rc = feed_hash(r.whole, r.whole_len, in->hashes[in->n]);

		if (rc < 0)
			return -ENOMEM;
		feed_digest_mix(digest, in->hashes[in->n], 1);
	}
	return 0;
}

static void note_project(struct feed *f, const struct feed_record *r)
{
	struct feed_project p;

	if (r->flags & FEED_RECORD_DELETED) {
		f->project_known = f->project_broken = false;
	} else if (feed_parse_project(r, &p) == 0) {
		f->project = p;
		f->project_known = true;
		f->project_broken = false;
	} else {
		f->project_broken = true;
	}
}

static int apply_record(
    struct model *m, struct feed *f, const struct feed_record *r, const uint8_t *hash)
{
	struct record *old = feed_find(f, r->type, r->subject), *new;

	if (r->type == FEED_PROJECT && r->subject == 0)
		note_project(f, r);
	if (r->flags & FEED_RECORD_DELETED) {
		if (old != NULL) {
			lose_record(m, old);
			table_drop(f, old);
		}
		return 0;
	}
	if (old != NULL && memcmp(old->hash, hash, FEED_DIGEST_LEN) == 0) {
		if (old->flags & RECORD_HELD)
			f->nheld--;
		old->flags = (uint8_t)((old->flags & ~RECORD_HELD) | RECORD_SEEN);
		return 0;
	}
	int rc = record_new(r, hash, m->hash_key, old, &new);

	if (rc < 0)
		return rc;
	new->flags |= RECORD_SEEN;
	if (old != NULL)
		new->flags |= old->flags &(RECORD_ACTIVE | RECORD_GROUPS);
	table_put(f, new);
	return 0;
}

/*
 * The shrink guard: what a full feed lacks is held when it is too much at once. Who is held stays
 * so, also when few are left of them.
 */
static void settle_missing(struct model *m, struct feed *f)
{
	size_t missing = 0, total = f->nmembers;

	for (size_t i = 0; i < f->nslots; i++)
		if (f->slots[i] != NULL && f->slots[i]->type == FEED_MEMBER &&
		    !(f->slots[i]->flags & RECORD_SEEN))
			missing++;
	bool hold = missing >= m->shrink_min && missing * 100 > total * (size_t)m->shrink_percent;

	for (size_t i = 0; i < f->nslots;) {
		struct record *r = f->slots[i];

		if (r == NULL || r->flags & RECORD_SEEN) {
			i++;
		} else if (r->type == FEED_MEMBER && (hold || r->flags & RECORD_HELD)) {
			f->nheld += !(r->flags & RECORD_HELD);
			r->flags |= RECORD_HELD;
			i++;
		} else {
			/* Another record may move into this slot: look at it again. */
			lose_record(m, r);
			table_drop(f, r);
		}
	}
}

bool model_let_go(struct model *m, struct feed *f, uint32_t uid)
{
	struct record *r = feed_find(f, FEED_MEMBER, uid);

	if (r == NULL || !(r->flags & RECORD_HELD))
		return false;
	lose_record(m, r);
	table_drop(f, r);
	return true;
}

static int apply_records(
    struct model *m, struct feed *f, bool full, struct wire records, const struct incoming *in)
{
	struct feed_record r;
	int rc = table_reserve(f, in->n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; full && i < f->nslots; i++)
		if (f->slots[i] != NULL)
			f->slots[i]->flags &= (uint8_t)~RECORD_SEEN;
	for (size_t i = 0; feed_next(&records, &r) > 0; i++) {
		rc = apply_record(m, f, &r, in->hashes[i]);
		if (rc < 0)
			return rc;
	}
	if (full)
		settle_missing(m, f);
	return 0;
}

/* Whether this message has anything to say to a feed in this state: 1, 0, or why not. */
static int relevant(struct feed *f, const struct feed_header *h)
{
	bool same = h->epoch == f->epoch && f->revision > 0;

	if (h->kind == FEED_FULL) {
		if (same && h->to == f->revision && h->issued_at <= f->issued_at && !f->want_full)
			return 0;
		return 1;
	}
	if (!same) {
		f->want_full = true;
		return -EAGAIN;
	}
	if (h->to < f->revision || (h->to == f->revision && h->issued_at <= f->issued_at))
		return 0;
	return h->from == f->revision ? 1 : -EAGAIN;
}

int model_apply_feed(struct model *m, const struct feed_header *h, struct wire records)
{
	struct feed *f = model_feed(m, h->id);
	uint8_t digest[FEED_DIGEST_LEN];

	if (f == NULL)
		return -EXDEV;
	int rc = relevant(f, h);

	if (rc <= 0)
		return rc;
	_cleanup_(incoming_free) struct incoming in = {
	    .keys = calloc(h->nrecords + 1, sizeof(*in.keys)),
	    .hashes = calloc(h->nrecords + 1, sizeof(*in.hashes)),
	};

	if (in.keys == NULL || in.hashes == NULL)
		return -ENOMEM;
	rc = foresee(f, h, records, &in, digest);
	if (rc < 0)
		return rc;
	if (!keys_unique(in.keys, in.n) || memcmp(digest, h->digest, FEED_DIGEST_LEN) != 0) {
		f->want_full = true;
		return -EBADMSG;
	}
	rc = apply_records(m, f, h->kind == FEED_FULL, records, &in);
	if (rc < 0)
		return rc;

	bool changed = h->kind == FEED_FULL || h->to != f->revision;

	memcpy(f->digest, digest, FEED_DIGEST_LEN);
	f->epoch = h->epoch;
	f->revision = h->to;
	f->issued_at = h->issued_at;
	f->valid_until = h->valid_until;
	if (h->kind == FEED_FULL)
		f->want_full = false;
	if (h->kind == FEED_FULL && f->nheld > 0)
		return APPLY_CHANGED_HELD;
	return changed ? APPLY_CHANGED : APPLY_RENEWED;
}
