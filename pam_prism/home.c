/* SPDX-License-Identifier: MIT */
#include "home.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include "agent/agent.h"

/* Enough for a reply without JSON. */
#define REPLY_MAX 1024

static bool remembered(const char *folder, uint32_t uid)
{
	char path[PATH_MAX];
	struct stat st;
	const int n = snprintf(path, sizeof(path), "%s/%u", folder, uid);

	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0;
}

bool home_ready(const struct options *o, const char *user, uint32_t uid, char *text, size_t size)
{
	struct agent_request rq = {.verb = AGENT_ENSURE_HOME};
	struct agent_reply reply;
	uint8_t storage[REPLY_MAX];

	snprintf(rq.user, sizeof(rq.user), "%s", user);
	if (agent_call(o->socket, &rq, o->home_timeout, storage, sizeof(storage), &reply) < 0) {
		if (remembered(o->ready, uid))
			return true;
		snprintf(text, size,
		    "Your home directory is not ready and this workstation's Prism agent does not "
		    "answer; try again in a minute, then ask its administrator to look at "
		    "\"prism-sync status\".");
		return false;
	}
	if (reply.result == 0)
		return true;
	snprintf(text, size, "%s",
	    reply.text[0] ? reply.text
			  : "Your home directory is not ready; try again in a minute, then ask "
			    "this workstation's administrator.");
	return false;
}
