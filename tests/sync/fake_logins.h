/* SPDX-License-Identifier: MIT */
#ifndef FAKE_LOGINS_H
#define FAKE_LOGINS_H

/*
 * The authorization server's part of helper_central: device codes of one host (RFC 8628), and what
 * a real service never does: statements that are wrong in one way each.
 */
#include "feed/login.h"
#include "sync/forge.h"
#include <time.h>

#define FAKE_LOGINS 1024

enum fake_state { FAKE_PENDING, FAKE_APPROVED, FAKE_DENIED, FAKE_EXPIRED, FAKE_REDEEMED };

struct fake_login {
	enum fake_state state;
	char user[64], origin[256], device[64], code[16], life[16];
	bool ended;
	uint8_t nonce[LOGIN_NONCE_LEN], hash[FEED_DIGEST_LEN];
	uint32_t uid;
	long long answered_at;
};

static struct fake_login fake_logins[FAKE_LOGINS];
static size_t nfake_logins;
static long long fake_clock = 1;
static unsigned fake_begun, fake_redeemed, fake_polls, fake_redeems, fake_ends;
static unsigned fake_slow, fake_pending, fake_broken; /* so many next answers to a redeem */
static unsigned fake_interval = 1;
static char fake_url[600];  /* of the pages; "": the service's own */
static char fake_wrong[32]; /* which part of the next statements is wrong */
static char fake_projects[8][SLUG_MAX + 1];
static size_t nfake_projects;

