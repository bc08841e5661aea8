/* SPDX-License-Identifier: MIT */
#ifndef SSHKEY_H
#define SSHKEY_H

/* The public keys of people, each registered with a proof that its owner holds the private half. */
#include "domain.h"
#include "api/sshsig.h"
#include "base/name.h"

#define KEY_GRACE_MAX	(30 * 86400)
#define NONCE_SECONDS	300
#define NONCES_PER_USER 64 /* of one purpose */

/* A key that came with a request, checked before any transaction. */
struct sshkey_proof {
	char line[SSHKEY_LINE_MAX + 1]; /* without its comment */
	char fingerprint[SSHSIG_FINGERPRINT_LEN + 1];
	const char *origin; /* generated or imported */
};

/*
 * Read {public_key, signature, origin?} and check the signature over this service's address and
 * this nonce. API_OK, or the error: INVALID_VALUE for a key that is not acceptable, KEY_PROOF.
 * The address is what keeps another service, which may be asked to let the same key in, from
 * passing on our challenge and coming here with the answer.
 */
enum api_error sshkey_proof_check(
    const struct config *cfg, const json_t *o, const char *nonce, struct sshkey_proof *ret);

/*
 * Register it. 0; -EEXIST when the key is somebody else's or was revoked; -EDQUOT at the limit of
 * keys; or -errno. An active key of the same person is simply found again. *ret: its id.
 */
int sshkey_add(struct tx *t, int64_t user, const struct sshkey_proof *p, int64_t now, int64_t *ret);
/* Revoke all of a person's, those that are retiring as well; hosts follow. 0 or -errno. */
int sshkey_revoke_all(struct tx *t, int64_t user, int64_t now);
/* The key as JSON, for its owner. 0, -ENOENT or -errno. */
int sshkey_json(struct tx *t, int64_t user, int64_t key, json_t **ret);

/* A nonce that is good once for this person and purpose ("login", "register"). 0 or -errno. */
int nonce_issue(struct tx *t, int64_t user, const char *purpose, int64_t now, char out[65]);
/* For nobody: looks like any other, took as long to make, opens nothing. 0 or -errno. */
int nonce_pretend(struct tx *t, int64_t now, char out[65]);
/* Use it up. 0, -ENOENT (unknown, used, expired, somebody else's) or -errno. */
int nonce_consume(struct tx *t, int64_t user, const char *purpose, const char *nonce, int64_t now);

/* Handlers. */
void sshkey_list(struct request *rq, struct reply *rp);
void sshkey_challenge(struct request *rq, struct reply *rp);
void sshkey_post(struct request *rq, struct reply *rp);
void sshkey_delete(struct request *rq, struct reply *rp);

#endif
