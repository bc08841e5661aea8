/* SPDX-License-Identifier: MIT */
#ifndef API_OIDC_H
#define API_OIDC_H

/*
 * What an OpenID provider answers, besides its keys (api/jwks.h) and tokens (api/id_token.h). Pure:
 * outside bytes go in, checked values come out.
 *
 * Every reader refuses what is not one JSON object, members that stand there twice, and texts that
 * are too long for their place; what is not asked for is not looked at.
 */
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "base/attr.h"

#define OIDC_URL_MAX	  1024
#define OIDC_DOCUMENT_MAX (64u << 10)
#define OIDC_TOKEN_MAX	  16384

/* ---- the provider's metadata (OpenID Connect Discovery 1.0 section 3) -------------------------
 */

struct oidc_metadata {
	char authorization_endpoint[OIDC_URL_MAX];
	char token_endpoint[OIDC_URL_MAX];
	char jwks_uri[OIDC_URL_MAX];
	char userinfo_endpoint[OIDC_URL_MAX]; /* "": none */
	bool secret_basic, secret_post;	      /* how the token endpoint takes a client's secret */
	bool names_issuer;		      /* in its answers to the browser: RFC 9207 */
};

/*
 * An address to send a browser or a request to: "https://HOST[:PORT]/...", printable ASCII, without
 * a user, blanks, quotes or a fragment; http for loopback addresses only, and only with "loopback".
 */
bool oidc_url_ok(const char *url, bool loopback);

/*
 * Read the metadata of "issuer", which must name itself so, byte for byte. 0; -EBADMSG with
 * *ret_fault (static, a word) for anything else; -ENOMEM.
 */
int oidc_metadata_parse(const char *text, size_t len, const char *issuer, bool loopback,
    struct oidc_metadata *ret, const char **ret_fault);
/* How metadata name themselves, for a sentence: as much as there is room for. 0, -EBADMSG,
 * -ENOMEM. */
int oidc_metadata_issuer(const char *text, size_t len, char *out, size_t size);

/* ---- the token endpoint's answers (RFC 6749 section 5) ----------------------------------------
 */

struct oidc_tokens {
	char *id_token, *access_token, *refresh_token; /* owned, secrets; NULL: none */
};
void oidc_tokens_clear(struct oidc_tokens *t);
#define _cleanup_oidc_tokens_ _cleanup_(oidc_tokens_clear)

/*
 * A success. The access token must be a bearer's. 0, -EBADMSG or -ENOMEM. Whether there is an ID
 * token is for the caller to ask.
 */
int oidc_tokens_parse(const char *text, size_t len, struct oidc_tokens *ret);

/* Errors that a provider may answer with, at either endpoint: one of a table, or "other". */
const char *oidc_error_word(const char *error);
/* The same of a refusal's body; "other" too for what is no such body. */
const char *oidc_error_parse(const char *text, size_t len);

/* ---- claims ---------------------------------------------------------------------------------- */

/*
 * The claim at a path: "mail", or "profile.mail" for a member of a member. A name with dots in it
 * is found where it stands as it is. NULL: it is missing, which is not the same as empty.
 */
const json_t *oidc_claim(const json_t *claims, const char *path);

#endif
