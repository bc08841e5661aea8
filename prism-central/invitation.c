/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "invitation.h"

/*
 * $1 is now. The sender must still be allowed to give this role: a superadmin, or an active member
 * of that rank whose role sends invitations.
 */
#define INVITATION_COLUMNS                                                                         \
	"SELECT i.id, i.project_id, p.organization_id, i.invited_by, i.created_at, i.expires_at,"  \
	" i.sent_at, i.answered_at, i.resend_count, r.id, r.rank, r.slug, p.slug, p.name, "        \
	"i.email,"                                                                                 \
	" i.canonical, u.name, i.message, CASE WHEN i.state <> 'pending' THEN i.state"             \
	" WHEN i.expires_at <= $1 THEN 'expired' WHEN p.state = 'archived' OR u.state <> 'active'" \
	" OR (u.superadmin = 0 AND NOT EXISTS (SELECT 1 FROM memberships m JOIN roles mr"          \
	" ON mr.id = m.role_id WHERE m.project_id = i.project_id AND m.user_id = i.invited_by"     \
	" AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $1) AND mr.rank >= r.rank"  \
	" AND EXISTS (SELECT 1 FROM role_permissions rp WHERE rp.role_id = mr.id"                  \
	" AND rp.permission IN ('*', 'invites:*', 'invites:send')))) THEN 'revoked'"               \
	" ELSE 'pending' END FROM invitations i JOIN projects p ON p.id = i.project_id"            \
	" JOIN roles r ON r.id = i.role_id JOIN users u ON u.id = i.invited_by "

static const char sql_by_id[] =
    INVITATION_COLUMNS "WHERE i.id = $2 AND ($3 = 0 OR i.project_id = $3)";
static const char sql_by_hash[] = INVITATION_COLUMNS "WHERE i.token_hash = $2";
static const char sql_to_address[] = INVITATION_COLUMNS "WHERE i.canonical = $2";
static const char sql_of_project[] =
    INVITATION_COLUMNS "WHERE i.project_id = $2 ORDER BY i.id DESC";
static const char sql_of_person[] =
    INVITATION_COLUMNS "WHERE i.canonical IN (SELECT e.canonical FROM emails e WHERE e.user_id = $2"
		       " AND e.verified_at > 0) ORDER BY i.id DESC";
static const char sql_revoke_of[] =
    "UPDATE invitations SET state = 'revoked', answered_at = $4 WHERE invited_by = $2"
    " AND state = 'pending' AND ($1 = 0 OR project_id = $1)"
    " AND role_id IN (SELECT r.id FROM roles r WHERE r.rank > $3)";

static const char *const states[] = {"pending", "accepted", "declined", "expired", "revoked"};

static void invitation_read(struct rows *r, struct invitation *ret)
{
	*ret = (struct invitation){
	    .id = row_int(r, 0),
	    .project = row_int(r, 1),
	    .org = row_int(r, 2),
	    .invited_by = row_int(r, 3),
	    .created_at = row_int(r, 4),
	    .expires_at = row_int(r, 5),
	    .sent_at = row_int(r, 6),
	    .answered_at = row_int(r, 7),
	    .resend_count = row_int(r, 8),
	    .role = {.id = row_int(r, 9), .rank = (int)row_int(r, 10)},
	};
	row_copy(r, 11, ret->role.slug, sizeof(ret->role.slug));
	row_copy(r, 12, ret->project_slug, sizeof(ret->project_slug));
	row_copy(r, 13, ret->project_name, sizeof(ret->project_name));
	row_copy(r, 14, ret->email, sizeof(ret->email));
	row_copy(r, 15, ret->canonical, sizeof(ret->canonical));
	row_copy(r, 16, ret->inviter, sizeof(ret->inviter));
	row_copy(r, 17, ret->message, sizeof(ret->message));
	row_copy(r, 18, ret->state, sizeof(ret->state));
}

static int read_one(struct rows *r, struct invitation *ret)
{
	int n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	invitation_read(r, ret);
	return 0;
}

int invitation_get(struct tx *t, int64_t id, int64_t project, int64_t now, struct invitation *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_id, "iii", &r, now, id, project);
	return n < 0 ? n : read_one(r, ret);
}

int invitation_by_hash(struct tx *t, const char *hash, int64_t now, struct invitation *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_hash, "is", &r, now, hash);
	return n < 0 ? n : read_one(r, ret);
}

int invitation_awaits(struct tx *t, const char *canonical, int64_t now)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct invitation i;
	int n = tx_query(t, sql_to_address, "is", &r, now, canonical);

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		invitation_read(r, &i);
		if (invitation_error(&i) == API_OK)
			return 1;
	}
	return n;
}

json_t *invitation_json(const struct invitation *i)
{
	return json_pack("{so, ss, ss, ss, ss, ss, ss, ss, so, so, so}", "id", json_id(i->id),
	    "project", i->project_slug, "project_name", i->project_name, "email", i->email, "role",
	    i->role.slug, "state", i->state, "message", i->message, "invited_by", i->inviter,
	    "created_at", json_time(i->created_at), "expires_at", json_time(i->expires_at),
	    "answered_at", json_time(i->answered_at));
}

enum api_error invitation_error(const struct invitation *i)
{
	static const struct {
		const char *state;
		enum api_error error;
	} table[] = {
	    {"pending", API_OK},
	    {"accepted", API_INVITATION_ACCEPTED},
	    {"declined", API_INVITATION_DECLINED},
	    {"expired", API_INVITATION_EXPIRED},
	    {"revoked", API_INVITATION_REVOKED},
	};
	for (size_t n = 0; n < ARRAY_SIZE(table); n++)
		if (!strcmp(i->state, table[n].state))
			return table[n].error;
	return API_INVITATION_NOT_FOUND;
}

int invitation_revoke_of(struct tx *t, int64_t project, int64_t inviter, int rank, int64_t now)
{
	return tx_exec(t, sql_revoke_of, "iiii", project, inviter, (int64_t)rank, now);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The filter of ?state=, with "rejected" for declined. False if it is none. */
static bool state_filter(const struct request *rq, const char **ret)
{
	const char *state = request_query(rq, "state");
	*ret = NULL;
	if (!state || !state[0] || !strcmp(state, "all"))
		return true;
	if (!strcmp(state, "rejected"))
		state = "declined";
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(state, states[i]))
			*ret = states[i];
	return *ret != NULL;
}

static int list(struct tx *t, struct act *a, const char *sql, int64_t of)
{
	const char *state;
	_cleanup_rows_ struct rows *r = NULL;
	struct invitation i;
	if (!state_filter(a->rq, &state))
		return act_fail(a, API_INVALID_VALUE,
		    "\"state\" is pending, accepted, declined, expired, revoked or all.");
	int n = tx_query(t, sql, "ii", &r, a->rq->now, of);
	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		invitation_read(r, &i);
		if (state && strcmp(state, i.state) != 0)
			continue;
		if (json_array_append_new(a->json, invitation_json(&i)) < 0)
			return -ENOMEM;
	}
	return n;
}

static int list_tx(struct tx *t, struct act *a)
{
	return list(t, a, sql_of_project, a->authz.project);
}

static int mine_tx(struct tx *t, struct act *a)
{
	return list(t, a, sql_of_person, a->rq->who.id);
}

void invitation_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

void invitation_mine(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = mine_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}
