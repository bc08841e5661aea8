/* SPDX-License-Identifier: MIT */
#ifndef SEALED_H
#define SEALED_H

/*
 * One sealed value: AES-256-GCM, as text that a database column holds.
 *
 *	"v1." base64( nonce, 12 random bytes || ciphertext || tag, 16 bytes )
 *
 * What the value belongs to is bound to it as additional authenticated data, which is not stored: a
 * value that was moved elsewhere does not open. The nonces are random, so one key MUST NOT seal
 * more than 2^32 values.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define SEALED_KEY_LEN 32
#define SEALED_MAX     65536u /* bytes of a value */

/*
 * Append the sealed text of n bytes to *ret. 0, -EMSGSIZE for a value that is too long or a buffer
 * that is too small, or -errno; then *ret is as it was.
 */
int sealed_make(const uint8_t key[static SEALED_KEY_LEN], const struct buf *aad, const void *p,
    size_t n, struct buf *ret);

/*
 * Append the value to *ret, which wipes it when it is freed. 0; -EBADMSG for anything but exactly
 * what sealed_make() wrote with this key and this data, and nothing was appended; or -errno.
 */
int sealed_open(const uint8_t key[static SEALED_KEY_LEN], const struct buf *aad, const char *text,
    struct buf *ret);

#endif
