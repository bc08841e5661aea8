/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_H
#define ACCOUNT_H

/*
 * May this person use this workstation, through this service, now?
 *
 * MUST: leave everybody listed in /etc/passwd, and uid 0, to the other modules, whatever state any
 * file of Prism is in; refuse a uid of Prism's ranges that no grant admits, and when the snapshot
 * cannot be read; refuse a name whose uid, as the system resolves it, is not the snapshot's; take
 * nothing from the environment; wait for nothing but the agent, and for that within its deadline.
 */
#include <stdbool.h>
#include "access/access.h"
#include "options.h"

struct account_finding {
	int code;			/* a PAM return value; PAM_IGNORE: not ours */
	char text[ACCESS_SENTENCE_MAX]; /* for the person, if the code refuses; may be "" */
};

void account_check(
    const struct options *o, const char *user, const char *service, struct account_finding *ret);

/* Whether the user is one of Prism's: not local, and known to the snapshot. */
bool account_ours(const struct options *o, const char *user);

#endif
