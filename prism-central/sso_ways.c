/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"
#include "sshkey.h"
#include "sso_internal.h"
#include "sso_ways.h"

/* By accepting an invitation, or at a first login: in one transaction, so at the same second. */
static const char sql_made[] =
    "SELECT u.created_at, h.username, p.slug, (SELECT c.name FROM sso_identities s"
    " JOIN sso_connections c ON c.id = s.connection_id WHERE s.user_id = u.id"
    " AND s.created_at = u.created_at ORDER BY s.id LIMIT 1) FROM users u"
    " LEFT JOIN emails e ON e.user_id = u.id"
    " LEFT JOIN invitations i ON i.canonical = e.canonical AND i.state = 'accepted'"
    " AND i.answered_by = u.id AND i.answered_at = u.created_at"
    " LEFT JOIN users h ON h.id = i.invited_by LEFT JOIN projects p ON p.id = i.project_id"
    " WHERE u.id = $1 ORDER BY CASE WHEN i.id IS NULL THEN 1 ELSE 0 END, i.id LIMIT 1";
static const char sql_password[] =
    "SELECT '', '', password_at FROM users WHERE id = $1 AND password IS NOT NULL";
static const char sql_keys[] =
    "SELECT fingerprint, origin, created_at FROM ssh_keys WHERE user_id = $1"
    " AND (state = 'active' OR (state = 'retiring' AND not_after > $2)) ORDER BY id";
static const char sql_logins[] =
    "SELECT c.name, CASE WHEN i.email = '' THEN i.subject ELSE i.email END, i.created_at"
    " FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id WHERE i.user_id = $1"
    " ORDER BY i.id";
static const char sql_sessions[] =
    "SELECT peer, how, created_at FROM sessions WHERE user_id = $1 AND revoked_at = 0"
    " AND expires_at > $2 ORDER BY id";
static const char sql_browsers[] =
    "SELECT peer, CASE WHEN identity_id = 0 THEN 'password' ELSE 'login' END, created_at"
    " FROM browser_sessions WHERE user_id = $1 AND revoked_at = 0 AND expires_at > $2 ORDER BY id";
static const char sql_identities[] =
    "SELECT id, organization_id FROM sso_identities WHERE user_id = $1 ORDER BY id";
static const char sql_identity_delete[] = "DELETE FROM sso_identities WHERE id = $1";

static const struct source {
	const char *kind, *sql, *types;
} sources[] = {
    {"password", sql_password, "i"},
    {"key", sql_keys, "ii"},
    {"login", sql_logins, "i"},
    {"session", sql_sessions, "ii"},
    {"browser", sql_browsers, "ii"},
};

#define IDENTITIES_MAX (1u << 20) /* bytes of them */

/* ---- reading --------------------------------------------------------------------------------- */

static int add_from(struct tx *t, const struct source *s, int64_t user, int64_t now, json_t *into)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, s->sql, s->types, &r, user, now);

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		json_t *o = json_pack("{s:s, s:s, s:s, s:I}", "kind", s->kind, "what",
		    row_text(r, 0), "how", row_text(r, 1), "at", (json_int_t)row_int(r, 2));
		if (json_array_append_new(into, o) < 0)
			return -ENOMEM;
	}
	return n;
}

static int made(struct tx *t, const struct user *u, json_t **ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_made, "i", &r, u->id);

	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = json_pack("{s:s, s:s, s:I, s:s?, s:s?, s:s?, s:[]}", "username", u->username,
	    "email", u->email, "made_at", (json_int_t)row_int(r, 0), "invited_by", row_text(r, 1),
	    "project", row_text(r, 2), "connection", row_text(r, 3), "ways");
	return *ret ? 0 : -ENOMEM;
}

int sso_ways_read(struct tx *t, const struct user *u, int64_t now, json_t **ret)
{
	json_auto_t *o = NULL;
	int r = made(t, u, &o);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sources); i++)
		r = add_from(t, &sources[i], u->id, now, json_object_get(o, "ways"));
	if (r == 0)
		*ret = json_incref(o);
	return r;
}

int sso_ways_digest(const json_t *ways, char out[65])
{
	char *text = json_dumps(ways, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return -ENOMEM;
	sha256_hex(text, strlen(text), out);
	free(text);
	return 0;
}

/* ---- for the audit --------------------------------------------------------------------------- */

static bool is_kind(const json_t *way, const char *kind)
{
	return strcmp(json_string_value(json_object_get(way, "kind")), kind) == 0;
}

static json_t *named(const json_t *ways, const char *kind)
{
	json_t *list = json_array(), *way;
	size_t i;

	json_array_foreach(json_object_get(ways, "ways"), i, way) if (is_kind(way, kind))
	    json_array_append(list, json_object_get(way, "what"));
	return list;
}

static json_int_t count(const json_t *ways, const char *kind)
{
	json_int_t n = 0;
	json_t *way;
	size_t i;

	json_array_foreach(json_object_get(ways, "ways"), i, way) n += is_kind(way, kind);
	return n;
}

json_t *sso_ways_summary(const json_t *ways)
{
	return json_pack("{s:b, s:o, s:o, s:I, s:I}", "password", count(ways, "password") > 0,
	    "keys", named(ways, "key"), "logins", named(ways, "login"), "sessions",
	    count(ways, "session"), "browsers", count(ways, "browser"));
}

/* ---- closing --------------------------------------------------------------------------------- */

struct identity {
	int64_t id, org;
};

/* All of them first: what follows writes what the query reads. */
static int identities_of(struct tx *t, int64_t user, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_identities, "i", &r, user);

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		struct identity i = {row_int(r, 0), row_int(r, 1)};
		buf_add(out, &i, sizeof(i));
	}
	return n < 0 ? n : buf_error(out);
}

static int identity_close(struct tx *t, const struct identity *i, int64_t user, int64_t now)
{
	int r = sso_end_identity(t, i->id, now);

	if (r == 0)
		r = tx_exec(t, sql_identity_delete, "i", i->id);
	return r ? r : sso_touch(t, i->org, user);
}

int sso_ways_close(struct tx *t, int64_t user, int64_t now)
{
	_cleanup_buf_ struct buf list = BUF_INIT(IDENTITIES_MAX);
	int r = sshkey_revoke_all(t, user, now);

	if (r == 0)
		r = user_password_clear(t, user);
	if (r == 0)
		r = identities_of(t, user, &list);
	for (size_t n = 0; r == 0 && n < list.len; n += sizeof(struct identity)) {
		struct identity i;
		memcpy(&i, list.data + n, sizeof(i));
		r = identity_close(t, &i, user, now);
	}
	return r ? r : session_revoke_all(t, user, 0, now);
}
