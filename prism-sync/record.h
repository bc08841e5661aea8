/* SPDX-License-Identifier: MIT */
#ifndef RECORD_H
#define RECORD_H

/* One record of a feed made into its block of memory, and the table of a feed's records. */
#include "model.h"

/*
 * Make the block for a parsed or unparsable record; "key" is the model's, of its hashes. "old" is
 * what the feed had for this subject: a person whose new record is not understood keeps the old
 * names, and is refused. Returns 0 or -ENOMEM.
 */
int record_new(const struct feed_record *r, const uint8_t hash[static FEED_DIGEST_LEN],
    uint64_t key, const struct record *old, struct record **ret);

/* Where the record is or would go. The table has room. */
struct record **table_slot(const struct feed *f, uint8_t type, uint32_t subject);
/* Make room for n more. 0 or -ENOMEM. */
int table_reserve(struct feed *f, size_t n);
/* Put in or replace; the feed owns it then. The one replaced is freed. */
void table_put(struct feed *f, struct record *r);
/* Take out and free. */
void table_drop(struct feed *f, struct record *r);
void table_free(struct feed *f);

#endif
