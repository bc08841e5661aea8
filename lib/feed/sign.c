/* SPDX-License-Identifier: MIT */

/*
 * Threat model: whoever sends a message MUST NOT have any byte but the magic and the key id looked
 * at before the signature holds; a message MUST verify under a pinned key, of exactly that key id;
 * nothing of a failed message may reach the caller.
 */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "feed/feed.h"

enum { KEY_ID_AT = 12, HEADER_LEN = 8 + 4 + 16 + 16 + 3 * 8 + 32 + 2 * 8 + 4 };

struct feed_signer {
	EVP_PKEY *key;
	uint8_t public[FEED_KEY_LEN];
};

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void md_ctx_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

int feed_signer_new(const uint8_t seed[static 32], struct feed_signer **ret)
{
	_cleanup_(pkey_freep) EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
	_cleanup_free_ struct feed_signer *s = calloc(1, sizeof(*s));
	size_t len = sizeof(s->public);

	if (s == NULL)
		return -ENOMEM;
	if (key == NULL || EVP_PKEY_get_raw_public_key(key, s->public, &len) != 1 ||
	    len != FEED_KEY_LEN)
		return -EINVAL;
	s->key = TAKE_PTR(key);
	*ret = TAKE_PTR(s);
	return 0;
}

void feed_signer_free(struct feed_signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->key);
	free(s);
}

const uint8_t *feed_signer_public(const struct feed_signer *s)
{
	return s->public;
}

void feed_key_id(const uint8_t key[static FEED_KEY_LEN], uint8_t id[static FEED_KEY_ID_LEN])
{
	uint8_t hash[FEED_DIGEST_LEN];

	feed_hash(key, FEED_KEY_LEN, hash);
	memcpy(id, hash, FEED_KEY_ID_LEN);
}

int feed_signer_sign_raw(void *signer, const void *p, size_t n, uint8_t sig[FEED_SIG_LEN])
{
	const struct feed_signer *s = signer;
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = FEED_SIG_LEN;

	if (ctx == NULL)
		return -ENOMEM;
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key) != 1 ||
	    EVP_DigestSign(ctx, sig, &len, p, n) != 1 || len != FEED_SIG_LEN)
		return -EIO;
	return 0;
}

static void put_header(struct buf *b, const struct feed_header *h, const uint8_t *key_id)
{
	buf_add(b, FEED_MAGIC, 8);
	wire_put_u8(b, h->kind);
	buf_add(b, "\0\0", 3);
	buf_add(b, key_id, FEED_KEY_ID_LEN);
	buf_add(b, h->id, FEED_ID_LEN);
	wire_put_u64(b, h->epoch);
	wire_put_u64(b, h->from);
	wire_put_u64(b, h->to);
	buf_add(b, h->digest, FEED_DIGEST_LEN);
	wire_put_i64(b, h->issued_at);
	wire_put_i64(b, h->valid_until);
	wire_put_u32(b, h->nrecords);
}

int feed_sign(const struct feed_signer *s, const struct feed_header *h, const void *records,
    size_t records_len, struct buf *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FEED_MESSAGE_MAX);
	uint8_t id[FEED_KEY_ID_LEN], sig[FEED_SIG_LEN];

	feed_key_id(s->public, id);
	buf_add(&b, FEED_CONTEXT, sizeof(FEED_CONTEXT));
	put_header(&b, h, id);
	buf_add(&b, records, records_len);
	if (buf_error(&b) != 0)
		return buf_error(&b);
	int rc = feed_signer_sign_raw((void *)s, b.data, b.len, sig);

	if (rc < 0)
		return rc;
	buf_add(out, b.data + sizeof(FEED_CONTEXT), b.len - sizeof(FEED_CONTEXT));
	buf_add(out, sig, sizeof(sig));
	return buf_error(out);
}

static const uint8_t *pinned_key(const struct feed_trust *trust, const uint8_t *key_id)
{
	for (size_t i = 0; i < trust->nkeys && i < ARRAY_SIZE(trust->keys); i++) {
		uint8_t id[FEED_KEY_ID_LEN];

		feed_key_id(trust->keys[i], id);
		if (memcmp(id, key_id, sizeof(id)) == 0)
			return trust->keys[i];
	}
	return NULL;
}

static int verify(const uint8_t *key, const void *p, size_t n, const uint8_t *sig)
{
	_cleanup_(pkey_freep) EVP_PKEY *k =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, FEED_KEY_LEN);
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL)
		return -ENOMEM;
	if (k == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k) != 1 ||
	    EVP_DigestVerify(ctx, sig, FEED_SIG_LEN, p, n) != 1)
		return -EKEYREJECTED;
	return 0;
}

