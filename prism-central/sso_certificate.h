/* SPDX-License-Identifier: MIT */
#ifndef SSO_CERTIFICATE_H
#define SSO_CERTIFICATE_H

/* Certificates of SAML: the provider's, which an owner pastes in, and ours. */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define SSO_CERTIFICATES_MAX 8
#define SSO_PEM_MAX	     65536

/*
 * The certificates of a PEM text, written anew without anything else that stood between them, into
 * *ret. Each has an RSA key of at least 2048 bits, which is what prism-saml verifies. 0;
 * -EINVAL with a sentence in why; -ENOMEM.
 */
int sso_certificates_read(const char *pem, struct buf *ret, char *why, size_t why_size);

/* What an administrator knows a certificate by. */
struct sso_certificate {
	char fingerprint[96]; /* SHA-256, "AB:CD:..." */
	char subject[256];    /* "CN=idp.uni.edu,O=University", in ASCII, cut */
	int64_t not_after;    /* 0: not readable */
};
/* The certificates of a PEM text, at most "max" of them: how many. What is none is skipped. */
int sso_certificates_look(const char *pem, struct sso_certificate *ret, int max);

/*
 * An RSA key of 2048 bits and a certificate that it has signed itself, for ten years, both as PEM.
 * The key is a secret. Takes a tenth of a second. 0 or -errno.
 */
int sso_certificate_make(const char *name, struct buf *ret_key, struct buf *ret_certificate);

#endif
