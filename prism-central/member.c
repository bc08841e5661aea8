/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "host_feed.h"
#include "member.h"

#define MEMBER_COLUMNS                                                                           \
	"SELECT m.id, u.id, u.uid, m.project_id, r.id, r.rank, r.slug, m.state, m.not_after,"    \
	" m.joined_at, m.ended_at, u.username, u.name, COALESCE((SELECT e.address FROM emails e" \
	" WHERE e.user_id = u.id AND e.main = 1), ''), m.joined_via FROM memberships m"          \
	" JOIN users u ON u.id = m.user_id JOIN roles r ON r.id = m.role_id "

static const char sql_by_user[] = MEMBER_COLUMNS "WHERE m.project_id = $1 AND m.user_id = $2";
static const char sql_by_name[] = MEMBER_COLUMNS "WHERE m.project_id = $1 AND u.username = $2";
static const char sql_list[] =
    MEMBER_COLUMNS "WHERE m.project_id = $1 ORDER BY r.rank DESC, u.username";
static const char sql_insert[] =
    "INSERT INTO memberships (id, project_id, user_id, role_id, state, joined_at, joined_via,"
    " source_id) VALUES ($1, $2, $3, $4, 'active', $5, $6, $7)";
static const char sql_rejoin[] =
    "UPDATE memberships SET role_id = $2, state = 'active', not_after = 0, joined_at = $3,"
    " joined_via = $4, source_id = $5, ended_at = 0, ended_by = NULL, reason = NULL WHERE id = $1";

static const char *const state_names[] = {
    [MEMBER_ACTIVE] = "active",
    [MEMBER_SUSPENDED] = "suspended",
    [MEMBER_EXPIRED] = "expired",
    [MEMBER_REMOVED] = "removed",
};

static enum member_state member_state(const char *stored, int64_t not_after, int64_t now)
{
	if (stored && !strcmp(stored, "active"))
		return not_after && not_after <= now ? MEMBER_EXPIRED : MEMBER_ACTIVE;
	return stored && !strcmp(stored, "suspended") ? MEMBER_SUSPENDED : MEMBER_REMOVED;
}

static void member_read(struct rows *r, int64_t now, struct member *ret)
{
	*ret = (struct member){
	    .id = row_int(r, 0),
	    .user = row_int(r, 1),
	    .uid = row_int(r, 2),
	    .project = row_int(r, 3),
	    .role = {.id = row_int(r, 4), .rank = (int)row_int(r, 5)},
	    .state = member_state(row_text(r, 7), row_int(r, 8), now),
	    .not_after = row_int(r, 8),
	    .joined_at = row_int(r, 9),
	    .ended_at = row_int(r, 10),
	};
	row_copy(r, 6, ret->role.slug, sizeof(ret->role.slug));
	row_copy(r, 11, ret->username, sizeof(ret->username));
	row_copy(r, 12, ret->name, sizeof(ret->name));
	row_copy(r, 13, ret->email, sizeof(ret->email));
	row_copy(r, 14, ret->joined_via, sizeof(ret->joined_via));
}

int member_get(struct tx *t, int64_t project, int64_t user, const char *username, int64_t now,
    struct member *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n;
	if (user)
		n = tx_query(t, sql_by_user, "ii", &r, project, user);
	else
		n = tx_query(t, sql_by_name, "is", &r, project, username);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	member_read(r, now, ret);
	return 0;
}

json_t *member_json(const struct member *m)
{
	return json_pack("{ss, ss, ss, sI, ss, ss, so, so, ss}", "username", m->username, "name",
	    m->name, "email", m->email, "uid", (json_int_t)m->uid, "role", m->role.slug, "state",
	    state_names[m->state], "not_after", json_time(m->not_after), "joined_at",
	    json_time(m->joined_at), "joined_via", m->joined_via);
}

int member_join(struct tx *t, int64_t project, int64_t user, int64_t role,
    const struct member_origin *from, int64_t now)
{
	struct member m;
	int r = member_get(t, project, user, NULL, now, &m);
	if (!r && (m.state == MEMBER_ACTIVE || m.state == MEMBER_SUSPENDED))
		return -EEXIST;
	if (!r)
		r = tx_exec(t, sql_rejoin, "iiisI", m.id, role, now, from->via, from->source);
	else if (r == -ENOENT)
		r = tx_exec(t, sql_insert, "iiiiisI", store_new_id(), project, user, role, now,
		    from->via, from->source);
	return r ? r : feed_touch_member(t, project, user);
}

/* Those who have been removed only where they are asked for. */
static bool wanted(const struct member *m, const char *state)
{
	if (!state)
		return m->state != MEMBER_REMOVED;
	return !strcmp(state, "all") || !strcmp(state, state_names[m->state]);
}

static int list_tx(struct tx *t, struct act *a)
{
	const char *state = request_query(a->rq, "state");
	_cleanup_rows_ struct rows *r = NULL;
	struct member m;
	int n = tx_query(t, sql_list, "i", &r, a->authz.project);
	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		member_read(r, a->rq->now, &m);
		if (wanted(&m, state) && json_array_append_new(a->json, member_json(&m)) < 0)
			return -ENOMEM;
	}
	return n;
}

void member_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}
