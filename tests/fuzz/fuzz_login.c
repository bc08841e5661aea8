/* SPDX-License-Identifier: MIT */

/*
 * Statements of approved logins. The first byte says whether the rest is taken as it is, or signed
 * here with the pinned key, so that the fuzzer reaches behind the signature. What opens must be
 * signed again as the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "feed/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct feed_signer *signer;
static struct feed_trust trust;

static void setup(void)
{
	uint8_t seed[32] = {1};

	if (signer != NULL)
		return;
	if (feed_signer_new(seed, &signer) < 0)
		abort();
	memcpy(trust.keys[0], feed_signer_public(signer), FEED_KEY_LEN);
	trust.nkeys = 1;
}

static void look(const uint8_t *p, size_t n)
{
	struct login_statement l;
	struct buf again = BUF_INIT(2 * LOGIN_MAX);

	if (login_open(&trust, p, n, &l) == 0 &&
	    (login_sign(signer, &l, &again) < 0 || again.len != n || memcmp(again.data, p, n) != 0))
		abort();
	buf_free(&again);
}

/* Magic and key id are put in front. */
static void look_signed(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(2 << 16);
	uint8_t id[FEED_KEY_ID_LEN], sig[FEED_SIG_LEN];

	feed_key_id(trust.keys[0], id);
	buf_add(&b, LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	buf_add(&b, LOGIN_MAGIC, 8);
	buf_add(&b, id, sizeof(id));
	buf_add(&b, data, size);
	if (feed_signer_sign_raw(signer, b.data, b.len, sig) < 0)
		abort();
	buf_add(&b, sig, sizeof(sig));
	look(b.data + sizeof(LOGIN_CONTEXT), b.len - sizeof(LOGIN_CONTEXT));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	setup();
	if (size == 0)
		return 0;
	if (data[0] == 'M')
		look(data + 1, size - 1);
	else
		look_signed(data + 1, size - 1);
	return 0;
}
