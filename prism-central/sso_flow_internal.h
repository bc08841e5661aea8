/* SPDX-License-Identifier: MIT */
#ifndef SSO_FLOW_INTERNAL_H
#define SSO_FLOW_INTERNAL_H

/* What the files of sso_flow.h share with oidc*.c and saml*.c. */
#include "sso_flow.h"

/* A new attempt's id, state and time; its row. Of this browser. 0 or -errno. */
int sso_attempt_prepare(
    const struct request *rq, const struct sso_connection *c, struct sso_attempt *a);
int sso_attempt_insert(struct tx *t, const struct request *rq, const struct sso_attempt *a);

/*
 * The connection that the path names, enabled and of this type (0: any), in a transaction of its
 * own. 0, -ENOENT or -errno, for sso_flow_no_connection()'s answer. *ret starts out as zeros.
 */
int sso_flow_connection(struct request *rq, enum sso_type type, struct sso_connection *ret);
void sso_flow_no_connection(struct request *rq, struct reply *rp, int error);

/* sso_flow_ask.c: the page that asks, before a login that another site may have begun. */
void sso_flow_ask(struct request *rq, struct reply *rp);
/* Whether this login would take the browser from another person who is logged in in it. */
bool sso_flow_other_person(const struct request *rq, const struct user *user);
/* Then, when all of it has been undone: the page that says so. */
void sso_flow_say_other(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *return_to, const struct sso_result *result);

/* Whether this address has sent too much that was refused: then the reply is filled. */
bool sso_flow_limited(struct request *rq, struct reply *rp, bool take);

/*
 * The part of sso_flow_refuse() that is not the page: an event in the audit, while there are not
 * too many of this connection's, and in any case a line in the log.
 */
void sso_refuse_note(
    struct request *rq, const struct sso_connection *c, const char *fault, const char *detail);

#endif
