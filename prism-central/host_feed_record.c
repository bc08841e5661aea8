/* SPDX-License-Identifier: MIT */
#include "host_feed.h"

#include <errno.h>
#include <string.h>
#include "base/attr.h"
#include "feed/feed.h"
#include "role.h"
#include "snapshot/snapshot.h"
#include "sso.h"

/* What the domain's words mean on a host. */
static const struct {
	const char *word;
	uint8_t state;
} states[] = {
    {"active", SNAP_ACTIVE},
    {"suspended", SNAP_SUSPENDED},
    {"ended", SNAP_ENDED},
    {"removed", SNAP_ENDED},
    {"paused", SNAP_SUSPENDED},
    {"archived", SNAP_ENDED},
};

/* A word that is not known means the least. */
static uint8_t state_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (word && strcmp(states[i].word, word) == 0)
			return states[i].state;
	}
	return SNAP_ENDED;
}

static int text_copy(char *to, size_t size, const char *from)
{
	size_t n = from ? strlen(from) : 0;

	if (n >= size)
		return -EMSGSIZE;
	memcpy(to, from ? from : "", n + 1);
	return 0;
}

static int id_read(struct rows *r, int col, uint32_t *ret)
{
	int64_t v = row_int(r, col);

	if (v <= 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

static const char sql_member[] =
    "SELECT u.uid, u.username, u.name, u.home, u.shell, u.state, m.state, m.not_after,"
    " m.ended_at, u.ended_at, m.role_id, p.sso_max_age, p.organization_id"
    " FROM memberships m JOIN users u ON u.id = m.user_id JOIN projects p ON p.id = m.project_id"
    " WHERE m.project_id = $1 AND m.user_id = $2";

static int member_fields(struct rows *r, struct feed_member *m, uint32_t *ret_uid)
{
	const struct {
		char *to;
		size_t size;
	} texts[] = {{m->name, sizeof(m->name)}, {m->gecos, sizeof(m->gecos)},
	    {m->home, sizeof(m->home)}, {m->shell, sizeof(m->shell)}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int rc = text_copy(texts[i].to, texts[i].size, row_text(r, (int)i + 1));
		if (rc < 0)
			return rc;
	}
	m->user_state = state_of(row_text(r, 5));
	m->state = state_of(row_text(r, 6));
	m->not_after = row_int(r, 7);
	if (m->state != SNAP_ACTIVE)
		m->ended_at = row_int(r, 8);
	else if (m->user_state != SNAP_ACTIVE)
		m->ended_at = row_int(r, 9);
	return id_read(r, 0, ret_uid);
}

/* What the feed needs to know of a membership beside its record. */
struct member_facts {
	uint32_t uid;
	int64_t role, org;
	bool fresh; /* the project asks for a login that is fresh */
};

static int member_read(
    struct tx *t, int64_t project, int64_t user, struct feed_member *m, struct member_facts *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_member, "ii", &r, project, user);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc;
	ret->role = row_int(r, 10);
	ret->fresh = row_int(r, 11) > 0;
	ret->org = row_int(r, 12);
	rc = member_fields(r, m, &ret->uid);
	return rc < 0 ? rc : 1;
}

static const char sql_keys[] =
    "SELECT line, not_after FROM ssh_keys"
    " WHERE user_id = $1 AND state IN ('active', 'retiring') ORDER BY created_at DESC, id DESC";

static int keys_read(struct tx *t, int64_t user, struct feed_member *m)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_keys, "i", &r, user);

	if (rc < 0)
		return rc;
	while (m->nkeys < FEED_KEYS_MAX && (rc = rows_next(r)) > 0) {
		struct feed_key *k = &m->keys[m->nkeys];
		rc = text_copy(k->line, sizeof(k->line), row_text(r, 0));
		if (rc < 0)
			return rc;
		k->not_after = row_int(r, 1);
		m->nkeys++;
	}
	return rc < 0 ? rc : 0;
}

int feed_record_member(
    struct tx *t, int64_t project, int64_t user, struct buf *out, uint32_t *ret_subject)
{
	_cleanup_buf_ struct buf body = BUF_INIT(FEED_RECORD_MAX);
	struct feed_member m = {.nkeys = 0};
	struct member_facts f = {0};

	int rc = member_read(t, project, user, &m, &f);
	if (rc <= 0)
		return rc;
	/* Elsewhere it would be one change of the feed for each login, and nobody reads it. */
	if (f.fresh && m.state != SNAP_ENDED)
		rc = sso_freshness(t, f.org, user, &m.sso_at);
	/*
	 * Who has left keeps a name and a home here, and no permission. Their keys stay too: hosts
	 * show them barred, so that whoever holds one is told why it opens nothing any more.
	 */
	if (rc >= 0 && m.state != SNAP_ENDED)
		rc = role_host_perms(t, f.role, &m.perms);
	if (rc >= 0)
		rc = keys_read(t, user, &m);
	if (rc < 0)
		return rc;
	feed_body_member(&body, &m);
	if (buf_error(&body) < 0)
		return buf_error(&body);
	feed_put_record(out, FEED_MEMBER, 0, f.uid, body.data, body.len);
	if (buf_error(out) < 0)
		return buf_error(out);
	*ret_subject = f.uid;
	return 1;
}

static const char sql_project[] =
    "SELECT slug, name, contact, state, gid_rw, gid_ro, sso_max_age FROM projects WHERE id = $1";

static int project_fields(struct rows *r, struct feed_project *p)
{
	const struct {
		char *to;
		size_t size;
	} texts[] = {{p->slug, sizeof(p->slug)}, {p->name, sizeof(p->name)},
	    {p->contact, sizeof(p->contact)}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int rc = text_copy(texts[i].to, texts[i].size, row_text(r, (int)i));
		if (rc < 0)
			return rc;
	}
	p->state = state_of(row_text(r, 3));
	int64_t age = row_int(r, 6);
	p->sso_max_age = age > 0 && age <= UINT32_MAX ? (uint32_t)age : 0;
	int rc = id_read(r, 4, &p->gid_rw);
	return rc < 0 ? rc : id_read(r, 5, &p->gid_ro);
}

int feed_record_project(struct tx *t, int64_t project, struct buf *out)
{
	_cleanup_buf_ struct buf body = BUF_INIT(FEED_RECORD_MAX);
	_cleanup_rows_ struct rows *r = NULL;
	struct feed_project p = {.state = 0};

	int rc = tx_query(t, sql_project, "i", &r, project);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc;
	rc = project_fields(r, &p);
	if (rc < 0)
		return rc;
	feed_body_project(&body, &p);
	if (buf_error(&body) < 0)
		return buf_error(&body);
	feed_put_record(out, FEED_PROJECT, 0, 0, body.data, body.len);
	return buf_error(out) < 0 ? buf_error(out) : 1;
}
