/* SPDX-License-Identifier: MIT */
#ifndef API_SSHSIG_H
#define API_SSHSIG_H

/*
 * OpenSSH's detached signatures (PROTOCOL.sshsig, version 1): the proof that somebody holds the
 * private half of a public key. Nothing here needs ssh-keygen.
 *
 * MUST: verify with the key that the caller names, never with the one inside the signature (the two
 * must be equal); insist on the namespace; take no algorithm but ssh-ed25519, ecdsa-sha2-nistp256,
 * -nistp384 and -nistp521, and rsa-sha2-256 and -512 with 2048 bits or more; refuse trailing bytes,
 * other versions and hashes other than sha256 and sha512.
 */
#include <stddef.h>
#include <stdint.h>

#define SSHSIG_ARMOR_MAX       8192 /* bytes of armored text */
#define SSHSIG_FINGERPRINT_LEN 50   /* "SHA256:" and 43 characters */
#define SSHSIG_NAMESPACE_MAX   64

/*
 * 0 if "armored" is a signature of these n bytes by the owner of "line" ("TYPE BASE64 [COMMENT]")
 * in this namespace. -EBADMSG (not a signature), -EKEYREJECTED (another key, namespace or text, or
 * a wrong signature), -ENOTSUP (an algorithm that is not taken), -ENOMEM.
 */
int sshsig_verify(const char *armored, const char *line, const char *ns, const void *p, size_t n);

/*
 * Check a public key line as a whole (type, curve, lengths, RSA at least 2048 bits) and give it
 * back without its comment in out[size], with its fingerprint. 0, -EBADMSG, -ENOTSUP, -ENOBUFS.
 */
int sshsig_public_key(
    const char *line, char *out, size_t size, char fingerprint[static SSHSIG_FINGERPRINT_LEN + 1]);

#endif
