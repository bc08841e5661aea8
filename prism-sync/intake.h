/* SPDX-License-Identifier: MIT */
#ifndef INTAKE_H
#define INTAKE_H

/*
 * The root half's door: one raw message goes in, and is either wholly accepted (verified, applied,
 * in the journal) or changes nothing.
 *
 * MUST: nothing that the network half says is believed, only what a pinned key signed; no message
 * below the floor of its feed is accepted; a feed that the manifest does not name does not exist;
 * a message issued ahead of this host's clock by more than half of its validity changes nothing,
 * unless that clock is itself behind the newest message accepted so far.
 */
#include "model.h"
#include "trust.h"

struct intake {
	struct trust *trust;
	struct model *model;
	int dirfd;		/* of the trust folder */
	int persist_error;	/* the last message could not be written down: -errno */
	bool manifest_dirty;	/* the same of the manifest */
	bool pins_dirty;	/* the same of the pins */
	bool pins_changed;	/* a key was pinned or promoted; whoever tells of it clears it */
	int64_t manifest_saved; /* valid_until of what is on disk */
};

/*
 * "room" is FEED_HEADROOM bytes that are overwritten, then the message, of "len" bytes. "now" is
 * the clock as it is. Returns enum apply, or what feed_open(), model_apply_manifest() and
 * model_apply_feed() return, or -ESTALE (below the floor), or -ETIME (from the future). *ret is the
 * header once the signature was good.
 */
int intake_message(
    struct intake *in, uint8_t *room, size_t len, int64_t now, struct feed_header *ret);

/*
 * Let go of the held members of this name, or of all for "". It stands in the journals, between the
 * messages, so that a restart holds nobody again. *ret_n counts memberships, also when it failed
 * half way. 0 or -errno.
 */
int intake_release(struct intake *in, const char *name, size_t *ret_n);

/*
 * Rebuild the model from the manifest and the journals on disk, verifying everything again. What is
 * damaged is cut off; feeds that lose something will be asked for. Returns 0, -ENOMEM or -errno.
 */
int intake_replay(struct intake *in);

/* One word for a refusal: "bad-signature". */
const char *intake_word(int rc);

#endif
