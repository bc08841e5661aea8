/* SPDX-License-Identifier: MIT */
#ifndef PERSON_H
#define PERSON_H

/* Whom a user name means: to the system, and to the files of Prism. */
#include <stdbool.h>
#include <sys/types.h>
#include "options.h"
#include "snapshot/snapshot.h"

/* What to say when nobody can tell. */
extern const char PERSON_UNREADABLE[], PERSON_UNRESOLVED[];

/* The uid that the system gives the name. 0, -ENOENT, or -errno if nobody could say. */
int person_resolve(const char *user, uid_t *ret_uid);

/* access.v1.snap, which the caller closes. 0 or -errno. */
int person_snapshot(const struct options *o, struct snap *ret);

/* Whether the uid is of the ranges that this file states. */
bool person_in_range(const struct snap *s, uid_t uid);

/*
 * Whether a uid is to be taken for Prism's when access.v1.snap cannot be opened for this error.
 * The ranges then come from the file that NSS has the uid from, and the default ones count too:
 * when in doubt it is Prism's. Where neither file exists, this workstation has not joined a
 * service yet, or has left it: then NSS cannot have the uid from Prism, and another directory's
 * people must not be locked out by a package that was only installed.
 */
bool person_maybe_ours(const struct options *o, uid_t uid, int access_error);

#endif
