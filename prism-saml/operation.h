/* SPDX-License-Identifier: MIT */
#ifndef OPERATION_H
#define OPERATION_H

/*
 * The operations of api/saml.h, by name: {"operation": NAME, ...} in, the answer out.
 *
 * Each function takes the parsed object and returns 0 with *ret_answer (owned by the caller), or
 * -EBADMSG with the fault. operation_init() loads what the libraries want from files; nothing opens
 * any after it.
 */
#include <lasso/lasso.h>
#include "tree.h"

/* 0 or -EIO. */
int operation_init(void);
/* Answer the text of a request: never NULL but without memory. */
json_t *operation_run(const char *json, size_t n);

int operation_authn(const json_t *in, struct fault *f, json_t **ret_answer);
int operation_consume(const json_t *in, struct fault *f, json_t **ret_answer);
int operation_metadata(const json_t *in, struct fault *f, json_t **ret_answer);
int operation_idp_metadata(const json_t *in, struct fault *f, json_t **ret_answer);

/* A string member that must be there, not empty; otherwise FAULT_PROTOCOL and NULL. */
const char *operation_string(const json_t *in, const char *name, struct fault *f);

/* ---- the parties: party.c -------------------------------------------------------------------- */

struct party {
	const char *entity_id, *address, *pem, *key; /* of the JSON; key NULL: theirs */
	const char *next_pem, *other_key;	     /* NULL: none */
};

/* "sp" (with or without its key) and "idp" of a request. 0, or -EBADMSG: FAULT_PROTOCOL. */
int party_sp(const json_t *in, bool with_key, struct fault *f, struct party *ret);
int party_idp(const json_t *in, struct fault *f, struct party *ret);
/*
 * Metadata: what each is, in XML, to lasso and to the other side. *ret is freed with free(). 0, or
 * -EBADMSG: FAULT_CONFIGURATION for a certificate that cannot be used.
 */
int party_sp_xml(const struct party *sp, struct fault *f, char **ret);
int party_idp_xml(const struct party *idp, struct fault *f, char **ret);

/* Both together, for lasso. Released with party_close(). */
struct parties {
	struct party sp, idp;
	LassoServer *server;
	LassoLogin *login;
};
int party_open(const json_t *in, struct fault *f, struct parties *ret);
void party_close(struct parties *p);
#define _cleanup_parties_ _cleanup_(party_close)

/* ---- reading an assertion: claims.c ---------------------------------------------------------- */

struct expected {
	const char *issuer, *acs, *audience, *request_id;
	int64_t now, fresh_since;
};

/* The response's own attributes and status, from its document. */
int claims_check_response(const xmlNode *response, const struct expected *e, struct fault *f);
/* All that the verified assertion says, checked; *ret is the answer. */
int claims_read(const xmlNode *assertion, const struct expected *e, struct fault *f, json_t **ret);

/* conditions.c: who it is for, and when. The earliest end is put into *end. */
int conditions_check(
    const xmlNode *assertion, const struct expected *e, struct fault *f, int64_t *end);
int confirmation_check(
    const xmlNode *subject, const struct expected *e, struct fault *f, int64_t *end);

#endif
