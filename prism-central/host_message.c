/* SPDX-License-Identifier: MIT */
#include "host_message.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/wire.h"
#include "central.h"
#include "feed/feed.h"

#define BUCKETS 4096

struct message_key {
	int64_t project, epoch, from, to;
};

struct message {
	struct feed_message out; /* first: what callers hold */
	struct buf bytes;
	struct message_key key;
	int64_t issued_at;
	atomic_uint refs;
	bool building, cached;
	struct message *chain;	       /* of its bucket */
	struct message *newer, *older; /* by last use */
};

struct feed_cache {
	pthread_mutex_t lock;
	pthread_cond_t built;
	struct message *bucket[BUCKETS];
	struct message *newest, *oldest;
	size_t held;
	atomic_ullong made;
};

/* ---- the index; all with the lock held ------------------------------------------------------- */

static size_t bucket_of(const struct message_key *k)
{
	const uint64_t parts[] = {
	    (uint64_t)k->project, (uint64_t)k->epoch, (uint64_t)k->from, (uint64_t)k->to};
	uint64_t h = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		h = (h ^ parts[i]) * 0x9e3779b97f4a7c15u;
	return (size_t)(h >> 40) % BUCKETS;
}

static bool key_equal(const struct message_key *a, const struct message_key *b)
{
	return a->project == b->project && a->epoch == b->epoch && a->from == b->from &&
	       a->to == b->to;
}

static struct message *cache_find(struct feed_cache *f, const struct message_key *k)
{
	struct message *m = f->bucket[bucket_of(k)];

	while (m && !key_equal(&m->key, k))
		m = m->chain;
	return m;
}

static void list_remove(struct feed_cache *f, struct message *m)
{
	*(m->newer ? &m->newer->older : &f->newest) = m->older;
	*(m->older ? &m->older->newer : &f->oldest) = m->newer;
	m->newer = m->older = NULL;
}

static void list_push(struct feed_cache *f, struct message *m)
{
	m->older = f->newest;
	m->newer = NULL;
	*(f->newest ? &f->newest->newer : &f->oldest) = m;
	f->newest = m;
}

static size_t message_cost(const struct message *m)
{
	return sizeof(*m) + m->bytes.cap;
}

static void message_put(struct message *m)
{
	if (atomic_fetch_sub(&m->refs, 1) != 1)
		return;
	buf_free(&m->bytes);
	free(m);
}

static void cache_remove(struct feed_cache *f, struct message *m)
{
	struct message **at = &f->bucket[bucket_of(&m->key)];

	while (*at != m)
		at = &(*at)->chain;
	*at = m->chain;
	list_remove(f, m);
	if (!m->building)
		f->held -= message_cost(m);
	m->cached = false;
	message_put(m);
}

/* The cache's own reference comes with it. */
static void cache_insert(struct feed_cache *f, struct message *m)
{
	struct message **at = &f->bucket[bucket_of(&m->key)];

	m->chain = *at;
	*at = m;
	list_push(f, m);
	m->cached = true;
	atomic_fetch_add(&m->refs, 1);
}

static void cache_trim(struct feed_cache *f)
{
	struct message *m = f->oldest;

	while (m && f->held > MESSAGE_CACHE_MAX) {
		struct message *next = m->newer;
		if (!m->building)
			cache_remove(f, m);
		m = next;
	}
}

/* ---- making one ------------------------------------------------------------------------------ */

static int message_build(
    struct central *c, struct tx *t, const struct feed_state *st, struct message *m)
{
	_cleanup_buf_ struct buf records = BUF_INIT(FEED_MESSAGE_MAX);
	const struct message_key *k = &m->key;
	struct feed_header h = {
	    .kind = k->from == 0 ? FEED_FULL : FEED_DELTA,
	    .epoch = (uint64_t)k->epoch,
	    .from = (uint64_t)k->from,
	    .to = (uint64_t)k->to,
	    .issued_at = m->issued_at,
	    .valid_until = m->issued_at + c->config.feed_validity,
	};
	int64_t n = k->from == k->to ? 0 : feed_records_read(t, k->project, k->from, &records);

	if (n < 0 || n > UINT32_MAX)
		return n < 0 ? (int)n : -EMSGSIZE;
	h.nrecords = (uint32_t)n;
	memcpy(h.id, st->id, sizeof(h.id));
	memcpy(h.digest, st->digest, sizeof(h.digest));
	wire_put_u32(&m->bytes, 0);
	int r = feed_sign(c->signer, &h, records.data, records.len, &m->bytes);
	if (r < 0)
		return r;
	size_t len = m->bytes.len - 4;
	for (int i = 0; i < 4; i++)
		m->bytes.data[i] = (uint8_t)(len >> (8 * i));
	m->out = (struct feed_message){.frame = m->bytes.data, .len = m->bytes.len};
	atomic_fetch_add(&c->feeds->made, 1);
	return 0;
}

/* With the lock held: one that is ready and fresh, or NULL when the caller must make it. */
static struct message *cache_take(struct feed_cache *f, const struct message_key *k, int64_t now)
{
	for (;;) {
		struct message *m = cache_find(f, k);
		if (!m)
			return NULL;
		if (m->building) {
			pthread_cond_wait(&f->built, &f->lock);
			continue;
		}
		if (now - m->issued_at > MESSAGE_FRESH || m->issued_at > now) {
			cache_remove(f, m);
			return NULL;
		}
		list_remove(f, m);
		list_push(f, m);
		atomic_fetch_add(&m->refs, 1);
		return m;
	}
}

int feed_message_get(struct central *c, struct tx *t, const struct feed_state *st, int64_t from,
    int64_t now, struct feed_message **ret)
{
	struct feed_cache *f = c->feeds;
	struct message_key key = {st->project, st->epoch, from, st->revision};

	pthread_mutex_lock(&f->lock);
	struct message *m = cache_take(f, &key, now);
	if (m) {
		pthread_mutex_unlock(&f->lock);
		*ret = &m->out;
		return 0;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		pthread_mutex_unlock(&f->lock);
		return -ENOMEM;
	}
	buf_init(&m->bytes, FEED_MESSAGE_MAX);
	m->key = key;
	m->issued_at = now;
	m->building = true;
	atomic_init(&m->refs, 1);
	cache_insert(f, m);
	pthread_mutex_unlock(&f->lock);

	int r = message_build(c, t, st, m);

	pthread_mutex_lock(&f->lock);
	if (r < 0)
		cache_remove(f, m);
	m->building = false;
	if (r == 0) {
		f->held += message_cost(m);
		cache_trim(f);
	}
	pthread_cond_broadcast(&f->built);
	pthread_mutex_unlock(&f->lock);
	if (r < 0) {
		message_put(m);
		return r;
	}
	*ret = &m->out;
	return 0;
}

void feed_message_release(void *message)
{
	if (message)
		message_put(message);
}

uint64_t feed_messages_signed(const struct central *c)
{
	return atomic_load(&c->feeds->made);
}

size_t feed_messages_held(struct central *c)
{
	pthread_mutex_lock(&c->feeds->lock);
	size_t n = c->feeds->held;
	pthread_mutex_unlock(&c->feeds->lock);
	return n;
}

int feed_start(struct central *c)
{
	struct feed_cache *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->built, NULL);
	c->feeds = f;
	return 0;
}

void feed_stop(struct central *c)
{
	struct feed_cache *f = c->feeds;

	if (!f)
		return;
	while (f->newest)
		cache_remove(f, f->newest);
	pthread_cond_destroy(&f->built);
	pthread_mutex_destroy(&f->lock);
	free(f);
	c->feeds = NULL;
}