/* One value of a form; what it has of %XX is decoded. */
__attribute__((unused)) static bool fake_form(
    const char *body, const char *key, char *out, size_t size)
{
	const size_t klen = strlen(key);
	size_t n = 0;

	while (body && (strncmp(body, key, klen) != 0 || body[klen] != '=')) {
		body = strchr(body, '&');
		body = body ? body + 1 : NULL;
	}
	if (body == NULL)
		return false;
	for (const char *p = body + klen + 1; *p && *p != '&' && n + 1 < size; p++) {
		unsigned c = (unsigned char)*p;

		if (*p == '%' && sscanf(p + 1, "%2x", &c) == 1)
			p += 2;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

__attribute__((unused)) static int fake_begin(
    const char *body, uint32_t uid, const char *url, char *json, size_t size)
{
	struct fake_login *l = &fake_logins[nfake_logins];
	const char *base = fake_url[0] ? fake_url : url;
	char nonce[80];

	if (nfake_logins == FAKE_LOGINS)
		abort();
	memset(l, 0, sizeof(*l));
	if (!fake_form(body, "login_hint", l->user, sizeof(l->user)) ||
	    !fake_form(body, "origin", l->origin, sizeof(l->origin)) ||
	    !fake_form(body, "nonce", nonce, sizeof(nonce)) ||
	    hex_decode(nonce, strlen(nonce), l->nonce, sizeof(l->nonce)) != sizeof(l->nonce))
		return -1;
	fake_form(body, "life", l->life, sizeof(l->life));
	l->uid = uid;
	snprintf(l->device, sizeof(l->device), "pdc_%zu_%ld", nfake_logins, random());
	snprintf(l->code, sizeof(l->code), "WDJB-%04zu", nfake_logins);
	feed_hash(l->device, strlen(l->device), l->hash);
	nfake_logins++;
	fake_begun++;
	return snprintf(json, size,
	    "{\"device_code\":\"%s\",\"user_code\":\"%s\",\"verification_uri\":\"%s/device\","
	    "\"verification_uri_complete\":\"%s/device?user_code=%s\",\"expires_in\":300,"
	    "\"interval\":%u}",
	    l->device, l->code, base, base, l->code, fake_interval);
}

/* 0 and the answer to a poll for answered codes, or -1: there is nothing yet. */
__attribute__((unused)) static int fake_answered(long long after, struct buf *out)
{
	const char *comma = "";
	size_t n = 0;

	buf_addf(out, "{\"now\":%lld,\"answered\":[", fake_clock);
	for (size_t i = 0; i < nfake_logins; i++) {
		const struct fake_login *l = &fake_logins[i];
		char hex[65];

		if (l->answered_at <= after || l->state == FAKE_REDEEMED)
			continue;
		hex_encode(l->hash, sizeof(l->hash), hex);
		buf_addf(out, "%s\"%s\"", comma, hex);
		comma = ",";
		n++;
	}
	buf_addf(out, "]}");
	return n > 0 ? 0 : -1;
}

static bool fake_is_wrong(const char *what)
{
	return strcmp(fake_wrong, what) == 0;
}

__attribute__((unused)) static void fake_statement(
    struct forge *f, const struct fake_login *l, struct buf *out)
{
	struct login_statement s = {.issued_at = time(NULL), .uid = l->uid};
	struct feed_signer *other = NULL, *signer = f->signer;

	memcpy(s.host, f->host, sizeof(s.host));
	memcpy(s.nonce, l->nonce, sizeof(s.nonce));
	snprintf(s.username, sizeof(s.username), "%.32s", l->user);
	login_code_hash(l->code, s.code);
	for (size_t i = 0; i < nfake_projects; i++)
		memcpy(s.projects[s.nprojects++], fake_projects[i], sizeof(fake_projects[i]));
	if (fake_is_wrong("nonce"))
		s.nonce[0] ^= 1;
	if (fake_is_wrong("code"))
		s.code[0] ^= 1;
	if (fake_is_wrong("host"))
		s.host[0] ^= 1;
	if (fake_is_wrong("user"))
		snprintf(s.username, sizeof(s.username), "mallory");
	if (fake_is_wrong("uid"))
		s.uid++;
	if (fake_is_wrong("old"))
		s.issued_at -= LOGIN_LIFE + 30;
	if (fake_is_wrong("future"))
		s.issued_at += 150;
	if (fake_is_wrong("key"))
		signer = other = forge_signer(77);
	if (login_sign(signer, &s, out) < 0)
		abort();
	if (fake_is_wrong("signature"))
		out->data[out->len - 1] ^= 1;
	if (fake_is_wrong("flipped"))
		out->data[90] ^= 1;
	feed_signer_free(other);
}

__attribute__((unused)) static const char *fake_redeem(
    struct forge *f, const char *body, char *json, size_t size)
{
	static const char *const errors[] = {[FAKE_PENDING] = "authorization_pending",
	    [FAKE_DENIED] = "access_denied",
	    [FAKE_EXPIRED] = "expired_token",
	    [FAKE_REDEEMED] = "invalid_grant"};
	struct buf raw = BUF_INIT(LOGIN_MAX);
	struct fake_login *l = NULL;
	char device[64] = "", text[BASE64URL_LEN(LOGIN_MAX) + 1];
	const char *error = "invalid_grant";

	fake_redeems++;
	fake_form(body, "device_code", device, sizeof(device));
	for (size_t i = 0; i < nfake_logins; i++)
		if (strcmp(fake_logins[i].device, device) == 0)
			l = &fake_logins[i];
	if (l != NULL)
		error = errors[l->state];
	if (fake_slow > 0 && fake_slow--)
		error = "slow_down";
	else if (fake_pending > 0 && fake_pending--)
		error = "authorization_pending";
	if (error != NULL) {
		snprintf(json, size, "{\"error\":\"%s\"}", error);
		return "400 Bad";
	}
	fake_statement(f, l, &raw);
	base64url_encode(raw.data, raw.len, text);
	buf_free(&raw);
	l->state = FAKE_REDEEMED;
	fake_redeemed++;
	snprintf(json, size,
	    "{\"access_token\":\"pdt_x\",\"token_type\":\"Bearer\",\"expires_in\":120,"
	    "\"prism_login\":\"%s\"}",
	    text);
	return "200 OK";
}

__attribute__((unused)) static void fake_end(const char *body)
{
	char device[64] = "";

	fake_ends++;
	fake_form(body, "token", device, sizeof(device));
	for (size_t i = 0; i < nfake_logins; i++)
		if (strcmp(fake_logins[i].device, device) == 0)
			fake_logins[i].ended = true;
}

__attribute__((unused)) static void fake_tell(const char *code)
{
	for (size_t i = 0; i < nfake_logins; i++) {
		if (strcmp(fake_logins[i].code, code) != 0)
			continue;
		printf("life %s ended %d\n", fake_logins[i].life, fake_logins[i].ended);
		return;
	}
	printf("none\n");
}

static long long fake_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* "approve|deny|expire CODE|all": how many, and when (CLOCK_MONOTONIC, ms). */
__attribute__((unused)) static void fake_decide(const char *verb, const char *code)
{
	const enum fake_state to = strcmp(verb, "approve") == 0 ? FAKE_APPROVED
				   : strcmp(verb, "deny") == 0	? FAKE_DENIED
								: FAKE_EXPIRED;
	size_t n = 0;

	fake_clock++;
	for (size_t i = 0; i < nfake_logins; i++) {
		struct fake_login *l = &fake_logins[i];

		if (l->state != FAKE_PENDING ||
		    (strcmp(code, "all") != 0 && strcmp(code, l->code) != 0))
			continue;
		l->state = to;
		l->answered_at = fake_clock;
		n++;
	}
	printf("decided %zu at %lld\n", n, fake_ms());
}

#endif
