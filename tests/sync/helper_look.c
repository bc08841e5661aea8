/* SPDX-License-Identifier: MIT */

/*
 * helper_look FILE USER: what PAM's account check would say from this access snapshot, and the
 * projects of the person's grants that are active: "allow lab bio", "deny lab", "unknown".
 */
#include <stdio.h>
#include <string.h>
#include "access/access.h"
#include "base/clock.h"

int main(int argc, char **argv)
{
	static const char *const verdicts[] = {"allow", "deny", "unknown"};
	struct snap_subject who;
	struct access_result r;
	struct snap s;

	if (argc != 3 || snap_open(argv[1], SNAP_ACCESS, SNAP_VERIFY, &s) < 0)
		return 1;
	access_decide(&s, argv[2], "sshd", clock_now(), &r);
	printf("%s", verdicts[r.verdict]);
	if (snap_subject_by_name(&s, argv[2], &who) == 0) {
		for (uint32_t i = 0; i < who.ngrants; i++) {
			struct snap_project p;
			struct snap_grant g;

			if (snap_subject_grant(&s, &who, i, &g, &p) == 0 && g.state == SNAP_ACTIVE)
				printf(" %s", p.slug);
		}
	}
	putchar('\n');
	snap_close(&s);
	return 0;
}
