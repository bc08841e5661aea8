/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/wire.h"
#include "signing.h"

#define SEED_LEN  32
#define NEXT_LEN  (SEED_LEN + 8)
#define PATH_SIZE 520
#define NEXT_KEY  "feed.next.key"

/* ---- on disk --------------------------------------------------------------------------------- */

static int public_of(const uint8_t seed[static SEED_LEN], uint8_t public[static FEED_KEY_LEN])
{
	_cleanup_(feed_signer_freep) struct feed_signer *s = NULL;
	int r = feed_signer_new(seed, &s);

	if (r == 0)
		memcpy(public, feed_signer_public(s), FEED_KEY_LEN);
	return r;
}

/* The bytes of the next key; -ENOENT if there is none. */
static int next_read(const struct config *c, uint8_t bytes[static NEXT_LEN])
{
	char path[PATH_SIZE];
	int r = config_state_path(c, NEXT_KEY, path, sizeof(path));

	return r < 0 ? r : signing_read(path, bytes, NEXT_LEN);
}

static int current_read(const struct config *c, uint8_t public[static FEED_KEY_LEN])
{
	char path[PATH_SIZE];
	uint8_t seed[SEED_LEN];
	int r = signing_path(c, path, sizeof(path));

	if (r == 0)
		r = signing_read(path, seed, sizeof(seed));
	if (r == 0)
		r = public_of(seed, public);
	explicit_bzero(seed, sizeof(seed));
	return r;
}

int signing_keys_read(const struct config *c, struct signing_keys *ret)
{
	struct signing_keys k = {.announced = false};
	uint8_t bytes[NEXT_LEN];
	struct wire w;
	int r = current_read(c, k.current);

	if (r < 0)
		return r;
	r = next_read(c, bytes);
	if (r == 0) {
		wire_init(&w, bytes + SEED_LEN, NEXT_LEN - SEED_LEN);
		k.next.not_before = wire_i64(&w);
		r = public_of(bytes, k.next.key);
	}
	explicit_bzero(bytes, sizeof(bytes));
	if (r < 0 && r != -ENOENT)
		return r;
	/* Equal where a switch was interrupted before it took the next key away. */
	k.announced = r == 0 && memcmp(k.next.key, k.current, FEED_KEY_LEN) != 0;
	*ret = k;
	return 0;
}

int signing_next_make(const struct config *c, int64_t not_before)
{
	_cleanup_buf_ struct buf b = BUF_INIT(NEXT_LEN);
	struct signing_keys k;
	uint8_t seed[SEED_LEN];
	char path[PATH_SIZE];
	int r = signing_keys_read(c, &k);

	if (r == 0 && k.announced)
		r = -EEXIST;
	if (r == 0)
		r = config_state_path(c, NEXT_KEY, path, sizeof(path));
	if (r == 0)
		r = secret_random(seed, sizeof(seed));
	if (r < 0)
		return r;
	buf_add(&b, seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
	wire_put_i64(&b, not_before);
	if (buf_error(&b) < 0)
		return buf_error(&b);
	return io_replace_file(path, b.data, b.len, 0600, (uid_t)-1, (gid_t)-1);
}

/* The old one is kept first: at no moment is there no key, nor one that nobody has any more. */
static int key_replace(const char *path, const uint8_t seed[static SEED_LEN])
{
	char kept[PATH_SIZE + 8];
	uint8_t old[SEED_LEN];
	int r = signing_read(path, old, sizeof(old));

	if (r == 0 && memcmp(old, seed, SEED_LEN) != 0) {
		snprintf(kept, sizeof(kept), "%s.old", path);
		r = io_replace_file(kept, old, sizeof(old), 0600, (uid_t)-1, (gid_t)-1);
		if (r == 0)
			r = io_replace_file(path, seed, SEED_LEN, 0600, (uid_t)-1, (gid_t)-1);
	}
	explicit_bzero(old, sizeof(old));
	return r;
}

int signing_next_switch(const struct config *c)
{
	char path[PATH_SIZE], next[PATH_SIZE];
	uint8_t bytes[NEXT_LEN];
	int r = signing_path(c, path, sizeof(path));

	if (r == 0)
		r = config_state_path(c, NEXT_KEY, next, sizeof(next));
	if (r == 0)
		r = next_read(c, bytes);
	if (r == 0)
		r = key_replace(path, bytes);
	explicit_bzero(bytes, sizeof(bytes));
	if (r == 0 && unlink(next) < 0)
		r = -errno;
	return r < 0 ? r : io_sync_parent(next);
}

/* ---- in the service -------------------------------------------------------------------------- */

struct announcement {
	pthread_mutex_t lock;
	bool any;
	struct feed_next_key key;
	int64_t since;
};

static void announce(struct announcement *a, const struct signing_keys *k)
{
	uint8_t id[FEED_KEY_ID_LEN];
	char hex[HEX_LEN(FEED_KEY_ID_LEN) + 1], from[CLOCK_TEXT];

	pthread_mutex_lock(&a->lock);
	bool same = a->any == k->announced && memcmp(a->key.key, k->next.key, FEED_KEY_LEN) == 0 &&
		    a->key.not_before == k->next.not_before;
	if (!same) {
		a->any = k->announced;
		a->key = k->next;
		a->since = clock_now();
	}
	pthread_mutex_unlock(&a->lock);
	if (same || !k->announced)
		return;
	feed_key_id(k->next.key, id);
	hex_encode(id, sizeof(id), hex);
	clock_format(k->next.not_before, from);
	log_event(LOG_LEVEL_INFO, "next_key", "announced", "%s", hex, "from", "%s", from, NULL);
}

int signing_next_load(struct central *c)
{
	struct signing_keys k;
	int r = signing_keys_read(&c->config, &k);

	if (r == 0 && !c->announcement) {
		c->announcement = calloc(1, sizeof(*c->announcement));
		if (!c->announcement)
			r = -ENOMEM;
		else
			pthread_mutex_init(&c->announcement->lock, NULL);
	}
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "next_key", "reason", "%s", strerror(-r), NULL);
		return r;
	}
	announce(c->announcement, &k);
	if (memcmp(k.current, feed_signer_public(c->signer), FEED_KEY_LEN) != 0)
		log_event(LOG_LEVEL_WARN, "signing_key", "action", "%s",
		    "the key on disk is another one now: restart the service to sign with it",
		    NULL);
	return 0;
}

bool signing_next(const struct central *c, struct feed_next_key *ret, int64_t *ret_since)
{
	struct announcement *a = c->announcement;

	if (!a)
		return false;
	pthread_mutex_lock(&a->lock);
	bool any = a->any;
	if (any) {
		*ret = a->key;
		*ret_since = a->since;
	}
	pthread_mutex_unlock(&a->lock);
	return any;
}

void signing_next_free(struct central *c)
{
	if (!c->announcement)
		return;
	pthread_mutex_destroy(&c->announcement->lock);
	free(c->announcement);
	c->announcement = NULL;
}
