/* SPDX-License-Identifier: MIT */
#include "api/token.h"

#include <errno.h>
#include <string.h>
#include <openssl/sha.h>
#include "api/jws.h"
#include "base/attr.h"
#include "base/encode.h"

/* What a claim holds decides how it is checked, read and written. */
enum claim_type {
	CLAIM_URL,
	CLAIM_PIN,   /* base64 of 32 bytes */
	CLAIM_BYTES, /* base64url of exactly "size" bytes */
	CLAIM_TIME,
	CLAIM_SLUG,
	CLAIM_TEXT, /* one printable line */
	CLAIM_HOST,
};

struct claim {
	const char *name;
	enum claim_type type;
	unsigned kinds; /* bits of 1 << enum token_kind */
	bool optional;	/* may be absent; an empty text is left out when writing */
	size_t offset;
	size_t size;
};

#define INV	    (1u << TOKEN_INVITATION)
#define ENR	    (1u << TOKEN_ENROLMENT)
#define FIELD(name) offsetof(struct token, name), sizeof(((struct token *)0)->name)

static const struct claim claims[] = {
    {"url", CLAIM_URL, INV | ENR, false, FIELD(url)},
    {"pin", CLAIM_PIN, INV | ENR, true, FIELD(pin)},
    {"sec", CLAIM_BYTES, INV | ENR, false, FIELD(secret)},
    {"exp", CLAIM_TIME, INV | ENR, false, FIELD(expires)},
    {"prj", CLAIM_SLUG, INV | ENR, false, FIELD(project)},
    {"prn", CLAIM_TEXT, INV, true, FIELD(project_name)},
    {"rol", CLAIM_TEXT, INV, false, FIELD(role)},
    {"hst", CLAIM_HOST, ENR, true, FIELD(host)},
    {"fky", CLAIM_BYTES, ENR, false, FIELD(feed_key)},
    {"rky", CLAIM_BYTES, ENR, false, FIELD(recovery_key_id)},
};

static const char *const typ_of[] = {
    [TOKEN_INVITATION] = "prism-invitation",
    [TOKEN_ENROLMENT] = "prism-enrolment",
};

/* ---- checks of texts ------------------------------------------------------------------------- */

/* A program connects to it: nothing but a plain base URL, so that what is shown is what is used. */
static bool url_ok(const char *s)
{
	static const char *const schemes[] = {"https://", "http://", "unix:/"};
	const char *rest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = strlen(schemes[i]);
		if (strncmp(s, schemes[i], n) == 0)
			rest = s + n;
	}
	if (!rest || !*rest)
		return false;
	for (; *rest; rest++) {
		if (*rest <= ' ' || *rest >= 0x7f || strchr("@\"'<>\\^`{|}?#%", *rest))
			return false;
	}
	return true;
}

