/* SPDX-License-Identifier: MIT */
#ifndef TRUST_H
#define TRUST_H

/*
 * What this host believes without being told again: the pinned keys of the feed, its own host id,
 * the address of the service and the name that this host has there (so that people who log in are
 * sent to the service's own pages, and can compare the name on them), and for every feed the newest
 * (epoch, revision) that it has seen, below which nothing is accepted any more. Two small text
 * files in /var/lib/prism/trust, replaced whole and fsynced.
 *
 * MUST: a key is pinned at enrolment, or announced in a manifest that the current key signed; the
 * announced key signs nothing before its time; from its first message on the older key signs
 * nothing new any more (it still opens this host's own journals). A floor is never lowered.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "feed/feed.h"

enum trust_role { TRUST_CURRENT = 1, TRUST_NEXT, TRUST_RETIRED };

struct trust_key {
	uint8_t key[FEED_KEY_LEN];
	int64_t not_before;
	uint8_t role;
};

struct trust_floor {
	uint8_t id[FEED_ID_LEN];
	uint64_t epoch, revision;
};

struct trust {
	char dir[512];
	uint8_t host_id[FEED_ID_LEN];
	uint8_t recovery_id[FEED_KEY_ID_LEN];
	char url[512]; /* without '/' at its end; "" where an older version enrolled this host */
	char name[64]; /* "" likewise */
	struct trust_key keys[4];
	size_t nkeys;
	struct trust_floor *floors;
	size_t nfloors;
	int64_t issued_at; /* of the newest message ever accepted: time never runs before it */
	bool floors_dirty;
};

/*
 * Read both files. 0; -ENOENT: not enrolled; -EBADMSG: a file is damaged (the floors may not be
 * guessed: enrol again); another -errno. Release with trust_release().
 */
int trust_load(const char *dir, struct trust *ret);
void trust_release(struct trust *t);

/* Whether this may be a host's name: letters, digits, '-', '_' and '.', not empty, and it fits. */
bool trust_name_ok(const char *name);

/* Write the pins, and the floors if they have moved. 0 or -errno. */
int trust_save_pins(const struct trust *t);
int trust_save_floors(struct trust *t);

/* The keys that may sign a new message at "now"; with "replay" the retired ones too. */
void trust_keys(const struct trust *t, int64_t now, bool replay, struct feed_trust *ret);

/* 0, or -ESTALE when (epoch, revision) lies below the floor of this feed. */
int trust_check(const struct trust *t, const uint8_t *id, uint64_t epoch, uint64_t revision);
/* Raise the floor, and the newest issued_at. 0 or -ENOMEM. */
int trust_raise(
    struct trust *t, const uint8_t *id, uint64_t epoch, uint64_t revision, int64_t issued_at);

/* A manifest signed by key_id announces this one. 1: the pins changed, 0: they did not. */
int trust_announce(struct trust *t, const uint8_t *signer_id, const struct feed_next_key *next);
/* A new message was opened by this key. 1: it was the next key, which is the current one now. */
int trust_promote(struct trust *t, const uint8_t *signer_id);

#endif
