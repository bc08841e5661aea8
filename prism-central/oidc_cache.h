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

#endif
