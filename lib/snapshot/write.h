/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_WRITE_H
#define SNAPSHOT_WRITE_H

/*
 * The writer's inside. A file is two parts: its head, which is all but the users' records, is laid
 * out in memory from the survey; the users' records follow through a window, in the order of the
 * source, and each byte of them is touched while it is in a processor's cache. Where each record
 * will be is known from the survey, so that the tables are filled before.
 */
#include "format.h"
#include "snapshot.h"
#include "survey.h"

struct writer;

/* What differs between the kinds, in the order of the calls. */
struct writer_content {
	void (*layout)(struct writer *w);
	/* What is not about users; may be called again with another seed. 0 or -errno. */
	int (*put_head)(struct writer *w);
	/* A user's record, survey_bytes() of zeros until now, that will be at this place. */
	void (*put_user)(const struct writer *w, const struct snap_user *u,
	    const struct survey_user *s, uint64_t place, uint8_t *record);
};

extern const struct writer_content identity_content, access_content;

struct writer {
	const struct snap_survey *survey;
	const struct snap_source *src;
	enum snap_kind kind;
	const struct writer_content *content;
	/* Numbers of the records of the survey's users; where this kind lacks one, the next's. */
	uint32_t *numbers;
	uint8_t *base; /* the head */
	uint64_t head; /* its size: users' records begin here */
	uint64_t size; /* of the file, once it is laid out */
	uint64_t at;   /* where the next record of the head goes */
	uint64_t seed; /* of the hash of names */
	struct snap_extent section[SNAP_NSECTIONS];
};

/* ---- layout: write.c -------------------------------------------------------------------- */

/* Append a section of so many bytes, or a table for n keys, or a filter for n names. */
void writer_section(struct writer *w, enum snap_section which, uint64_t bytes);
void writer_table(struct writer *w, enum snap_section which, size_t n);
void writer_filter(struct writer *w, enum snap_section which, size_t n);
/* The last section: so many bytes of records in the head, all of them aligned, then the users'. */
void writer_records(struct writer *w, uint64_t head);
/* The next record of the head, of so many bytes, at an aligned place. */
uint8_t *writer_record(struct writer *w, uint64_t bytes);
uint32_t writer_number(const struct writer *w, const void *record);

/* ---- tables: write_table.c -------------------------------------------------------------- */

/* All users that this kind has. 0; -EINVAL: two have one key; -EAGAIN: try another seed. */
int writer_enter_users(struct writer *w);
/* A group's record, whose name, of n bytes, is right behind its struct snap_team. As above. */
int writer_enter_group(struct writer *w, const char *name, size_t n, uint32_t gid, const void *r);
/* Whether the group would have the name or the id of a user. */
bool writer_has_user(const struct writer *w, const char *name, size_t n, uint32_t gid);

/* Fill a section of record numbers by ascending id; sorts the pairs. 0 or -ENOMEM. */
struct writer_pair {
	uint32_t id;
	uint32_t number;
};

int writer_order(struct writer *w, enum snap_section which, struct writer_pair *pairs, size_t n);

#endif
