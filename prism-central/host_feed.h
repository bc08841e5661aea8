/* SPDX-License-Identifier: MIT */
#ifndef HOST_FEED_H
#define HOST_FEED_H

/*
 * The change feeds of the projects, as rows.
 *
 * A feed is a materialized table: feed_records has, for each subject, the encoded record as the
 * hosts get it, and the revision that last changed it. A touch rebuilds one record from the
 * domain's tables; if its bytes differ, the organization's revision goes up by one, the record is
 * stamped with it, and the feed's digest loses the old bytes and gains the new ones, all in the
 * transaction of the write that caused it. So a delta since R is "revision > R", whatever R was,
 * and nothing is computed when hosts ask.
 *
 * What is in a feed: the project itself, and everybody who is or was its member. Those who have
 * left stay, in state ended, so that hosts keep resolving the owners of files; people who are only
 * invited are absent.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "store.h"

struct central;

/*
 * A host-visible write calls these inside its own transaction, after its own changes. 0, -ENOENT
 * (no such project or user), or -errno. Nothing is stamped when no byte of the record changes.
 */
int feed_touch_member(struct tx *t, int64_t project, int64_t user);
int feed_touch_project(struct tx *t, int64_t project);
/* All projects of that person: name, state, keys. */
int feed_touch_user(struct tx *t, int64_t user);

/*
 * After the commit, on the same thread: run the polls again that wait for feeds touched since the
 * last call. Costs nothing if there are none.
 */
void feed_wake_all(struct central *c);
/* The same for everybody whose access to this project's feed has changed (a host was removed). */
void feed_note_touched(int64_t org, int64_t project);
/* What a poll waits for: this project's feed only, or any of the organization. */
void feed_topic(char out[64], int64_t org, int64_t project, bool only);

/* The state of a project's feed. 0, -ENOENT (it has none yet: feed_touch_project() begins it). */
struct feed_state {
	int64_t project;
	uint8_t id[16];
	int64_t epoch, revision;
	uint8_t digest[32];
};
int feed_state_load(struct tx *t, int64_t project, struct feed_state *ret);
/* The same from the columns feed_id, epoch, revision, digest of a row, from "col" on. */
int feed_state_row(struct rows *r, int col, struct feed_state *ret);
/* Only its newest revision; 0 when the project has no feed yet. */
int feed_revision(struct tx *t, int64_t project, int64_t *ret);

/*
 * The encoded records of a project, back to back, appended to "out": all of them for from = 0, else
 * those stamped later than "from". Returns their number, or -errno.
 */
int64_t feed_records_read(struct tx *t, int64_t project, int64_t from, struct buf *out);

/*
 * host_feed_record.c: the record of a member or a project as it should be now, appended to "out".
 * Returns 1, 0 when there is nothing to tell (no membership), or -errno. The same rows give the
 * same bytes.
 */
int feed_record_member(
    struct tx *t, int64_t project, int64_t user, struct buf *out, uint32_t *ret_subject);
int feed_record_project(struct tx *t, int64_t project, struct buf *out);

/*
 * Once in the first transaction after a backup was restored: a new epoch begins on every feed, so
 * that hosts drop what the database no longer knows; access tokens and unused enrolment tokens
 * die, because some of them may have been used after the backup; and the id register jumps, first
 * by FEED_RECOVERY_GAP, then past the highest ids that hosts report, for FEED_RECOVERY_TIME.
 * The new epoch is the later of old + 1 and the clock, so that restoring the same backup twice
 * never names one epoch twice.
 */
#define FEED_RECOVERY_GAP  1000
#define FEED_RECOVERY_TIME (7 * 24 * 3600)
int feed_restore_epoch(struct tx *t);
/* The deployment's epoch, and since when; *ret_started is 0 in the first one. */
int feed_epoch_load(struct tx *t, int64_t *ret_epoch, int64_t *ret_started);

/*
 * The signed messages that many hosts ask for at the same moment are made once and shared; see
 * host_message.c. At start (after signer and configuration) and at the end, when no request runs.
 */
int feed_start(struct central *c);
void feed_stop(struct central *c);

#endif
