/* SPDX-License-Identifier: MIT */
#ifndef COMPILE_WORK_H
#define COMPILE_WORK_H

/* What the compile_*.c files share while they compile one generation. */
#include "compile.h"

#define NONE UINT32_MAX

/*
 * Records lie all over the memory and are more than fit into a cache: who walks over them asks for
 * the one that is so many further on.
 */
#define AHEAD 8

/* One record that counts: of a person who is served, in a feed. */
struct membership {
	struct record *record;
	uint32_t person, feed;
	bool active, writes;
};

struct person {
	uint32_t ngrants, ngroups, grant_at, group_at;
	uint32_t last_group; /* counted last: a list may name somebody twice */
	uint32_t name_hash;
	uint64_t identity;
	uint8_t verdict;
	bool sudo, login;
};

/* The key beside the index saves a walk to the record for every probe. */
struct slot {
	uint32_t key;	/* the uid, or a hash of the name */
	uint32_t index; /* of the person; NONE: free */
};

struct feed_view {
	bool usable; /* its project is known, understood, active, and the feed is valid */
	uint32_t group_rw, group_ro; /* indexes, or NONE */
	uint32_t project;
};

struct work {
	struct model *model;
	const struct config *config;
	const struct local *local;
	struct compiled *out;
	int64_t now;
	struct person *persons;
	struct membership *members;
	size_t npersons, nmembers, total;
	size_t nnamed;		       /* records of groups */
	bool unknown;		       /* some record is not understood */
	struct slot *by_uid, *by_name; /* open addressing */
	size_t mask;
	struct record **of_person; /* records in the order of the grants */
	struct feed_view views[FEED_MANIFEST_MAX];
	size_t ngroups, max_groups, nkeys;
	bool sudo_taken; /* the group that sudo knows by its number is a local one as well */
};

/* compile.c */
void work_note_change(struct work *w, int64_t when);
void work_refuse(struct work *w, uint32_t id, const char *name, enum verdict v);
void work_each_record(struct work *w, void (*fn)(struct work *w, uint32_t feed, struct record *r));
struct slot *work_slot_of_uid(const struct work *w, uint32_t uid);

/* compile_group.c: projects, groups, validity; then who is in which group. */
int work_make_groups(struct work *w);
void work_count_groups(struct work *w);
void work_fill_groups(struct work *w);

/* compile_person.c: keys and states of people, once their grants are laid out; who is served. */
void work_fill_people(struct work *w);

#endif
