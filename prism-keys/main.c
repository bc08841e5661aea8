/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/name.h"
#include "base/num.h"
#include "keys.h"
#include "snapshot/snapshot.h"

enum exit_code { EXIT_ANSWERED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(void)
{
	fputs("usage: prism-keys [-d DIR] USER UID\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *dir = SNAPSHOT_DIR;
	uint32_t uid;
	int c, r;

	log_init("prism-keys", LOG_LEVEL_WARN);
	while ((c = getopt(argc, argv, "+d:")) != -1) {
		if (c != 'd')
			return usage();
		dir = optarg;
	}
	if (argc - optind != 2 || !username_valid(argv[optind]) ||
	    num_parse_u32(argv[optind + 1], UINT32_MAX, &uid) < 0)
		return usage();
	r = keys_print(dir, argv[optind], uid, clock_now(), stdout);
	if (r >= 0)
		return EXIT_ANSWERED;
	if (r == -ENOTUNIQ) {
		log_msg(LOG_LEVEL_WARN, "keys.clash",
		    "%s has another user id here than in Prism: no keys", argv[optind]);
		return EXIT_ANSWERED;
	}
	log_msg(LOG_LEVEL_ERROR, "keys.failed", "keys of %s from %s/%s: %s", argv[optind], dir,
	    SNAPSHOT_KEYS, strerror(-r));
	return EXIT_FAILED;
}
