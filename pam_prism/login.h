/* SPDX-License-Identifier: MIT */
#ifndef LOGIN_H
#define LOGIN_H

/*
 * A device login, as the agent carries it out: begun, shown, waited for, ended.
 *
 * MUST: return by its deadlines whatever the agent does; never take an approval for another's, nor
 * one without a verified answer; leave no login waiting at the agent, whatever came of it,
 * also where this process is ended in the middle.
 */
#include "agent/agent.h"
#include "finding.h"
#include "options.h"

struct login {
	const struct options *o;
	int64_t end; /* by clock_mono_ms() */
	int fd;	     /* to the agent, open until login_end(); -1: none. The login ends with it */
	bool begun;
	struct agent_login shown; /* what the person must see */
};
#define LOGIN_INIT       \
	{                \
		.fd = -1 \
	}

/*
 * Begin one for this user of this service. "origin" is PAM_RHOST or NULL; "o" must live until
 * login_end(). PAM_SUCCESS, or a refusal with its sentence, which comes within LOGIN_START_MS.
 */
#define LOGIN_START_MS 6000
void login_begin(struct login *l, const struct options *o, const char *user, const char *service,
    const char *origin, struct finding *ret);

/*
 * Wait for the approval until options.login_timeout seconds after the beginning; ask at least
 * once. PAM_SUCCESS with *ret_approval filled in, or a refusal with its sentence.
 */
void login_wait(struct login *l, struct agent_approval *ret_approval, struct finding *ret);

/* The agent may forget it. Does nothing for one that is LOGIN_INIT. */
void login_end(struct login *l);

#endif
