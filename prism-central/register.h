/* SPDX-License-Identifier: MIT */
#ifndef REGISTER_H
#define REGISTER_H

/*
 * The register of user and group ids. A number is given out once and never again, whatever becomes
 * of who had it; reserved blocks (base/name.h) and numbers that hosts use locally (burned_ids) are
 * skipped.
 */
#include "central.h"
#include "store.h"

enum register_kind { REGISTER_USER, REGISTER_PROJECT_RW, REGISTER_PROJECT_RO };

/*
 * Give the next free number of the kind's range to "object". Returns 0, -ENOSPC when the range is
 * used up, or -errno; *ret is untouched on failure. The first GID_RESERVED gids are never given.
 */
int register_allocate(struct tx *t, const struct config *cfg, enum register_kind kind,
    int64_t object, int64_t now, uint32_t *ret);

/* A host uses this number for something of its own: never give it. 0 also when known already. */
int register_burn(struct tx *t, uint32_t number, int64_t host, int64_t now);

/* After a restore: the next number of the range that holds "number" is above it. */
int register_raise(struct tx *t, const struct config *cfg, uint32_t number);

#endif
