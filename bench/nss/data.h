/* SPDX-License-Identifier: MIT */
#ifndef BENCH_NSS_DATA_H
#define BENCH_NSS_DATA_H

/*
 * The benchmark's people and groups, as passwd and group text. Every module under test serves the
 * same text; the programs that compile it into a table of their own read it with data_load().
 */
#include <stddef.h>
#include <stdint.h>

#define DATA_UID_FIRST 100001u
#define DATA_GID_FIRST 3000016u
#define DATA_MEMBER_OF 3 /* groups of each user, beside the private one */

struct data_user {
	char *name, *gecos, *home, *shell;
	uint32_t uid;
	uint32_t groups[DATA_MEMBER_OF]; /* indexes, ascending */
	size_t ngroups;
};

struct data_group {
	char *name;
	uint32_t gid;
	char *members; /* "a,b,c" */
};

struct data {
	struct data_user *users;
	struct data_group *groups;
	size_t nusers, ngroups;
	char *passwd_text, *group_text; /* what the strings point into */
};

/* Read DIR/passwd and DIR/group. Exits with a message if they are not as "nssdata" makes them. */
void data_load(const char *dir, struct data *ret);
void data_release(struct data *d);
/* The user of this name, or NULL. The first call sorts an index. */
struct data_user *data_find(struct data *d, const char *name);

#endif
