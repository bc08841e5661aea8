/* SPDX-License-Identifier: MIT */
#ifndef MODEL_H
#define MODEL_H

/*
 * What this host holds of its feeds, in memory: one block of memory for each record, found by
 * (type, subject). Of a record only its hash and what a snapshot needs are kept.
 *
 * A message changes a feed only after its digest has been found equal to what the feed would then
 * be; so a feed is always the state of exactly one signed revision, plus the members that the
 * shrink guard holds (they are outside the digest).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "feed/feed.h"

enum record_flag {
	RECORD_HELD = 1,    /* vanished from a full feed without a tombstone: kept as it was */
	RECORD_BROKEN = 2,  /* its newest form is not understood: the subject is refused */
	RECORD_SEEN = 4,    /* in the full feed that is being applied */
	RECORD_ACTIVE = 8,  /* gave access in the last generation: its loss ends sessions */
	RECORD_GROUPS = 16, /* gave its project's groups in the last generation */
};

struct record {
	uint8_t type, flags; /* enum feed_type, enum record_flag */
	uint8_t user_state, state;
	uint32_t subject;
	uint32_t perms;
	uint32_t judged; /* refuse.c: the round that "verdict" is of; 0 never */
	uint8_t verdict;
	uint8_t nkeys;
	uint16_t gecos, home, shell, keys; /* offsets in text; the name (or slug) is at 0 */
	uint32_t name_hash;		   /* of a member: record_hash_name() of the name */
	int64_t not_after, ended_at, sso_at;
	uint64_t identity; /* of a member: a hash of name, gecos, home and shell */
	uint8_t hash[FEED_DIGEST_LEN];
	uint32_t nmembers; /* of a group: that many uids at "keys" */
	uint32_t size;
	char text[]; /* name, gecos, home, shell; each key: i64 not_after and its line */
};

struct feed {
	uint8_t id[FEED_ID_LEN];
	char slug[SLUG_MAX + 1]; /* as the manifest has it */
	uint64_t epoch, revision;
	int64_t issued_at, valid_until;
	uint8_t digest[FEED_DIGEST_LEN];
	struct feed_project project;
	bool project_known, project_broken;
	struct record **slots; /* open addressing, a power of two */
	size_t nslots, nrecords;
	size_t nmembers, nheld;
	bool want_full;			   /* ask for a full feed next */
	size_t journal_full, journal_size; /* lengths of its first frame and of the whole file */
	int64_t journal_valid_until;	   /* what the journal would give after a restart */
	bool listed;			   /* by the manifest that is being applied */
};

/* Somebody who lost an active membership; the name is kept because the record may be gone. */
struct lost {
	uint32_t uid;
	char name[USERNAME_MAX + 1];
};

struct model {
	uint8_t host_id[FEED_ID_LEN];
	uint64_t manifest_epoch, manifest_revision;
	int64_t manifest_issued_at, manifest_valid_until;
	bool manifest_known;
	struct feed feeds[FEED_MANIFEST_MAX];
	size_t nfeeds;
	uint32_t shrink_percent, shrink_min;
	struct lost *lost; /* since the last publication */
	size_t nlost;
	/*
	 * Of the hashes that tell whether people look as before. Random: people choose their own
	 * names, and nobody may choose one that makes up for a group that was taken away.
	 */
	uint64_t hash_key;
};

enum apply {
	APPLY_STALE = 0,   /* nothing new in it */
	APPLY_RENEWED = 1, /* a later validity, nothing else */
	APPLY_CHANGED = 2,
	APPLY_CHANGED_HELD = 3, /* a full feed, and the guard holds some that it lacks */
};

/* 0 or -errno. */
int model_init(struct model *m, const uint8_t host_id[static FEED_ID_LEN]);
void model_release(struct model *m);

struct feed *model_feed(struct model *m, const uint8_t id[static FEED_ID_LEN]);

/*
 * Apply a manifest that feed_open() and trust_check() let through. Feeds that it drops are gone at
 * once; "dropped" is told of each, before. Returns enum apply; -EBADMSG, -ENOMEM, or -EXDEV: not
 * this host's.
 */
int model_apply_manifest(struct model *m, const struct feed_header *h, struct wire records,
    void (*dropped)(void *arg, const struct feed *f), void *arg);

/*
 * Apply a full feed or a delta. Returns enum apply, or
 *	-EXDEV	  the manifest does not name this feed
 *	-EAGAIN	  a delta that begins elsewhere: ask again from where this host is
 *	-EBADMSG  the digest does not fit, or a record comes twice: want_full is set
 *	-ENOMEM	  the feed may be half changed: the caller starts anew from its journal
 * With any other the feed is what it was.
 */
int model_apply_feed(struct model *m, const struct feed_header *h, struct wire records);

/* A held member leaves, as by a tombstone. False: nobody of that uid is held. */
bool model_let_go(struct model *m, struct feed *f, uint32_t uid);

/* The record, or NULL. */
struct record *feed_find(const struct feed *f, uint8_t type, uint32_t subject);

/* Key i of a member, in place. */
const char *record_key(const struct record *r, size_t i, int64_t *ret_not_after);
/* A hash of a name under the model's key, for tables in memory. */
uint32_t record_hash_name(uint64_t key, const char *s);
/* uid i of a group. */
uint32_t record_group_uid(const struct record *r, size_t i);

/* Note that this member lost access; never fails (at worst a session outlives a full memory). */
void model_lose(struct model *m, const struct record *r);

#endif
