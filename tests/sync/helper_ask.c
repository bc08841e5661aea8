/* SPDX-License-Identifier: MIT */

/*
 * helper_ask SOCKET home USER [MS] | ping: ask the agent as pam_prism does. Prints "RESULT TEXT",
 * or "none ERROR" when no reply came in time. With "as UID" in front it asks as that user.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"

int main(int argc, char **argv)
{
	static uint8_t storage[AGENT_PACKET_MAX];
	struct agent_request rq = {.verb = AGENT_PING};
	struct agent_reply r;

	if (argc > 2 && strcmp(argv[1], "as") == 0) {
		uid_t uid = (uid_t)strtoul(argv[2], NULL, 10);

		if (setresuid(uid, uid, uid) < 0)
			return 1;
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		return 2;
	if (argc > 3 && strcmp(argv[2], "home") == 0) {
		rq.verb = AGENT_ENSURE_HOME;
		snprintf(rq.user, sizeof(rq.user), "%s", argv[3]);
	}
	int rc = agent_call(argv[1], &rq, argc > 4 ? (int)strtol(argv[4], NULL, 10) : 6000, storage,
	    sizeof(storage), &r);

	if (rc < 0)
		printf("none %s\n", strerror(-rc));
	else
		printf("%d %s\n", r.result, r.text);
	return 0;
}
