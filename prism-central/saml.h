/* SPDX-License-Identifier: MIT */
#ifndef SAML_H
#define SAML_H

/*
 * SAML 2.0, as the service that relies on a provider: what the files saml*.c share. No XML is read
 * or written here: prism-saml does that, one process for each message (api/saml.h).
 *
 *	saml.c		where the browser is sent, what it comes back with, our metadata
 *	saml_ask.c	what prism-saml is asked, and what it answers
 *	saml_run.c	starting it
 *	saml_person.c	attributes to what Prism calls them
 *
 * Our entity id is the address of our metadata, and each connection has its own, with its own key:
 * no response for one of them can be one for another.
 */
#include "api/saml.h"
#include "base/buf.h"
#include "sso_flow_internal.h"

#define SAML_TIMEOUT_MS 5000

/*
 * Run the program with these bytes as its input, and append what it says to *ret. It gets no
 * arguments, environment or descriptors, and is gone afterwards in any case. 0; -ENOENT: there is
 * no such program; -ETIMEDOUT; -EMSGSIZE: more than *ret takes; -EIO: it died; -errno.
 */
int saml_run(const char *program, const struct buf *input, int64_t timeout_ms, struct buf *ret);

/* Why something was refused: for sso_flow_refuse(). */
struct saml_fault {
	char word[32], detail[400];
};
/* Sets both; returns -EPROTO. */
int saml_fail(struct saml_fault *f, const char *word, const char *fmt, ...) _printf_(3, 4);

struct saml_query {
	const char *operation;
	const struct sso_attempt *a;		 /* of authn and consume */
	const char *response;			 /* of consume */
	struct buf key, other_key, certificates; /* read here, wiped by saml_query_clear() */
};
void saml_query_clear(struct saml_query *q);
/* The connection's secrets, in the caller's transaction. 0, -EPROTO or -errno. */
int saml_query_secrets(struct tx *t, const struct request *rq, const struct sso_connection *c,
    struct saml_query *q, struct saml_fault *f);
/* Ask. 0 with the answer, which the caller releases; -EPROTO with the fault; -errno. */
int saml_ask(const struct request *rq, const struct sso_connection *c, const struct saml_query *q,
    json_t **ret, struct saml_fault *f);

/*
 * What a "consume" answered, in Prism's words. Attributes go by their whole Name, not their
 * FriendlyName. 0, or -EPROTO with the fault.
 */
int saml_person(const struct sso_connection *c, const json_t *answer, struct sso_assertion *ret,
    struct saml_fault *f);

#endif
