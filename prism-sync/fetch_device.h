/* SPDX-License-Identifier: MIT */
#ifndef FETCH_DEVICE_H
#define FETCH_DEVICE_H

/* The requests of device logins (RFC 8628). */
#include "fetch_central.h"

#define DEVICE_CODE_MAX 256

struct device {
	char code[DEVICE_CODE_MAX + 1]; /* the device code, a secret: whoever has it wipes it */
	char user_code[64], url[640], url_complete[640];
	int64_t expires_s, interval_s;
};

/*
 * POST /oauth2/device_authorization, for a login that ends after life_s. 0, -ENOENT (the service
 * knows nobody of this name here), -EUSERS (too many), -EACCES, -EBADMSG, -EINVAL, -EAGAIN or
 * http_request()'s.
 */
struct device_login {
	const char *user, *service, *origin, *nonce_hex;
	uint32_t life_s;
};
int device_begin(struct central *c, const struct device_login *l, struct device *ret,
    struct central_answer *answer);

/*
 * POST /oauth2/token. 0 and the signed statement; -EINPROGRESS (authorization_pending), -EBUSY
 * (slow_down), -EPERM (access_denied), -ETIMEDOUT (expired_token), -ENOKEY (no such code, or not
 * any more); otherwise the way there failed, as above, but -ECONNABORTED for a request that timed
 * out.
 */
int device_redeem(
    struct central *c, const char *code, struct buf *statement, struct central_answer *answer);

/* POST /oauth2/revoke: nobody waits for this code any more. 0 or -errno, as above. */
int device_end(struct central *c, const char *code, struct central_answer *answer);

/*
 * GET .../logins: the hash of each answered code goes to "take"; *after is what to ask with next
 * time. Errors as of central_poll().
 */
int device_answered(struct central *c, long wait_seconds, int64_t *after,
    void (*take)(void *arg, const uint8_t hash[32]), void *arg, struct central_answer *answer);

#endif
