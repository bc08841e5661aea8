/* SPDX-License-Identifier: MIT */
#ifndef HOST_LOCAL_H
#define HOST_LOCAL_H

/*
 * Ids that hosts use for something of their own. The register never gives such a number to
 * anybody: useradd takes the highest visible uid + 1, so local accounts end up inside our ranges.
 */
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "central.h"
#include "store.h"

#define HOST_IDS_MAX	65536 /* in one report */
#define HOST_IDS_SHARE	4     /* all hosts together take one in so many of a range */
#define HOST_IDS_BURNED 4096  /* that one host can take from the register, ever */

struct host_ids {
	int64_t host, now;
	const struct config *config;
	size_t burned;	/* out: new ones */
	size_t clashes; /* out: numbers that belong to somebody of Prism */
};

/* NULL, null, or an array of at most HOST_IDS_MAX numbers from 0 to 2^32-1. */
bool host_ids_valid(const json_t *ids);
/* Burn those that lie in our ranges. 0 or -errno. */
int host_ids_burn(struct tx *t, struct host_ids *h, const json_t *ids);
/*
 * While the service recovers from a restored backup: the register goes on above the highest ids
 * that this host's feeds name ({"uid": N, "gid": N}, or NULL). What is far above everything that
 * the register can have given out is not believed. 0 or -errno.
 */
int host_ids_raise(struct tx *t, const struct host_ids *h, const json_t *highest);

#endif
