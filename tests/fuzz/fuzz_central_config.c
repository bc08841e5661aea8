/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */
#include <stdlib.h>
#include <string.h>
#include "prism-central/central.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c, again;
	char why[300] = "";

	memset(&c, 0, sizeof(c));
	if (config_parse("fuzz", (const char *)data, size, &c, why, sizeof(why)) < 0) {
		/* A refusal says why and leaves the configuration alone. */
		memset(&again, 0, sizeof(again));
		if (!why[0] || memcmp(&c, &again, sizeof(c)) != 0)
			abort();
		return 0;
	}
	/* What was accepted keeps its promises. */
	if (c.workers < 1 || c.loops < 1 || c.uid_first < 1000 || c.gid_first < 1000 ||
	    c.uid_first > c.uid_last || c.state_dir[0] != '/' || c.shell[0] != '/')
		abort();
	if (c.listen_plain[0] && strncmp(c.listen_plain, "unix:/", 6) != 0 &&
	    strncmp(c.listen_plain, "127.0.0.1:", 10) != 0 &&
	    strncmp(c.listen_plain, "[::1]:", 6) != 0)
		abort();
	return 0;
}
