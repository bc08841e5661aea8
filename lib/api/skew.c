/* SPDX-License-Identifier: MIT */
#include "api/skew.h"

#include <inttypes.h>
#include <stdio.h>

bool skew_matters(int64_t skew)
{
	return skew > SKEW_TOLERATED || skew < -SKEW_TOLERATED;
}

void skew_describe(int64_t skew, char out[static SKEW_TEXT])
{
	static const struct {
		int64_t from, seconds;
		const char *name;
	} units[] = {{2 * 86400, 86400, "days"}, {2 * 3600, 3600, "hours"}, {120, 60, "minutes"},
	    {0, 1, "seconds"}};
	/* Years do not matter, an overflow would. */
	uint64_t n = skew < 0 ? -(uint64_t)skew : (uint64_t)skew;
	size_t i = 0;

	out[0] = '\0';
	if (!skew_matters(skew))
		return;
	while (n < (uint64_t)units[i].from)
		i++;
	n = (n + (uint64_t)units[i].seconds / 2) / (uint64_t)units[i].seconds;
	snprintf(out, SKEW_TEXT,
	    "this machine's clock is %" PRIu64
	    " %s %s the service's: set it (timedatectl set-ntp true)",
	    n, units[i].name, skew > 0 ? "behind" : "ahead of");
}
