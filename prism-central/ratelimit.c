/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/secret.h"
#include "ratelimit.h"

#define SETS 4096
#define WAYS 4

/* A full bucket holds "burst"; one comes back every "every_ms". */
static const struct rule {
	unsigned burst;
	int64_t every_ms;
} rules[RATELIMIT_KINDS] = {
    [RATELIMIT_LOGIN_PEER] = {60, 2000},
    [RATELIMIT_LOGIN_ACCOUNT] = {10, 30000},
    [RATELIMIT_LOGIN_SPREAD] = {100, 5000},
    [RATELIMIT_TOKEN_PEER] = {120, 1000},
    [RATELIMIT_ENROL_PEER] = {120, 1000},
    [RATELIMIT_MAIL_PEER] = {200, 5000},
    [RATELIMIT_PROJECT_USER] = {20, 180000},
    [RATELIMIT_ACCESS_HOST] = {60, 60000},
    [RATELIMIT_CODE_PEER] = {120, 3000},
    [RATELIMIT_CODE_USER] = {20, 15000},
    [RATELIMIT_DEVICE_PEER] = {30, 5000},
    [RATELIMIT_DEVICE_LOGIN] = {20, 6000},
    [RATELIMIT_HOST_NOTED] = {4000, 5000},
    [RATELIMIT_HOST_CEILING] = {1, 86400000},
    [RATELIMIT_HOST_CHANGE] = {24, 3600000},
    [RATELIMIT_OAUTH_PEER] = {120, 1000},
    [RATELIMIT_SSO_START] = {600, 200},
    [RATELIMIT_SSO_PEER] = {60, 2000},
    [RATELIMIT_SSO_NOTED] = {200, 30000},
    [RATELIMIT_DNS_USER] = {40, 15000},
    [RATELIMIT_NEW_ORG] = {2000, 5000},
};

/*
 * A bucket is the moment at which it will be full again: each token taken puts that moment off by
 * every_ms, and nothing has to be filled up by a clock.
 */
struct bucket {
	uint64_t key;
	int64_t full_at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket table[SETS][WAYS];
static uint8_t seed[16];
static bool seeded;
static int64_t (*now_ms)(void) = clock_mono_ms;

void ratelimit_reset(int64_t (*fake)(void))
{
	pthread_mutex_lock(&lock);
	memset(table, 0, sizeof(table));
	now_ms = fake ? fake : clock_mono_ms;
	pthread_mutex_unlock(&lock);
}

void ratelimit_peer(const char *peer, char out[static RATELIMIT_KEY_MAX])
{
	struct in6_addr a;

	snprintf(out, RATELIMIT_KEY_MAX, "%s", peer);
	if (inet_pton(AF_INET6, peer, &a) != 1 || IN6_IS_ADDR_V4MAPPED(&a))
		return;
	/* One household or server has at least a /64 to choose addresses from. */
	memset(a.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &a, out, RATELIMIT_KEY_MAX);
}

/* Secret, so that nobody can choose names that share a set with somebody else's. */
static uint64_t key_hash(enum ratelimit kind, const char *key)
{
	uint8_t in[16 + 1 + 256], out[32];
	size_t n = strnlen(key, 256);
	unsigned len = 0;
	uint64_t h = 0;

	if (!seeded)
		seeded = secret_random(seed, sizeof(seed)) == 0;
	memcpy(in, seed, sizeof(seed));
	in[16] = (uint8_t)kind;
	memcpy(in + 17, key, n);
	if (EVP_Digest(in, 17 + n, out, &len, EVP_sha256(), NULL) == 1)
		memcpy(&h, out, sizeof(h));
	return h ? h : 1;
}

static struct bucket *bucket_find(uint64_t key)
{
	struct bucket *set = table[key % SETS], *oldest = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].full_at < oldest->full_at)
			oldest = &set[i];
	}
	*oldest = (struct bucket){.key = key};
	return oldest;
}

/* Move the bucket by "tokens" (1, 0 or -1). 0, or the seconds until one token is there. */
static unsigned move(enum ratelimit kind, const char *key, int tokens)
{
	const struct rule *rule = &rules[kind];
	unsigned wait = 0;

	pthread_mutex_lock(&lock);
	int64_t now = now_ms();
	struct bucket *b = bucket_find(key_hash(kind, key));
	if (b->full_at < now)
		b->full_at = now;
	/* After taking one, the bucket may be at most wholly empty. */
	int64_t over = b->full_at + rule->every_ms - now - rule->burst * rule->every_ms;
	if (tokens >= 0 && over > 0)
		wait = (unsigned)((over + 999) / 1000);
	else
		b->full_at += tokens * rule->every_ms;
	pthread_mutex_unlock(&lock);
	return wait;
}

unsigned ratelimit_take(enum ratelimit kind, const char *key)
{
	return move(kind, key, 1);
}

unsigned ratelimit_check(enum ratelimit kind, const char *key)
{
	return move(kind, key, 0);
}

void ratelimit_return(enum ratelimit kind, const char *key)
{
	move(kind, key, -1);
}
