/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_WRITE_H
#define SNAPSHOT_WRITE_H

/*
 * The writer's inside. The file is laid out in memory, in two passes over the source: the first
 * checks everything and adds up sizes, the second fills in. Both go through the source in its
 * order.
 */
#include "format.h"
#include "snapshot.h"

struct writer;

/* What differs between the kinds, in the order of the calls. */
struct writer_content {
	int (*begin)(struct writer *w); /* measures what is not about users */
	bool (*measure_user)(struct writer *w, const struct snap_user *u); /* false: a limit */
	void (*layout)(struct writer *w);
	int (*put)(struct writer *w); /* may be called again with another seed */
};

extern const struct writer_content identity_content, access_content;

struct writer {
	const struct snap_source *src;
	enum snap_kind kind;
	const struct writer_content *content;
	struct writer_team *teams; /* identity: of each group */
	struct writer_user {
		uint32_t uid; /* SNAP_ID_NONE: refused, not in the table by uid */
		uint32_t index;
	} * users; /* those that this kind has, as the source gives them */
	size_t nusers;
	bool split_names;
	uint64_t records; /* bytes of users' records, from measure_user() */
	uint8_t *base;
	uint64_t size; /* of the file, once it is laid out */
	uint64_t at;   /* where the next record goes */
	uint64_t seed; /* of the hash of names */
	struct snap_extent section[SNAP_NSECTIONS];
};

/*
 * Text without control characters and without "forbidden" (0: nothing more), of at most "max"
 * bytes. Returns its length, or -EINVAL, also for NULL.
 */
int text_length(const char *s, size_t max, char forbidden);
/* A name of 1 to SNAP_NAME_MAX printable bytes that no line of passwd or group stumbles over. */
int name_length(const char *s);

/* Append a section of so many bytes, or a table for n keys; SNAP_SEC_RECORDS comes last. */
void writer_section(struct writer *w, enum snap_section which, uint64_t bytes);
void writer_table(struct writer *w, enum snap_section which, size_t n);
/* The memory for what was laid out. 0 or -ENOMEM. */
int writer_allocate(struct writer *w);
/* The next record of so many bytes, at an aligned place; it was counted when sizes were added up.
 */
uint8_t *writer_record(struct writer *w, uint64_t bytes);
uint32_t writer_number(const struct writer *w, const void *record);

/* The keys of a user that is about to be entered: their slots are fetched meanwhile. */
void writer_expect(const struct writer *w, const char *name, size_t n, uint32_t id);

/*
 * Enter a record. "name_at" says where records of this table have their name; with a negative one
 * the name's offset is the u32 at -name_at. -EINVAL: the key is already there. -EAGAIN: too many
 * probes, try another seed.
 */
int writer_enter_name(struct writer *w, enum snap_section which, const char *name, size_t n,
    const void *record, int name_at);
int writer_enter_id(struct writer *w, enum snap_section which, uint32_t id, const void *record);
/* A filter for n names, and a name in it. */
void writer_filter(struct writer *w, enum snap_section which, size_t n);
void writer_filter_add(struct writer *w, enum snap_section which, const char *name, size_t n);
/* Fill a section of record numbers by ascending id; sorts the pairs. 0 or -ENOMEM. */
struct writer_pair {
	uint32_t id;
	uint32_t number;
};

int writer_order(struct writer *w, enum snap_section which, struct writer_pair *pairs, size_t n);

/* Whether a table has the key, for names and ids that two tables share. */
bool writer_has_name(
    const struct writer *w, enum snap_section which, const char *name, size_t n, int name_at);
bool writer_has_id(const struct writer *w, enum snap_section which, uint32_t id);

#endif
