/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "base/encode.h"
#include "base/secret.h"
#include "sealed.h"

#define VERSION	  "v1."
#define NONCE_LEN 12
#define TAG_LEN	  16
#define EXTRA	  (NONCE_LEN + TAG_LEN)
#define TEXT_MAX  (sizeof(VERSION) + BASE64_LEN(SEALED_MAX + EXTRA))

static void ctx_freep(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c); /* wipes it */
}

/* "to" is nonce, ciphertext, tag. An empty value has no update: that would count as more aad. */
static int encrypt(const uint8_t *key, const struct buf *aad, const void *p, size_t n, uint8_t *to)
{
	_cleanup_(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int len = 0, r = secret_random(to, NONCE_LEN);

	if (!c)
		return -ENOMEM;
	if (r < 0)
		return r;
	if (EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key, to, NULL) != 1 ||
	    EVP_EncryptUpdate(c, NULL, &len, aad->data, (int)aad->len) != 1 ||
	    (n && EVP_EncryptUpdate(c, to + NONCE_LEN, &len, p, (int)n) != 1) ||
	    EVP_EncryptFinal_ex(c, to + NONCE_LEN + n, &len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, to + NONCE_LEN + n) != 1)
		return -EIO;
	return 0;
}

/* n is that of the value; "from" has EXTRA more. What is in "to" counts only when this is 0. */
static int decrypt(
    const uint8_t *key, const struct buf *aad, const uint8_t *from, size_t n, uint8_t *to)
{
	_cleanup_(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t tag[TAG_LEN], none[TAG_LEN];
	int len = 0;

	if (!c)
		return -ENOMEM;
	memcpy(tag, from + NONCE_LEN + n, TAG_LEN);
	if (EVP_DecryptInit_ex2(c, EVP_aes_256_gcm(), key, from, NULL) != 1 ||
	    EVP_DecryptUpdate(c, NULL, &len, aad->data, (int)aad->len) != 1 ||
	    (n && EVP_DecryptUpdate(c, to, &len, from + NONCE_LEN, (int)n) != 1) ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
		return -EIO;
	return EVP_DecryptFinal_ex(c, none, &len) == 1 ? 0 : -EBADMSG;
}

int sealed_make(const uint8_t key[static SEALED_KEY_LEN], const struct buf *aad, const void *p,
    size_t n, struct buf *ret)
{
	_cleanup_buf_ struct buf raw = BUF_INIT(SEALED_MAX + EXTRA);
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);

	if (n > SEALED_MAX)
		return -EMSGSIZE;
	if (buf_error(aad) < 0 || aad->len == 0)
		return -EINVAL;
	uint8_t *to = buf_extend(&raw, n + EXTRA);
	if (!to)
		return buf_error(&raw);
	int r = encrypt(key, aad, p, n, to);
	if (r < 0)
		return r;
	buf_add_str(&text, VERSION);
	char *out = buf_extend(&text, BASE64_LEN(raw.len));
	if (!out)
		return buf_error(&text);
	base64_encode(raw.data, raw.len, out);
	if (buf_error(ret) == 0 && text.len > ret->max - ret->len)
		return -EMSGSIZE;
	buf_add(ret, text.data, text.len);
	return buf_error(ret);
}

int sealed_open(const uint8_t key[static SEALED_KEY_LEN], const struct buf *aad, const char *text,
    struct buf *ret)
{
	_cleanup_buf_ struct buf raw = BUF_INIT(SEALED_MAX + EXTRA);
	_cleanup_buf_ struct buf value = BUF_INIT(SEALED_MAX);
	size_t len = strnlen(text, TEXT_MAX + 1), head = strlen(VERSION);

	if (buf_error(aad) < 0 || aad->len == 0)
		return -EINVAL;
	if (len > TEXT_MAX || strncmp(text, VERSION, head) != 0)
		return -EBADMSG;
	uint8_t *from = buf_extend(&raw, SEALED_MAX + EXTRA);
	if (!from)
		return buf_error(&raw);
	ssize_t got = base64_decode(text + head, len - head, from, SEALED_MAX + EXTRA);
	if (got < EXTRA)
		return -EBADMSG;
	size_t n = (size_t)got - EXTRA;
	uint8_t *to = buf_extend(&value, n);
	if (!to)
		return buf_error(&value);
	int r = decrypt(key, aad, from, n, to);
	if (r < 0)
		return r;
	if (buf_error(ret) == 0 && n > ret->max - ret->len)
		return -EMSGSIZE;
	buf_add(ret, value.data, n);
	return buf_error(ret);
}
