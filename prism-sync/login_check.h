/* SPDX-License-Identifier: MIT */
#ifndef LOGIN_CHECK_H
#define LOGIN_CHECK_H

/*
 * What the root half lets through of what the network half says about a device login. Pure.
 */
#include <stdbool.h>
#include "agent/agent.h"
#include "feed/login.h"
#include "trust.h"

/* The login that a statement must be about. */
struct login_expect {
	uint8_t nonce[LOGIN_NONCE_LEN];
	char user[USERNAME_MAX + 1];
	uint32_t uid;
	uint8_t code[FEED_DIGEST_LEN]; /* of the code that was shown */
};

/*
 * Whether "url" is the page of the service at "base" where a code is approved: base/device, and
 * with a code that has been looked at, base/device?user_code=CODE. "" as base: none is.
 */
bool login_page_ok(const char *base, const char *url, const char *code);
/* A user code: letters, digits and '-', at most AGENT_CODE_MAX. */
bool login_code_ok(const char *code);

/*
 * Open a statement by the keys that may sign at "now" and compare all of it. 0 and what it
 * approves; otherwise -EBADMSG, or -ETIME when only its time is wrong (*ret_ahead: seconds that it
 * is ahead of "now"), and in *ret_word why, for the log.
 */
int login_check(const struct trust *trust, const struct login_expect *e, int64_t now, const void *p,
    size_t n, struct agent_approval *ret, const char **ret_word, int64_t *ret_ahead);

#endif