static bool host_ok(const char *s)
{
	for (; *s; s++) {
		bool alnum = (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9');
		if (!alnum && !strchr("-.", *s))
			return false;
	}
	return true;
}

static bool pin_ok(const char *s)
{
	uint8_t hash[32];
	return base64_decode(s, strlen(s), hash, sizeof(hash)) == sizeof(hash);
}

static bool text_ok(enum claim_type type, const char *s)
{
	switch (type) {
	case CLAIM_URL:
		return url_ok(s);
	case CLAIM_PIN:
		return pin_ok(s);
	case CLAIM_SLUG:
		return slug_valid(s);
	case CLAIM_TEXT:
		return gecos_valid(s);
	case CLAIM_HOST:
		return host_ok(s);
	default:
		return false;
	}
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int claim_read(const struct jws *j, const struct claim *c, struct token *t)
{
	char *to = (char *)t + c->offset;

	if (c->type == CLAIM_TIME) {
		int64_t when = 0;
		if (jws_int(j, c->name, &when) < 0 || when <= 0)
			return -EBADMSG;
		memcpy(to, &when, sizeof(when));
		return 0;
	}
	if (c->optional && !json_object_get(j->claims, c->name))
		return 0;
	const char *s = jws_str(j, c->name, TOKEN_MAX);
	if (!s)
		return -EBADMSG;
	size_t n = strlen(s);
	if (c->type == CLAIM_BYTES) {
		uint8_t raw[32];
		ssize_t got = base64url_decode(s, n, raw, sizeof(raw));
		bool ok = got >= 0 && (size_t)got == c->size;
		if (ok)
			memcpy(to, raw, c->size);
		explicit_bzero(raw, sizeof(raw));
		return ok ? 0 : -EBADMSG;
	}
	if (n >= c->size || !text_ok(c->type, s))
		return -EBADMSG;
	memcpy(to, s, n + 1);
	return 0;
}

static int token_read(const char *text, size_t len, struct token *t)
{
	_cleanup_jws_ struct jws j = {0};
	int r = jws_parse(text, len, &j);
	if (r < 0)
		return -EBADMSG;

	const char *typ = json_string_value(json_object_get(j.header, "typ"));
	for (size_t k = TOKEN_INVITATION; typ && k < ARRAY_SIZE(typ_of); k++) {
		if (strcmp(typ, typ_of[k]) == 0)
			t->kind = (enum token_kind)k;
	}
	if (!t->kind)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		if (!(claims[i].kinds & (1u << t->kind)))
			continue;
		r = claim_read(&j, &claims[i], t);
		if (r < 0)
			return r;
	}
	return 0;
}

int token_parse(const char *text, struct token *ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TOKEN_MAX);

	for (const char *p = text; *p; p++) {
		if (!strchr(" \t\r\n\v\f", *p))
			buf_add_char(&b, *p);
		if (buf_error(&b) < 0)
			return -EBADMSG;
	}
	struct token t = {0};
	int r = token_read(buf_str(&b), b.len, &t);
	if (r == 0)
		*ret = t;
	explicit_bzero(&t, sizeof(t));
	return r;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int claim_write(json_t *to, const struct claim *c, const struct token *t)
{
	const char *from = (const char *)t + c->offset;
	char text[BASE64URL_LEN(32) + 1];
	json_t *v = NULL;

	if (c->type == CLAIM_TIME) {
		int64_t when = 0;
		memcpy(&when, from, sizeof(when));
		v = when > 0 ? json_integer(when) : NULL;
	} else if (c->type == CLAIM_BYTES) {
		base64url_encode(from, c->size, text);
		v = json_string(text);
		explicit_bzero(text, sizeof(text));
	} else if (c->optional && !*from) {
		return 0;
	} else if (memchr(from, '\0', c->size) && *from && text_ok(c->type, from)) {
		v = json_string(from);
	}
	if (!v)
		return -EINVAL;
	return json_object_set_new(to, c->name, v) < 0 ? -ENOMEM : 0;
}

int token_make(const struct token *t,
    int (*sign)(void *arg, const void *p, size_t n, uint8_t sig[64]), void *arg, struct buf *out)
{
	if (t->kind != TOKEN_INVITATION && t->kind != TOKEN_ENROLMENT)
		return -EINVAL;
	_cleanup_jws_ struct jws j = {.claims = json_object()};
	if (!j.claims)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		if (!(claims[i].kinds & (1u << t->kind)))
			continue;
		int r = claim_write(j.claims, &claims[i], t);
		if (r < 0)
			return r;
	}
	_cleanup_buf_ struct buf b = BUF_INIT(TOKEN_MAX);
	int r = jws_sign(typ_of[t->kind], j.claims, sign, arg, &b);
	if (r < 0)
		return r;
	buf_add(out, b.data, b.len);
	return buf_error(out);
}

void token_hash(const uint8_t secret[static TOKEN_SECRET_LEN], uint8_t out[32])
{
	SHA256(secret, TOKEN_SECRET_LEN, out);
}
