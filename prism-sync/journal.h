/* SPDX-License-Identifier: MIT */
#ifndef JOURNAL_H
#define JOURNAL_H

/*
 * What a host has accepted, as it was signed: one file for each feed, DIR/HEX.journal, of frames
 * {u32 length, message}: a full feed followed by deltas, and whom root has let go of. It is
 * verified again when it is replayed, so its only weak spot is its end, which a crash may have
 * torn: that is cut off.
 */
#include <stddef.h>
#include <stdint.h>
#include "feed/feed.h"

/* Add one message and fdatasync. On failure the file is as it was. *ret_size is its new length. */
int journal_append(
    int dirfd, const uint8_t id[static FEED_ID_LEN], const void *msg, size_t len, size_t *ret_size);

/* Begin anew with this message: written beside, fsynced, renamed. */
int journal_replace(
    int dirfd, const uint8_t id[static FEED_ID_LEN], const void *msg, size_t len, size_t *ret_size);

/*
 * Give every message to "accept" in order, until the end, a torn frame, or one that it does not
 * accept (it returns < 0); the file is cut there. Returns the number of accepted messages (0 if
 * there is no file), or -errno.
 */
int journal_replay(int dirfd, const uint8_t id[static FEED_ID_LEN],
    int (*accept)(void *arg, const void *msg, size_t len), void *arg, size_t *ret_size);

/* Remove it; a missing one is no error. */
int journal_remove(int dirfd, const uint8_t id[static FEED_ID_LEN]);

#endif
