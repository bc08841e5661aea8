/* SPDX-License-Identifier: MIT */
#include "api/jws.h"

#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/secret.h"

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void md_ctx_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int part_add_json(struct buf *out, const json_t *json)
{
	_cleanup_secret_ char *text = json_dumps(json, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	size_t n = strlen(text);
	char *to = buf_extend(out, BASE64URL_LEN(n));
	if (!to)
		return buf_error(out);
	/* buf_extend keeps room for the NUL behind the length. */
	base64url_encode(text, n, to);
	return 0;
}

int jws_sign(const char *typ, const json_t *claims,
    int (*sign)(void *arg, const void *p, size_t n, uint8_t sig[64]), void *arg, struct buf *out)
{
	if (!json_is_object(claims))
		return -EINVAL;
	json_auto_t *header = json_pack("{s:s,s:s}", "alg", "EdDSA", "typ", typ);
	if (!header)
		return -ENOMEM;

	_cleanup_buf_ struct buf b = BUF_INIT(JWS_MAX);
	int r = part_add_json(&b, header);
	if (r < 0)
		return r;
	buf_add_char(&b, '.');
	r = part_add_json(&b, claims);
	if (r < 0)
		return r;

	uint8_t sig[JWS_SIG_LEN];
	char text[BASE64URL_LEN(JWS_SIG_LEN) + 1];
	r = sign(arg, b.data, b.len, sig);
	if (r < 0)
		return r;
	base64url_encode(sig, sizeof(sig), text);
	buf_add_char(&b, '.');
	buf_add_str(&b, text);
	if (buf_error(&b) < 0)
		return buf_error(&b);
	buf_add(out, b.data, b.len);
	return buf_error(out);
}

static int seed_sign(void *arg, const void *p, size_t n, uint8_t sig[64])
{
	_cleanup_(pkey_freep) EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, arg, JWS_KEY_LEN);
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = JWS_SIG_LEN;

	if (!key || !ctx)
		return -ENOMEM;
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, sig, &len, p, n) != 1 || len != JWS_SIG_LEN)
		return -EIO;
	return 0;
}

int jws_make(
    const char *typ, const json_t *claims, const uint8_t seed[static JWS_KEY_LEN], struct buf *out)
{
	uint8_t copy[JWS_KEY_LEN];
	memcpy(copy, seed, sizeof(copy));
	int r = jws_sign(typ, claims, seed_sign, copy, out);
	explicit_bzero(copy, sizeof(copy));
	return r;
}

/* ---- taking apart ---------------------------------------------------------------------------- */

static int part_parse_json(const char *text, size_t len, json_t **ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(JWS_MAX);
	if (!buf_extend(&b, len))
		return -ENOMEM;
	ssize_t n = base64url_decode(text, len, b.data, len);
	if (n < 0)
		return -EBADMSG;
	json_t *json = json_loadb((const char *)b.data, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return -EBADMSG;
	}
	*ret = json;
	return 0;
}

static int header_check(const json_t *header)
{
	static const char *const known[] = {"alg", "typ", "kid"};
	size_t found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const json_t *v = json_object_get(header, known[i]);
		if (v && !json_is_string(v))
			return -EBADMSG;
		found += v != NULL;
	}
	if (found != json_object_size(header))
		return -EBADMSG;
	const char *alg = json_string_value(json_object_get(header, "alg"));
	return alg && strcmp(alg, "EdDSA") == 0 ? 0 : -EBADMSG;
}

int jws_parse(const char *text, size_t len, struct jws *ret)
{
	if (len == 0 || len > JWS_MAX)
		return -EBADMSG;
	const char *dot1 = memchr(text, '.', len);
	if (!dot1)
		return -EBADMSG;
	size_t left = len - (size_t)(dot1 + 1 - text);
	const char *dot2 = memchr(dot1 + 1, '.', left);
	if (!dot2)
		return -EBADMSG;

	_cleanup_jws_ struct jws j = {.text = text, .signed_len = (size_t)(dot2 - text)};
	size_t sig_len = len - j.signed_len - 1;
	if (base64url_decode(dot2 + 1, sig_len, j.sig, sizeof(j.sig)) != JWS_SIG_LEN)
		return -EBADMSG;
	int r = part_parse_json(text, (size_t)(dot1 - text), &j.header);
	if (r < 0)
		return r;
	r = header_check(j.header);
	if (r < 0)
		return r;
	r = part_parse_json(dot1 + 1, (size_t)(dot2 - dot1 - 1), &j.claims);
	if (r < 0)
		return r;
	*ret = j;
	j = (struct jws){0};
	return 0;
}

int jws_check(const struct jws *j, const uint8_t key[static JWS_KEY_LEN])
{
	_cleanup_(pkey_freep) EVP_PKEY *pkey =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, JWS_KEY_LEN);
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!pkey || !ctx)
		return -EKEYREJECTED;
	if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
	    EVP_DigestVerify(
		ctx, j->sig, sizeof(j->sig), (const uint8_t *)j->text, j->signed_len) != 1)
		return -EKEYREJECTED;
	return 0;
}

void jws_clear(struct jws *j)
{
	const char *name;
	json_t *v;

	json_object_foreach(j->claims, name, v)
	{
		if (json_is_string(v) && v->refcount == 1)
			explicit_bzero(
			    (char *)(uintptr_t)json_string_value(v), json_string_length(v));
	}
	json_decref(j->header);
	json_decref(j->claims);
	*j = (struct jws){0};
}

const char *jws_str(const struct jws *j, const char *name, size_t max)
{
	const json_t *v = json_object_get(j->claims, name);
	size_t n = json_string_length(v);
	return n >= 1 && n <= max ? json_string_value(v) : NULL;
}

int jws_int(const struct jws *j, const char *name, int64_t *ret)
{
	const json_t *v = json_object_get(j->claims, name);
	if (!json_is_integer(v))
		return -EBADMSG;
	*ret = json_integer_value(v);
	return 0;
}
