/* SPDX-License-Identifier: MIT */

/*
 * Threat model: who carries a statement MUST NOT be able to make or change one: no byte but the
 * magic and the key id is looked at before the signature holds, under a pinned key and with a
 * context that no other signature of that key has; nothing of a refused one reaches the caller.
 */
#include "feed/login.h"

#include <errno.h>
#include <string.h>

enum { LOGIN_KEY_ID_AT = 8, LOGIN_HEAD = 8 + FEED_KEY_ID_LEN };

void login_code_hash(const char *code, uint8_t out[static FEED_DIGEST_LEN])
{
	_cleanup_buf_ struct buf letters = BUF_INIT(256);

	for (; *code != '\0'; code++)
		if (*code != '-')
			buf_add_char(&letters, *code);
	feed_hash(letters.data, letters.len, out);
}

/* What a statement can be about, whoever writes or reads it. */
static bool statement_valid(const struct login_statement *l)
{
	if (l->issued_at <= 0 || l->uid < ID_FLOOR || !username_valid(l->username) ||
	    l->nprojects > LOGIN_PROJECTS_MAX)
		return false;
	for (size_t i = 0; i < l->nprojects; i++)
		if (!slug_valid(l->projects[i]))
			return false;
	return true;
}

int login_sign(struct feed_signer *s, const struct login_statement *l, struct buf *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT(sizeof(LOGIN_CONTEXT) + LOGIN_MAX);
	uint8_t id[FEED_KEY_ID_LEN], sig[FEED_SIG_LEN];

	if (!statement_valid(l))
		return -EINVAL;
	feed_key_id(feed_signer_public(s), id);
	buf_add(&b, LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	buf_add(&b, LOGIN_MAGIC, 8);
	buf_add(&b, id, sizeof(id));
	buf_add(&b, l->host, sizeof(l->host));
	buf_add(&b, l->nonce, sizeof(l->nonce));
	wire_put_i64(&b, l->issued_at);
	wire_put_u32(&b, l->uid);
	wire_put_str(&b, l->username);
	wire_put_u16(&b, (uint16_t)l->nprojects);
	for (size_t i = 0; i < l->nprojects; i++)
		wire_put_str(&b, l->projects[i]);
	buf_add(&b, l->code, sizeof(l->code));
	if (buf_error(&b) < 0)
		return buf_error(&b);
	int r = feed_signer_sign_raw(s, b.data, b.len, sig);

	if (r < 0)
		return r;
	buf_add(out, b.data + sizeof(LOGIN_CONTEXT), b.len - sizeof(LOGIN_CONTEXT));
	buf_add(out, sig, sizeof(sig));
	return buf_error(out);
}

static int statement_read(const uint8_t *p, size_t n, struct login_statement *l)
{
	const uint8_t *bytes;
	struct wire w;

	wire_init(&w, p, n);
	wire_bytes(&w, LOGIN_HEAD);
	if ((bytes = wire_bytes(&w, sizeof(l->host))) != NULL)
		memcpy(l->host, bytes, sizeof(l->host));
	if ((bytes = wire_bytes(&w, sizeof(l->nonce))) != NULL)
		memcpy(l->nonce, bytes, sizeof(l->nonce));
	l->issued_at = wire_i64(&w);
	l->uid = wire_u32(&w);
	wire_str(&w, l->username, sizeof(l->username));
	l->nprojects = wire_u16(&w);
	for (size_t i = 0; i < l->nprojects && i < LOGIN_PROJECTS_MAX; i++)
		wire_str(&w, l->projects[i], sizeof(l->projects[i]));
	if ((bytes = wire_bytes(&w, sizeof(l->code))) != NULL)
		memcpy(l->code, bytes, sizeof(l->code));
	return wire_done(&w) && statement_valid(l) ? 0 : -EBADMSG;
}

int login_open(const struct feed_trust *trust, const void *p, size_t n, struct login_statement *ret)
{
	uint8_t whole[sizeof(LOGIN_CONTEXT) + LOGIN_MAX];
	const uint8_t *in = p;
	struct login_statement l = {.nprojects = 0};

	if (n < LOGIN_HEAD + FEED_SIG_LEN || n > LOGIN_MAX || memcmp(in, LOGIN_MAGIC, 8) != 0)
		return -EBADMSG;
	memcpy(whole, LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	memcpy(whole + sizeof(LOGIN_CONTEXT), in, n - FEED_SIG_LEN);
	int r = feed_verify_raw(trust, in + LOGIN_KEY_ID_AT, whole,
	    sizeof(LOGIN_CONTEXT) + n - FEED_SIG_LEN, in + n - FEED_SIG_LEN);

	if (r == 0)
		r = statement_read(in, n - FEED_SIG_LEN, &l);
	if (r == 0)
		*ret = l;
	return r;
}
