/* SPDX-License-Identifier: MIT */
#include "host_feed.h"

#include "base/attr.h"
#include "base/clock.h"

/*
 * A restored backup does not know what happened since it was made. Hosts do: they hold signed feeds
 * with later revisions and people with later ids. A new epoch makes every host take the restored
 * state whole; the jumps keep a number that may have been given out in the lost time from being
 * given to somebody else.
 */

static const char sql_epoch[] = "UPDATE feed_epoch SET epoch = $1, started_at = $2 WHERE id = 1";
static const char sql_feeds[] = "UPDATE feeds SET epoch = $1";
/* Manifests carry the epoch too, but the host names only their revision when it asks. */
static const char sql_manifests[] =
    "UPDATE hosts SET manifest = manifest + 1048576, manifest_at = 0";
static const char sql_tokens[] = "DELETE FROM host_tokens";
static const char sql_enrol[] = "UPDATE enrol_tokens SET expires_at = $1"
				" WHERE used_at = 0 AND expires_at > $1";
/* Sessions that were ended and nonces that were used since would count again. */
static const char sql_sessions[] = "UPDATE sessions SET revoked_at = $1 WHERE revoked_at = 0";
static const char sql_browsers[] =
    "UPDATE browser_sessions SET revoked_at = $1 WHERE revoked_at = 0";
static const char sql_nonces[] = "DELETE FROM nonces";
/* So would codes, tickets and logins on their way. */
static const char sql_devices[] = "DELETE FROM device_codes";
static const char sql_codes[] = "DELETE FROM authorization_codes";
static const char sql_attempts[] = "DELETE FROM sso_attempts";
static const char sql_tickets[] = "DELETE FROM sso_link_tickets";
static const char sql_register[] = "UPDATE posix_id_next SET number = number + $1";

int feed_restore_epoch(struct tx *t)
{
	int64_t epoch, started, now = clock_now();
	int r = feed_epoch_load(t, &epoch, &started);

	if (r < 0)
		return r;
	epoch = epoch + 1 > now ? epoch + 1 : now;
	const struct {
		const char *sql, *types;
		int64_t a, b;
	} steps[] = {
	    {sql_epoch, "ii", epoch, now},
	    {sql_feeds, "i", epoch, 0},
	    {sql_manifests, "", 0, 0},
	    {sql_tokens, "", 0, 0},
	    {sql_enrol, "i", now, 0},
	    {sql_sessions, "i", now, 0},
	    {sql_browsers, "i", now, 0},
	    {sql_nonces, "", 0, 0},
	    {sql_devices, "", 0, 0},
	    {sql_codes, "", 0, 0},
	    {sql_attempts, "", 0, 0},
	    {sql_tickets, "", 0, 0},
	    {sql_register, "i", FEED_RECOVERY_GAP, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		r = tx_exec(t, steps[i].sql, steps[i].types, steps[i].a, steps[i].b);
		if (r < 0)
			return r;
	}
	return 0;
}
