/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "host.h"
#include "session.h"

/* Each kind of token begins with its own prefix, so none is ever looked up as another. */
static const struct {
	const char *prefix;
	int (*load)(struct request *rq, const char *bearer);
} kinds[] = {
    {SESSION_PREFIX, session_principal_load},
    {HOST_TOKEN_PREFIX, host_principal_load},
};

int principal_load(struct request *rq, const char *bearer)
{
	rq->who = (struct principal){.kind = PRINCIPAL_NONE};
	if (!bearer)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(bearer, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].load(rq, bearer);
	return -EACCES;
}
