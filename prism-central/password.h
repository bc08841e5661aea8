/* SPDX-License-Identifier: MIT */
#ifndef PASSWORD_H
#define PASSWORD_H

/*
 * Passwords at rest: scrypt (RFC 7914) with N=2^15, r=8, p=1 and 16 bytes of salt, as the text
 *
 *	$scrypt$ln=15,r=8,p=1$SALT$HASH		(base64 without padding, PHC string format)
 *
 * One hash takes about 0.1 s and 32 MiB, so only a few run at a time: a caller waits, and gets
 * -EBUSY after PASSWORD_WAIT_MS. Never call these inside a transaction: it would be held as long.
 */
#include <stddef.h>

#define PASSWORD_BYTES_MAX   1024 /* whatever the service's own rules for passwords are */
#define PASSWORD_ENCODED_MAX 128
#define PASSWORD_WAIT_MS     5000

/* How many may run at once. Once, at start; default 2. */
void password_init(int concurrent);

/* 0, -EINVAL (empty or too long), -EBUSY, -ENOMEM, -EIO. */
int password_hash(const char *password, char ret_encoded[static PASSWORD_ENCODED_MAX]);

/*
 * 0 when it matches, -EKEYREJECTED when not, -EBUSY, -ENOMEM. A NULL or malformed "encoded" (no
 * such user, an account without a password) takes the same time and never matches.
 */
int password_verify(const char *password, const char *encoded);

#endif
