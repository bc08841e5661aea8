/* SPDX-License-Identifier: MIT */
#ifndef SSO_VALUES_H
#define SSO_VALUES_H

/*
 * What an owner says about a connection: the body of POST and PATCH, checked.
 *
 * A field that is absent keeps its value, null takes it away where that means something. Nothing
 * here is trusted to be acceptable because it was stored once: the outcome is checked as a whole.
 */
#include "sso_internal.h"

#define SSO_SECRET_MAX	 2048
#define SSO_ROLES_MAX	 16
#define SSO_DOMAINS_MAX	 32
#define SSO_CLAIM_MAX	 128
#define SSO_SCOPES_TEXT	 "openid profile email"
#define SSO_ROLE_DEFAULT "member"

struct sso_values {
	struct sso_connection c;   /* as it is to be; owned */
	bool secret, certificate;  /* whether the body names them */
	const char *client_secret; /* NULL: take it away */
	struct buf certificates;   /* the provider's, checked; empty: take them away */
	const json_t *domains;	   /* an array; NULL: absent */
	struct buf sp_key;	   /* a new connection's: a secret */
	struct buf sp_certificate;
};
void sso_values_init(struct sso_values *v);
void sso_values_clear(struct sso_values *v);
#define _cleanup_sso_values_ __attribute__((__cleanup__(sso_values_clear)))

/*
 * Before the transaction: what takes time and needs nothing of the database, the certificates.
 * "make" for a new connection of SAML: its key. 0, -ECANCELED (act_fail()ed) or -errno.
 */
int sso_values_prepare(struct act *a, struct sso_values *v, const char *make);
/*
 * In it: lay the body over v->c, which is a stored connection or a new one, and check what comes
 * out, for the caller a->authz. has_certificate: one is stored. 0, -ECANCELED or -errno.
 */
int sso_values_apply(struct tx *t, struct act *a, struct sso_values *v, bool has_certificate);
/* What the body brought, for the audit: never a secret. */
json_t *sso_values_detail(const struct request *rq);

/* An address of a provider: https, or http on loopback where "private" allows that. */
bool sso_url_valid(const char *url, bool query, bool allow_private);

#endif
