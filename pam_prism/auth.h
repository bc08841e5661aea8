/* SPDX-License-Identifier: MIT */
#ifndef AUTH_H
#define AUTH_H

/*
 * The door of SSO: who is one of Prism's people shows who they are by approving a code in a browser
 * in which they have signed in at their institution. No secret of theirs comes to this host.
 *
 * MUST: leave local users, uid 0, unknown names and every service that is not listed to the other
 * modules; never ask in cron's and atd's; say nothing of a membership's state to somebody who has
 * not proven who they are; end within login_timeout once Enter is pressed; take an approval only
 * for the very user and uid that asked, as they stand when it comes.
 */
#include <stdint.h>
#include "finding.h"
#include "options.h"

/*
 * Whether this is somebody to be asked. PAM_SUCCESS: yes, and *ret_uid is set. PAM_IGNORE: not one
 * of Prism's here. Otherwise nobody can tell, or no sign-in could help, and the sentence says why.
 */
void auth_find(const struct options *o, const char *user, uint32_t *ret_uid, struct finding *ret);

#endif
