/* SPDX-License-Identifier: MIT */
#ifndef ROLE_H
#define ROLE_H

/* Roles are rows, and what they allow are rows: see migrations/0001_domain.sql. */
#include "store.h"

/*
 * Does a granted permission cover the wanted one? "hosts:*" covers "hosts:login" and
 * "hosts:data:write", "*" covers everything; the star stands only at the end, behind a colon.
 */
bool permission_covers(const char *granted, const char *wanted);

/* "product:action" or "product:part:action" of [a-z_-]; a trailing star where "wild". */
bool permission_valid(const char *s, bool wild);

/* 1 if the role allows it, 0 if not, -errno. */
int role_allows(struct tx *t, int64_t role, const char *permission);

/* What the role allows on a host: enum snap_perm of snapshot/snapshot.h. 0 or -errno. */
int role_host_perms(struct tx *t, int64_t role, uint32_t *ret);

struct role {
	int64_t id;
	int rank;
	char slug[32];
};

/* A project role that this organization has, by slug: its own before the built-in one. 0, -ENOENT,
 * -errno. */
int role_find(struct tx *t, int64_t org, const char *slug, struct role *ret);

#endif
