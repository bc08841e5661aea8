/* SPDX-License-Identifier: MIT */
#ifndef REFUSE_H
#define REFUSE_H

/*
 * What this host itself refuses, whatever the central service says: ids outside its ranges,
 * reserved names, names and ids that local accounts have, people who are not on its allow-list.
 * One subject is refused, with a reason; everything else goes on.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "model.h"

enum verdict {
	VERDICT_OK = 0,
	/* these are not served at all */
	VERDICT_NO_DATA,
	VERDICT_RANGE,
	VERDICT_RESERVED,
	VERDICT_LOCAL_NAME,
	VERDICT_LOCAL_ID,
	VERDICT_LOCAL_GROUP,
	VERDICT_DUPLICATE,
	VERDICT_DISAGREE,
	/* these resolve, so that files keep an owner's name, and are let in nowhere */
	VERDICT_RESOLVES,
	VERDICT_BROKEN = VERDICT_RESOLVES,
	VERDICT_ALLOW_LIST,
	VERDICT_COUNT,
};

/* A sentence without its subject: "is outside the range of this host". */
const char *verdict_text(enum verdict v);

/* The accounts in /etc/passwd and /etc/group. */
struct local {
	char *text;	       /* owns the names */
	const char **users;    /* sorted */
	const char **groups;   /* sorted */
	uint32_t *uids, *gids; /* sorted */
	size_t nusers, ngroups;
	uint32_t round;	   /* grows when anything changed: older verdicts are stale */
	uint64_t stamp[6]; /* of the two files: time, inode, size */
};

/*
 * Read the files again if they have changed. 1: changed, 0: not, -errno: unreadable (the last state
 * is kept; a missing file is an empty one).
 */
int local_refresh(struct local *l, const char *passwd, const char *group);
void local_release(struct local *l);
bool local_has_user(const struct local *l, const char *name);
bool local_has_group(const struct local *l, const char *name);
bool local_has_uid(const struct local *l, uint32_t uid);
bool local_has_gid(const struct local *l, uint32_t gid);
/* The gid of a local group, or -1. Read from the file at each call. */
int64_t local_group_gid(const char *group_file, const char *name);

/* The verdict on one member, kept in its record until something changes. */
enum verdict refuse_member(const struct config *c, const struct local *l, struct record *r);
/* On a group of a project. */
enum verdict refuse_group(
    const struct config *c, const struct local *l, const char *name, uint32_t gid);

#endif
