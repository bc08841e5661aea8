/* SPDX-License-Identifier: MIT */
#ifndef SIGNING_H
#define SIGNING_H

/*
 * The keys that hosts trust. Whoever holds the feed key can grant access on every host, so:
 *
 * - the key files MUST be regular, owned by the service's user or root, and closed to everybody
 *   else (0600), or the service does not start;
 * - the feed key MUST NOT be replaced silently: a missing file next to a database that has hosts is
 *   an error, never a reason to make a new key;
 * - the recovery key's private half is written once, to state_dir/recovery.key.offline, and belongs
 *   in a safe: the service needs its public half only (state_dir/recovery.pub).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "central.h"

/*
 * Load the feed key and the recovery key's id into *c (c->signer, c->recovery_key_id); with
 * "create", make those that are missing. 0 or -errno; logs what went wrong.
 */
int signing_open(struct central *c, bool create);
void signing_close(struct central *c);

/*
 * signing_next.c: the feed key's successor.
 *
 * It lies in state_dir/feed.next.key, 0600: 32 raw private bytes, then the time before which it
 * signs nothing (i64, little-endian). While it is there every manifest announces it, signed by the
 * current key, and hosts pin it. The switch puts its 32 bytes in the place of the current key,
 * whose own are kept beside it with ".old" behind the name. Outside this file the time is not told
 * to anybody: whoever can write the database cannot announce a key.
 */
struct signing_keys {
	uint8_t current[FEED_KEY_LEN]; /* public */
	bool announced;
	struct feed_next_key next;
};

/* What lies on disk. 0 or -errno. */
int signing_keys_read(const struct config *c, struct signing_keys *ret);
/* Make a next key. 0, -EEXIST, or -errno. */
int signing_next_make(const struct config *c, int64_t not_before);
/* Make the next key the current one. 0, -ENOENT (there is none), or -errno; can be repeated. */
int signing_next_switch(const struct config *c);

/*
 * At start and on SIGHUP: announce what lies on disk now. 0 or -errno, and then what was announced
 * before stays; logs either.
 */
int signing_next_load(struct central *c);
/* Whether a key is announced, and since when by this process. From any thread. */
bool signing_next(const struct central *c, struct feed_next_key *ret, int64_t *ret_since);
void signing_next_free(struct central *c);

/* For signing_next.c: the path of the feed key; a private file of exactly n bytes. 0 or -errno. */
int signing_path(const struct config *c, char *out, size_t size);
int signing_read(const char *path, uint8_t *out, size_t n);

/* Ed25519 signature by the feed key over exactly these bytes, for tokens. 0 or -errno. */
int signing_sign(void *central, const void *p, size_t n, uint8_t sig[64]);

#endif
