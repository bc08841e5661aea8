/* SPDX-License-Identifier: MIT */
#ifndef SIGNING_H
#define SIGNING_H

/*
 * The keys that hosts trust. Whoever holds the feed key can grant access on every host, so:
 *
 * - the key files MUST be regular, owned by the service's user or root, and closed to everybody
 *   else (0600), or the service does not start;
 * - the feed key MUST NOT be replaced silently: a missing file next to a database that has hosts is
 *   an error, never a reason to make a new key;
 * - the recovery key's private half is written once, to state_dir/recovery.key.offline, and belongs
 *   in a safe: the service needs its public half only (state_dir/recovery.pub).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "central.h"

/*
 * Load the feed key and the recovery key's id into *c (c->signer, c->recovery_key_id); with
 * "create", make those that are missing. 0 or -errno; logs what went wrong.
 */
int signing_open(struct central *c, bool create);
void signing_close(struct central *c);

/* Ed25519 signature by the feed key over exactly these bytes, for tokens. 0 or -errno. */
int signing_sign(void *central, const void *p, size_t n, uint8_t sig[64]);

#endif
