/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <openssl/evp.h>
#include "feed/feed.h"

/* Fetched once and kept: an implicit fetch for each of 100,000 records costs more than the hash. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int feed_hash(const void *whole, size_t len, uint8_t out[static FEED_DIGEST_LEN])
{
	memset(out, 0, FEED_DIGEST_LEN);
	pthread_once(&sha256_once, sha256_fetch);
	if (sha256 == NULL)
		return -EIO;

	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL)
		return -ENOMEM;
	int ok = EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
		 EVP_DigestUpdate(ctx, whole, len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

void feed_digest_mix(
    uint8_t digest[static FEED_DIGEST_LEN], const uint8_t hash[static FEED_DIGEST_LEN], int sign)
{
	int carry = 0;

	for (size_t i = 0; i < FEED_DIGEST_LEN; i++) {
		int v = (int)digest[i] + (sign > 0 ? (int)hash[i] : -(int)hash[i]) + carry;

		digest[i] = (uint8_t)(v & 0xff);
		carry = v < 0 ? -1 : v >> 8;
	}
}

void feed_digest_update(
    uint8_t digest[static FEED_DIGEST_LEN], const void *whole, size_t len, int sign)
{
	uint8_t hash[FEED_DIGEST_LEN];

	if (feed_hash(whole, len, hash) == 0)
		feed_digest_mix(digest, hash, sign);
}
