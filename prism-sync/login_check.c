/* SPDX-License-Identifier: MIT */

/*
 * Threat model: the network half is an enemy that wants somebody let in, or sent to a page of its
 * own. A statement MUST be signed by a pinned key, for this host, and answer the nonce that the
 * root half made for this very login, and be for the code that was shown for it and for no other
 * one; the page MUST be that of the service, at
 * the address that this host enrolled with, where a code is approved, and no other one: on some of
 * them people agree to something else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/secret.h"
#include "login_check.h"

#define FUTURE_MAX 60 /* seconds */

bool login_page_ok(const char *base, const char *url, const char *code)
{
	char want[AGENT_URL_MAX + 1];
	const int n = snprintf(
	    want, sizeof(want), "%s/device%s%s", base, code ? "?user_code=" : "", code ? code : "");

	return base[0] != '\0' && n > 0 && (size_t)n < sizeof(want) && strcmp(url, want) == 0;
}

bool login_code_ok(const char *code)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-";
	const size_t n = strlen(code);

	return n > 0 && n <= AGENT_CODE_MAX && strspn(code, digits) == n;
}

static const char *word_of(int rc)
{
	return rc == -ENOKEY ? "unknown-key" : rc == -EKEYREJECTED ? "bad-signature" : "malformed";
}

static const char *difference(
    const struct trust *t, const struct login_expect *e, const struct login_statement *s)
{
	if (memcmp(s->host, t->host_id, sizeof(s->host)) != 0)
		return "other-host";
	if (!secret_equal(s->nonce, e->nonce, sizeof(s->nonce)))
		return "other-login";
	if (strcmp(s->username, e->user) != 0)
		return "other-user";
	if (memcmp(s->code, e->code, sizeof(s->code)) != 0)
		return "other-code";
	return s->uid != e->uid ? "other-uid" : NULL;
}

int login_check(const struct trust *trust, const struct login_expect *e, int64_t now, const void *p,
    size_t n, struct agent_approval *ret, const char **ret_word, int64_t *ret_ahead)
{
	struct agent_approval a = {.uid = e->uid};
	struct login_statement s;
	struct feed_trust keys;

	trust_keys(trust, now, false, &keys);
	const int rc = login_open(&keys, p, n, &s);

	*ret_word = rc < 0 ? word_of(rc) : difference(trust, e, &s);
	if (*ret_word != NULL)
		return -EBADMSG;
	/* Not subtracted before the signature holds: the time is the service's then. */
	*ret_ahead = s.issued_at - now;
	if (*ret_ahead > FUTURE_MAX || *ret_ahead < -LOGIN_LIFE) {
		*ret_word = "not-its-time";
		return -ETIME;
	}
	memcpy(a.user, s.username, sizeof(s.username));
	for (size_t i = 0; i < s.nprojects && i < AGENT_PROJECTS_MAX; i++)
		memcpy(a.projects[a.nprojects++], s.projects[i], sizeof(a.projects[0]));
	*ret = a;
	return 0;
}
