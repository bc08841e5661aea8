/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_H
#define ACCOUNT_H

/*
 * May this person use this workstation, through this service, now?
 *
 * MUST: leave everybody listed in /etc/passwd, and uid 0, to the other modules, whatever state any
 * file of Prism is in; refuse a uid of Prism's ranges that no grant admits, and when the snapshot
 * cannot be read; refuse a name whose uid, as the system resolves it, is not the snapshot's; take
 * nothing from the environment; wait for nothing but the agent, and for that within its deadline;
 * refuse whoever comes after an approval that was given for somebody else, local or not; let an
 * approval count for its own person and uid alone.
 */
#include <stdbool.h>
#include "agent/agent.h"
#include "finding.h"
#include "options.h"

/* "approval" is what auth has left in this handle, or NULL. */
void account_check(const struct options *o, const char *user, const char *service,
    const struct agent_approval *approval, struct finding *ret);

/* Whether the user is one of Prism's: not local, and known to the snapshot. */
bool account_ours(const struct options *o, const char *user);

#endif
