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
 * -EINVAL with a sentence in why; -ENOMEM. *ret_ends: when the last of them expires.
 */
int sso_certificates_read(
    const char *pem, struct buf *ret, int64_t *ret_ends, char *why, size_t why_size);

/*
 * An RSA key of 2048 bits and a certificate that it has signed itself, for ten years, both as PEM.
 * The key is a secret. Takes a tenth of a second. 0 or -errno.
 */
int sso_certificate_make(const char *name, struct buf *ret_key, struct buf *ret_certificate);

#endif
