/* SPDX-License-Identifier: MIT */
#ifndef SIGNER_H
#define SIGNER_H

#include "shape.h"

/*
 * Why no configured certificate fits: the fault of a response whose signature is not good. Where
 * the signature names a certificate that is not among those of the PEM text, that is
 * FAULT_UNKNOWN_CERTIFICATE with its SHA-256; otherwise FAULT_BAD_SIGNATURE. Whoever has sent the
 * response has chosen what it names: this is for the sentence alone. Returns -EBADMSG.
 */
int signer_fault(const struct shape *shape, const char *pem, struct fault *f);

#endif
