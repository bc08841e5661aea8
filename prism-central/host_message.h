/* SPDX-License-Identifier: MIT */
#ifndef HOST_MESSAGE_H
#define HOST_MESSAGE_H

/*
 * Signed messages of feeds, made once for everybody who asks the same.
 *
 * Hosts that poll one project all ask for the same step from one revision to the next, so one
 * signature serves them: messages are kept under (project, epoch, from, to), counted by reference,
 * in a cache of bounded size from which the least recently used ones go first. While one thread
 * makes a message, others that want it wait for it. A kept message is given out for at most
 * MESSAGE_FRESH seconds, so its issued_at may be that much behind.
 */
#include <stddef.h>
#include <stdint.h>
#include "host_feed.h"

#define MESSAGE_FRESH	  60
#define MESSAGE_CACHE_MAX (64u << 20) /* bytes; a bigger message lives as long as it is in use */

struct feed_message {
	const uint8_t *frame; /* u32 length and the signed message: as it goes out */
	size_t len;
};

/*
 * The step from revision "from" (0: everything) to the state "st", which this transaction has read.
 * 0 and a reference that feed_message_release() gives back, or -errno.
 */
int feed_message_get(struct central *c, struct tx *t, const struct feed_state *st, int64_t from,
    int64_t now, struct feed_message **ret);
void feed_message_release(void *message);

/* How many have been signed since the start: for tests and measurements. */
uint64_t feed_messages_signed(const struct central *c);
/* What the cache holds now, in bytes. */
size_t feed_messages_held(struct central *c);

#endif
