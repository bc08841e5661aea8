/* SPDX-License-Identifier: MIT */
#ifndef SSO_FLOW_CLAIM_H
#define SSO_FLOW_CLAIM_H

/*
 * What the person is asked before a login is linked to an account that exists: a page, with what
 * was asserted waiting in an attempt of its own (sso_flow.h), of the same browser, good once and
 *for SSO_ATTEMPT_SECONDS; and the form that answers it. Without an answer nothing is linked.
 *
 *	POST /sso/SLUG/link	the owner of the account, logged in to it, has asked for the link
 *	POST /sso/SLUG/claim	the account was found by its address (SSO_ASK): "answer" is keep,
 *		close or cancel, "account" and "seen" what the page showed (struct sso_answer)
 */
#include "sso_flow.h"

/*
 * Fill the attempt that waits, but for its link_user; sso_attempt_insert() writes it. The refresh
 * token is not kept for this: the next login brings another one. 0 or -errno.
 */
int sso_flow_postpone(const struct request *rq, const struct sso_connection *c,
    const char *return_to, const struct sso_assertion *said, struct sso_attempt *a);

/*
 * A form that answers: uses up the attempt that its "state" names, if that waits for a link or else
 * for a claim, and calls fn with it and what was asserted; otherwise refuses.
 */
void sso_flow_answer(struct request *rq, struct reply *rp, bool link,
    void (*fn)(struct request *rq, struct reply *rp, const struct sso_connection *c,
	const struct sso_attempt *a, const struct sso_assertion *said));

/* The page for SSO_ASK: "user" is the account that has the address. */
void sso_flow_ask_claim(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *return_to, const struct sso_assertion *said, int64_t user);

/*
 * sso_flow_end.c: sso_login() with this answer (NULL: none yet), and what comes of it. The attempt
 * was taken.
 */
void sso_flow_settle(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said, const struct sso_answer *answer);

/* Handlers; sso_flow_link_post() is in sso_flow.h. */
void sso_flow_claim_post(struct request *rq, struct reply *rp);

#endif