int feed_verify_raw(const struct feed_trust *trust, const uint8_t key_id[static FEED_KEY_ID_LEN],
    const void *p, size_t n, const uint8_t sig[static FEED_SIG_LEN])
{
	const uint8_t *key = pinned_key(trust, key_id);

	return key != NULL ? verify(key, p, n, sig) : -ENOKEY;
}

/* The context, the message and its signature, in one piece; "len" is that of the last two. */
static int verify_message(const uint8_t *key, const uint8_t *whole, size_t len)
{
	size_t signed_len = FEED_HEADROOM + len - FEED_SIG_LEN;

	return verify(key, whole, signed_len, whole + signed_len);
}

static bool header_valid(const struct feed_header *h, uint32_t zero)
{
	if (zero != 0 || h->kind < FEED_FULL || h->kind > FEED_MANIFEST || h->epoch == 0)
		return false;
	if (h->kind == FEED_DELTA ? h->from > h->to : h->from != 0)
		return false;
	return h->issued_at > 0 && h->valid_until > h->issued_at;
}

static void get_header(struct wire *w, struct feed_header *h, uint32_t *ret_zero)
{
	const uint8_t *p;

	wire_bytes(w, 8);
	h->kind = wire_u8(w);
	*ret_zero = wire_u8(w);
	*ret_zero |= wire_u16(w);
	if ((p = wire_bytes(w, FEED_KEY_ID_LEN)) != NULL)
		memcpy(h->key_id, p, FEED_KEY_ID_LEN);
	if ((p = wire_bytes(w, FEED_ID_LEN)) != NULL)
		memcpy(h->id, p, FEED_ID_LEN);
	h->epoch = wire_u64(w);
	h->from = wire_u64(w);
	h->to = wire_u64(w);
	if ((p = wire_bytes(w, FEED_DIGEST_LEN)) != NULL)
		memcpy(h->digest, p, FEED_DIGEST_LEN);
	h->issued_at = wire_i64(w);
	h->valid_until = wire_i64(w);
	h->nrecords = wire_u32(w);
}

/* Walks the frames of all records, so that a caller never meets a broken one half way. */
static int count_records(struct wire w, uint32_t expected)
{
	struct feed_record r;
	uint32_t n = 0;
	int rc;

	while ((rc = feed_next(&w, &r)) > 0)
		n++;
	return rc < 0 || n != expected ? -EBADMSG : 0;
}

/* What may be looked at before the signature holds: 0 and the key that it must be of. */
static int find_key(
    const struct feed_trust *trust, const uint8_t *msg, size_t len, const uint8_t **ret)
{
	if (len < HEADER_LEN + FEED_SIG_LEN || len > FEED_MESSAGE_MAX ||
	    memcmp(msg, FEED_MAGIC, 8) != 0)
		return -EBADMSG;
	*ret = pinned_key(trust, msg + KEY_ID_AT);
	return *ret != NULL ? 0 : -ENOKEY;
}

static int read_verified(
    const uint8_t *msg, size_t len, struct feed_header *ret, struct wire *ret_records)
{
	struct feed_header h = {.kind = 0};
	struct wire w;
	uint32_t zero;

	wire_init(&w, msg, len - FEED_SIG_LEN);
	get_header(&w, &h, &zero);
	if (!wire_ok(&w) || !header_valid(&h, zero) || count_records(w, h.nrecords) < 0)
		return -EBADMSG;
	*ret = h;
	*ret_records = w;
	return 0;
}

int feed_open_at(const struct feed_trust *trust, uint8_t *room, size_t len, struct feed_header *ret,
    struct wire *ret_records)
{
	const uint8_t *key, *msg = room + FEED_HEADROOM;
	int rc = find_key(trust, msg, len, &key);

	if (rc < 0)
		return rc;
	memcpy(room, FEED_CONTEXT, FEED_HEADROOM);
	rc = verify_message(key, room, len);
	return rc < 0 ? rc : read_verified(msg, len, ret, ret_records);
}

int feed_open(const struct feed_trust *trust, const void *msg, size_t len, struct feed_header *ret,
    struct wire *ret_records)
{
	const uint8_t *key;
	int rc = find_key(trust, msg, len, &key);

	if (rc < 0)
		return rc;
	_cleanup_free_ uint8_t *copy = malloc(FEED_HEADROOM + len);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, FEED_CONTEXT, FEED_HEADROOM);
	memcpy(copy + FEED_HEADROOM, msg, len);
	rc = verify_message(key, copy, len);
	return rc < 0 ? rc : read_verified(msg, len, ret, ret_records);
}
