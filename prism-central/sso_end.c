/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "audit.h"
#include "sso_internal.h"

#define OF_IDENTITY	    "identity_id = $1"
#define OF_CONNECTION	    "identity_id IN (SELECT id FROM sso_identities WHERE connection_id = $1)"
/* What an identity has opened, or is about to: sessions, browsers, answers not fetched yet. */
#define END_SESSIONS(which) "UPDATE sessions SET revoked_at = $2 WHERE " which " AND revoked_at = 0"
#define END_BROWSERS(which) \
	"UPDATE browser_sessions SET revoked_at = $2 WHERE " which " AND revoked_at = 0"
#define END_DEVICES(which) \
	"UPDATE device_codes SET state = 'denied' WHERE " which " AND state = 'approved'"
#define END_CODES(which) "DELETE FROM authorization_codes WHERE " which " AND session_id = 0"

static const char sql_identity_sessions[] = END_SESSIONS(OF_IDENTITY);
static const char sql_identity_browsers[] = END_BROWSERS(OF_IDENTITY);
static const char sql_identity_devices[] = END_DEVICES(OF_IDENTITY);
static const char sql_identity_codes[] = END_CODES(OF_IDENTITY);
static const char sql_connection_sessions[] = END_SESSIONS(OF_CONNECTION);
static const char sql_connection_browsers[] = END_BROWSERS(OF_CONNECTION);
static const char sql_connection_devices[] = END_DEVICES(OF_CONNECTION);
static const char sql_connection_codes[] = END_CODES(OF_CONNECTION);

static const char sql_get[] =
    "SELECT i.organization_id, i.user_id, i.issuer, i.subject, c.slug, u.username"
    " FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id"
    " JOIN users u ON u.id = i.user_id WHERE i.id = $1";
static const char sql_end[] = "UPDATE sso_identities SET auth_at = 0, refresh_token = NULL,"
			      " refresh_due = 0 WHERE id = $1";

struct endings {
	const char *sessions, *browsers, *devices, *codes;
};

static int end_all(struct tx *t, const struct endings *e, int64_t id, int64_t now)
{
	int r = tx_exec(t, e->sessions, "ii", id, now);

	if (r == 0)
		r = tx_exec(t, e->browsers, "ii", id, now);
	if (r == 0)
		r = tx_exec(t, e->devices, "i", id);
	return r < 0 ? r : tx_exec(t, e->codes, "i", id);
}

int sso_end_identity(struct tx *t, int64_t identity, int64_t now)
{
	static const struct endings e = {
	    sql_identity_sessions, sql_identity_browsers, sql_identity_devices, sql_identity_codes};

	return end_all(t, &e, identity, now);
}

int sso_end_connection(struct tx *t, int64_t connection, int64_t now)
{
	static const struct endings e = {sql_connection_sessions, sql_connection_browsers,
	    sql_connection_devices, sql_connection_codes};

	return end_all(t, &e, connection, now);
}

struct ended {
	int64_t org, user;
	char issuer[SSO_URL_MAX], subject[SSO_SUBJECT_MAX + 1];
	char slug[SLUG_MAX + 1], username[USERNAME_MAX + 1];
};

static int ended_read(struct tx *t, int64_t identity, struct ended *e)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_get, "i", &r, identity);

	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	e->org = row_int(r, 0);
	e->user = row_int(r, 1);
	row_copy(r, 2, e->issuer, sizeof(e->issuer));
	row_copy(r, 3, e->subject, sizeof(e->subject));
	row_copy(r, 4, e->slug, sizeof(e->slug));
	row_copy(r, 5, e->username, sizeof(e->username));
	return 0;
}

int sso_end(struct tx *t, const struct request *rq, int64_t identity, const char *why)
{
	struct ended e;
	int r = ended_read(t, identity, &e);

	if (r == 0)
		r = sso_end_identity(t, identity, rq->now);
	if (r == 0)
		r = sso_link_forget(t, e.user);
	if (r == 0)
		r = tx_exec(t, sql_end, "i", identity);
	if (r == 0)
		r = sso_touch(t, e.org, e.user);
	return r < 0 ? r
		     : audit_object(t, rq, "sso.end", "user", e.username,
			   json_pack("{s:s, s:s, s:s, s:s*}", "connection", e.slug, "issuer",
			       e.issuer, "subject", e.subject, "why", why));
}
