/* SPDX-License-Identifier: MIT */
/* What people paste and what hosts send: tokens and assertions. */
#include <stdlib.h>
#include <string.h>
#include "api/jws.h"
#include "api/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign_nothing(void *arg, const void *p, size_t n, uint8_t sig[64])
{
	memset(sig, 0x11, 64);
	return 0;
}

/* What was parsed can be made again, and means the same. */
static void check_token(const char *text)
{
	struct token t, again;
	struct buf b = BUF_INIT(TOKEN_MAX);

	if (token_parse(text, &t) < 0)
		return;
	int r = token_make(&t, sign_nothing, NULL, &b);
	if (r == 0) {
		if (token_parse(buf_str(&b), &again) < 0 || again.kind != t.kind ||
		    strcmp(again.url, t.url) != 0 || strcmp(again.project, t.project) != 0 ||
		    again.expires != t.expires || memcmp(again.secret, t.secret, 32) != 0)
			abort();
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* RFC 8032 §7.1, test 1: nobody here has its private half. */
	static const uint8_t key[JWS_KEY_LEN] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
	    0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
	    0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
	struct jws j = {0};
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_token(text);
	if (jws_parse(text, size, &j) == 0) {
		if (jws_check(&j, key) == 0)
			abort();
		(void)jws_str(&j, "iss", 64);
	}
	jws_clear(&j);
	/* The claims alone, so that the fuzzer need not learn base64 first. */
	if (size > 1 && size < JWS_MAX / 2 && (data[0] & 1)) {
		json_t *claims = json_loadb(text + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
		struct buf b = BUF_INIT(JWS_MAX);
		const char *typ = data[0] & 2 ? "prism-invitation" : "prism-enrolment";

		if (claims && jws_sign(typ, claims, sign_nothing, NULL, &b) == 0)
			check_token(buf_str(&b));
		json_decref(claims);
		buf_free(&b);
	}
	free(text);
	return 0;
}
