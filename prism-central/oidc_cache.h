/* SPDX-License-Identifier: MIT */
#ifndef OIDC_CACHE_H
#define OIDC_CACHE_H

/* central.h's struct oidc, for oidc_cache.c and oidc_refresh.c. */
#include <pthread.h>
#include "oidc.h"
#include "sso_share.h"

struct entry;

struct oidc {
	pthread_mutex_t lock; /* guards the entries and the keys' counts */
	struct entry *entries[OIDC_ENTRIES];
	struct sso_shares shares;
	struct refresher *refresher; /* oidc_refresh.c's own; NULL: none */
};

/* A refresh token whose time has come. */
struct oidc_due {
	int64_t identity, connection;
	char *sealed; /* owned, a secret */
};
/*
 * Of enabled connections, the one that is due longest; those of "slow_org" when there are no
 * others: one thread asks for everybody. 0, -ENOENT, -errno.
 */
int oidc_due(struct tx *t, int64_t now, int64_t slow_org, struct oidc_due *ret);

#endif
