/* SPDX-License-Identifier: MIT */
/*
 * The host's side of a login through SSO, for tests of the real sshd:
 *
 *	helper_door world DIR MAXAGE KEY	the three snapshots: alice (uid 10001) in
 *genomics-lab, which asks for an SSO login of that age (0: never) helper_door agent SOCKET ANSWER
 *MS	an agent that gives this answer after so long: approve, deny, expire, unreachable, other
 *(somebody else's)
 */
#include "door.h"
#include "base/num.h"

static const struct answer {
	const char *name;
	int begin, wait;
	const char *user;
} ANSWERS[] = {
    {"approve", 0, 0, "alice"},
    {"deny", 0, -EACCES, "alice"},
    {"expire", 0, -ETIMEDOUT, "alice"},
    {"unreachable", -ENETUNREACH, 0, "alice"},
    {"other", 0, 0, "mallory"},
};

static int write_world(const char *where, uint32_t max_age, const char *key)
{
	static const enum snap_kind kinds[] = {SNAP_IDENTITY, SNAP_ACCESS, SNAP_KEYS};
	struct world_person *alice;

	world_init(&w);
	world_project(&w, "genomics-lab", CHEN);
	w.projects[0].sso_max_age = max_age;
	alice = world_person(&w, "alice", 10001);
	snprintf(alice->home, sizeof(alice->home), "/");
	world_grant(alice, 0);
	world_key(alice, key, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (world_write(&w, where, kinds[i]) < 0)
			return 1;
	return 0;
}

static int run_agent(const char *path, const char *answer, uint32_t ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
		if (strcmp(ANSWERS[i].name, answer) != 0)
			continue;
		door = (struct door){.begin = ANSWERS[i].begin,
		    .wait = ANSWERS[i].wait,
		    .user = ANSWERS[i].user,
		    .uid = 10001,
		    .qr_side = 33,
		    .host = "ws1",
		    .after_ms = (int)ms,
		    .projects = {"genomics-lab"}};
		door_listen(path);
		return 1;
	}
	return 2;
}

int main(int argc, char **argv)
{
	uint32_t n;

	if (argc != 5 ||
	    num_parse_u32(argv[strcmp(argv[1], "agent") == 0 ? 4 : 3], UINT32_MAX, &n) < 0)
		return 2;
	return strcmp(argv[1], "agent") == 0 ? run_agent(argv[2], argv[3], n)
					     : write_world(argv[2], n, argv[4]);
}
