/* SPDX-License-Identifier: MIT */
/*
 * Threat model. The database leaks: a hash MUST cost an attacker memory and time for each guess,
 * and MUST have its own salt. The network asks: the answer and its time MUST NOT tell whether an
 * account exists. Many ask at once: hashing MUST NOT take all memory or all threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/evp.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/secret.h"
#include "password.h"

#define SALT_LEN   16
#define HASH_LEN   32
#define SCRYPT_N   (1u << 15)
#define SCRYPT_R   8
#define SCRYPT_P   1
#define MEMORY_MAX (64u << 20)
#define PREFIX	   "$scrypt$ln=15,r=8,p=1$"
/* base64 without its padding */
#define SALT_TEXT  22
#define HASH_TEXT  43

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t free_place = PTHREAD_COND_INITIALIZER;
static int places = 2;

void password_init(int concurrent)
{
	places = concurrent > 0 ? concurrent : 1;
}

static int place_enter(void)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PASSWORD_WAIT_MS / 1000;
	pthread_mutex_lock(&lock);
	while (places == 0 && r == 0)
		r = pthread_cond_clockwait(&free_place, &lock, CLOCK_MONOTONIC, &until);
	if (places > 0) {
		places--;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r ? -EBUSY : 0;
}

static void place_leave(void)
{
	pthread_mutex_lock(&lock);
	places++;
	pthread_cond_signal(&free_place);
	pthread_mutex_unlock(&lock);
}

static int derive(const char *password, const uint8_t salt[SALT_LEN], uint8_t out[HASH_LEN])
{
	int r = place_enter();

	if (r < 0)
		return r;
	int ok = EVP_PBE_scrypt(password, strlen(password), salt, SALT_LEN, SCRYPT_N, SCRYPT_R,
	    SCRYPT_P, MEMORY_MAX, out, HASH_LEN);
	place_leave();
	return ok == 1 ? 0 : -ENOMEM;
}

int password_hash(const char *password, char ret_encoded[static PASSWORD_ENCODED_MAX])
{
	uint8_t salt[SALT_LEN], hash[HASH_LEN];
	char salt_text[BASE64_LEN(SALT_LEN) + 1], hash_text[BASE64_LEN(HASH_LEN) + 1];
	size_t n = strlen(password);

	if (n == 0 || n > PASSWORD_BYTES_MAX)
		return -EINVAL;
	int r = secret_random(salt, sizeof(salt));
	if (r == 0)
		r = derive(password, salt, hash);
	if (r < 0)
		return r;
	base64_encode(salt, sizeof(salt), salt_text);
	base64_encode(hash, sizeof(hash), hash_text);
	snprintf(ret_encoded, PASSWORD_ENCODED_MAX, "%s%.*s$%.*s", PREFIX, SALT_TEXT, salt_text,
	    HASH_TEXT, hash_text);
	explicit_bzero(hash, sizeof(hash));
	return 0;
}

/* PHC strings leave the padding of base64 out. */
static bool decode_unpadded(const char *in, size_t len, uint8_t *out, size_t want)
{
	char padded[BASE64_LEN(HASH_LEN) + 1];
	size_t full = (len + 3) / 4 * 4;

	if (full >= sizeof(padded))
		return false;
	memset(padded, '=', full);
	memcpy(padded, in, len);
	return base64_decode(padded, full, out, want) == (ssize_t)want;
}

static bool parse(const char *encoded, uint8_t salt[SALT_LEN], uint8_t hash[HASH_LEN])
{
	static const size_t prefix = sizeof(PREFIX) - 1;

	if (!encoded || strlen(encoded) != prefix + SALT_TEXT + 1 + HASH_TEXT ||
	    memcmp(encoded, PREFIX, prefix) != 0 || encoded[prefix + SALT_TEXT] != '$')
		return false;
	return decode_unpadded(encoded + prefix, SALT_TEXT, salt, SALT_LEN) &&
	       decode_unpadded(encoded + prefix + SALT_TEXT + 1, HASH_TEXT, hash, HASH_LEN);
}

int password_verify(const char *password, const char *encoded)
{
	uint8_t salt[SALT_LEN] = {0}, want[HASH_LEN] = {0}, got[HASH_LEN] = {0};
	bool known = parse(encoded, salt, want);

	if (strlen(password) > PASSWORD_BYTES_MAX)
		return -EKEYREJECTED;
	int r = derive(password, salt, got);
	if (r < 0)
		return r;
	bool same = secret_equal(got, want, sizeof(got));
	explicit_bzero(got, sizeof(got));
	explicit_bzero(want, sizeof(want));
	return same && known ? 0 : -EKEYREJECTED;
}
