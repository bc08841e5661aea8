/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_SURVEY_H
#define SNAPSHOT_SURVEY_H

/*
 * The inside of a survey: what one walk over a source finds out for all kinds. With it a file is
 * laid out, and its tables are filled, without the source; that is walked again only to copy.
 */
#include "format.h"
#include "snapshot.h"

struct survey_user {
	uint32_t uid;  /* SNAP_ID_NONE: refused, not in the tables by uid */
	uint32_t name; /* offset in the names */
	uint32_t ngroups, ngrants, nkeys;
	uint32_t lines;		     /* bytes of the lines of keys, each with its NUL */
	uint16_t gecos, home, shell; /* lengths; those of gecos and shell only in identity */
	uint8_t name_len;
	bool refused;
};

/* Of a group: its members, as far as they are shown. */
struct survey_team {
	uint64_t name_bytes; /* of the members, each with its NUL */
	uint32_t nmembers;
	uint32_t name_len;
};

/* What a kind of snapshot will have. */
struct survey_sum {
	bool broken; /* the source breaks one of its limits: there will be no such file */
	size_t nusers;
	uint64_t bytes; /* of the users' records, aligned */
};

struct snap_survey {
	const struct snap_source *src;
	size_t nusers;		   /* of the source */
	struct survey_user *users; /* in its order */
	char *names;		   /* one after another, each with its NUL */
	size_t names_len;
	struct survey_team *teams;
	bool split_names;	 /* SNAP_SPLIT_NAMES */
	uint64_t projects_bytes; /* of the projects' records, aligned */
	struct survey_sum of[SNAP_KEYS + 1];
};

/* Whether this kind has the user at all. */
static inline bool survey_has(const struct survey_user *u, enum snap_kind kind)
{
	return kind != SNAP_IDENTITY || !u->refused;
}

/* A passwd entry: five strings with their NULs, one of them "*". */
static inline uint64_t survey_entry(const struct survey_user *u)
{
	return (uint64_t)u->name_len + u->gecos + u->home + u->shell + 6;
}

static inline uint64_t survey_align(uint64_t n)
{
	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

/* Where a person's groups begin in the record, and where a subject's strings do. */
static inline uint64_t survey_gids_at(const struct survey_user *u)
{
	return sizeof(struct snap_person) + ((survey_entry(u) + 3) & ~(uint64_t)3);
}

static inline uint64_t survey_strings_at(const struct survey_user *u, enum snap_kind kind)
{
	return sizeof(struct snap_subject_record) + u->ngrants * sizeof(struct snap_grant_record) +
	       (kind == SNAP_KEYS ? u->nkeys * sizeof(struct snap_key_record) : 0);
}

/* The size of the user's record in a file of this kind, without the padding behind it. */
static inline uint64_t survey_bytes(const struct survey_user *u, enum snap_kind kind)
{
	if (kind == SNAP_IDENTITY)
		return survey_gids_at(u) + u->ngroups * sizeof(uint32_t);
	return survey_strings_at(u, kind) + u->name_len + u->home + 2 +
	       (kind == SNAP_KEYS ? u->lines : 0);
}

/* The size of a project's record, or 0 if it breaks a limit. */
uint64_t survey_project_bytes(const struct snap_project *p);

#endif
