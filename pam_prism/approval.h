/* SPDX-License-Identifier: MIT */
#ifndef APPROVAL_H
#define APPROVAL_H

/*
 * What auth hands to account within one PAM handle: that this login was approved, whose it is, and
 * for which projects it counts as one through SSO.
 *
 * MUST: hold for the person and the uid that it names and for nobody else; end with the next
 * attempt to authenticate in the same handle.
 */
#include <security/pam_modules.h>
#include "agent/agent.h"

/* Keep a copy in the handle, instead of what was kept. A PAM return value. */
int approval_keep(pam_handle_t *pamh, const struct agent_approval *a);

void approval_forget(pam_handle_t *pamh);

/* What is kept, or NULL. It lives until it is forgotten or replaced. */
const struct agent_approval *approval_get(const pam_handle_t *pamh);

/* The slugs for access_decide_fresh(); "ret" is ended by NULL. */
void approval_slugs(const struct agent_approval *a, const char *ret[AGENT_PROJECTS_MAX + 1]);

#endif
