/* SPDX-License-Identifier: MIT */
#ifndef PRISM_KEYPROOF_H
#define PRISM_KEYPROOF_H

/*
 * SSH keys of the person: ~/.prism/ssh_keys/id_ed25519. ssh-keygen(1) makes keys and signatures.
 *
 * MUST: never overwrite, change or delete a private key (it may be renamed, on rotation or when
 * broken); make new ones 0600 in a folder 0700; send only the public half anywhere. Every function
 * returns a status.
 */
#include <stdbool.h>
#include <stddef.h>
#include "cli.h"

#define KEY_NAME	"ssh_keys/id_ed25519"
#define KEY_NEXT	"ssh_keys/id_ed25519.new"
#define FINGERPRINT_MAX 64

/*
 * Make the key pair NAME (below ~/.prism) where there is none; a missing public half is made from
 * the private one. "comment" goes into the public half.
 */
int key_ensure(struct cli *c, const char *name, const char *comment, bool *ret_made);

/* Move the pair NAME to NAME.old-DATE (or a further number), and the pair "from" to NAME. */
int key_replace(struct cli *c, const char *name, const char *from, char *ret_old, size_t size);

/* Move the pair NAME to NAME.broken-DATE (or a further number). */
int key_set_aside(struct cli *c, const char *name, char *ret_kept, size_t size);

/* Write the public half of "path" to "pub"; asks for the passphrase if there is one. */
int key_make_public(struct cli *c, const char *path, const char *pub);

/* 0 if there is nothing, 1 for a private key that is safe to use, or -errno. */
int key_private_state(const char *path);

/* The public half of the private key file "path" (from PATH.pub), without a newline. */
int key_public(struct cli *c, const char *path, char **ret);

/*
 * Sign the proof for "nonce" with the key in "path": a private key, or a public one whose private
 * half an agent holds. *ret is the armored signature.
 */
int key_sign(struct cli *c, const char *path, const char *nonce, char **ret);

/* {"public_key", "signature"} with the key in "path". */
int key_proof(struct cli *c, const char *path, const char *nonce, json_t **ret);

/* "SHA256:..." of a public key line; "" if it is none. */
void key_fingerprint(const char *line, char out[static FINGERPRINT_MAX]);

#endif
