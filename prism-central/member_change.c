/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/clock.h"
#include "host_feed.h"
#include "invitation.h"
#include "member.h"

static const char sql_role[] = "UPDATE memberships SET role_id = $2 WHERE id = $1";
static const char sql_not_after[] = "UPDATE memberships SET not_after = $2 WHERE id = $1";
static const char sql_state[] =
    "UPDATE memberships SET state = $2, ended_at = $3, ended_by = $4, reason = $5 WHERE id = $1";
/* Owners who will still be there tomorrow. */
static const char sql_owners[] =
    "SELECT COUNT(*) FROM memberships m JOIN roles r ON r.id = m.role_id JOIN users u"
    " ON u.id = m.user_id WHERE m.project_id = $1 AND r.rank >= $2 AND m.state = 'active'"
    " AND m.not_after = 0 AND u.state = 'active'";

#define REASON_MAX 500

/*
 * One change of one membership: find it, see that the caller may touch it, "apply" the change, see
 * that an owner is left, let the invitations die that the person may no longer give, tell the
 * hosts, write it down.
 */
struct change {
	struct act act;
	const char *action;
	int (*apply)(struct tx *t, struct change *c, json_t *detail);
	struct member m;
	const char *reason;
};

/* Nobody touches a rank above or equal to their own, but owners may, and everybody themselves. */
static bool may_touch(const struct change *c)
{
	int rank = c->act.authz.rank;
	if (rank >= RANK_OWNER || c->m.user == c->act.rq->who.id)
		return rank >= c->m.role.rank;
	return rank > c->m.role.rank;
}

static bool lasting_owner(const struct member *m)
{
	return m->role.rank >= RANK_OWNER && m->state == MEMBER_ACTIVE && !m->not_after;
}

static int check_owner_left(struct tx *t, struct act *a)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_owners, "ii", &r, a->authz.project, (int64_t)RANK_OWNER);
	if (!n)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	if (row_int(r, 0) > 0)
		return 0;
	return act_fail(a, API_LAST_OWNER,
	    "A project keeps at least one active owner whose membership has no end.");
}

/* What the person may still invite with: -1 where nothing. */
static int inviting_rank(struct tx *t, const struct member *m, int *ret)
{
	*ret = -1;
	if (m->state != MEMBER_ACTIVE)
		return 0;
	int r = role_allows(t, m->role.id, "invites:send");
	if (r > 0)
		*ret = m->role.rank;
	return r < 0 ? r : 0;
}

static int change_finish(struct tx *t, struct change *c, bool was_owner, json_t *detail)
{
	struct act *a = &c->act;
	int64_t revision = 0;
	int rank = -1;
	int r = was_owner ? check_owner_left(t, a) : 0;
	if (!r)
		r = member_get(t, a->authz.project, c->m.user, NULL, a->rq->now, &c->m);
	if (!r)
		r = inviting_rank(t, &c->m, &rank);
	if (!r)
		r = invitation_revoke_of(t, a->authz.project, c->m.user, rank, a->rq->now);
	if (!r)
		r = feed_touch_member(t, a->authz.project, c->m.user);
	if (!r)
		r = feed_revision(t, a->authz.project, &revision);
	if (!r)
		r = audit_object(t, a->rq, c->action, "user", c->m.username, json_incref(detail));
	if (!r)
		a->json = json_pack(
		    "{so, sI}", "member", member_json(&c->m), "revision", (json_int_t)revision);
	return r;
}

static int change_tx(struct tx *t, struct act *a)
{
	struct change *c = (struct change *)a;
	int r = member_get(t, a->authz.project, 0, a->rq->arg[1], a->rq->now, &c->m);
	if (r == -ENOENT || (!r && c->m.state == MEMBER_REMOVED))
		return act_fail(a, API_MEMBER_NOT_FOUND, NULL);
	if (r < 0)
		return r;
	if (!may_touch(c))
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	bool was_owner = lasting_owner(&c->m);
	json_t *detail = json_object();
	if (c->reason)
		json_object_set_new(detail, "reason", json_string(c->reason));
	r = c->apply(t, c, detail);
	if (!r)
		r = change_finish(t, c, was_owner, detail);
	json_decref(detail);
	return r;
}

static void change_run(struct request *rq, struct reply *rp, const char *action,
    int (*apply)(struct tx *, struct change *, json_t *))
{
	struct change c = {
	    .act = {.fn = change_tx, .rq = rq, .status = 200}, .action = action, .apply = apply};
	if (!body_string(rq, "reason", &c.reason) ||
	    (c.reason && !text_valid(c.reason, REASON_MAX)))
		reply_error(rp, API_INVALID_VALUE,
		    "\"reason\" is one line of at most %d characters.", REASON_MAX);
	else
		act_run(&c.act, STORE_WRITE, rp);
}

/* ---- the changes ----------------------------------------------------------------------------- */

static int apply_role(struct tx *t, struct change *c, const char *slug, json_t *detail)
{
	struct role role;
	int r = role_find(t, c->act.authz.org, slug, &role);
	if (r == -ENOENT)
		return act_fail(&c->act, API_INVALID_VALUE,
		    "There is no role called %s: give owner, admin, member or viewer.", slug);
	if (r < 0)
		return r;
	if (role.rank > c->act.authz.rank)
		return act_fail(&c->act, API_ROLE_TOO_HIGH, NULL);
	json_object_set_new(detail, "role", json_pack("[s, s]", c->m.role.slug, role.slug));
	return tx_exec(t, sql_role, "ii", c->m.id, role.id);
}

static int apply_not_after(struct tx *t, struct change *c, const json_t *value, json_t *detail)
{
	int64_t when = 0;
	if (!json_is_null(value) &&
	    (!json_is_string(value) || clock_parse(json_string_value(value), &when) < 0 ||
		when <= 0))
		return act_fail(&c->act, API_INVALID_VALUE,
		    "\"not_after\" is a time like 2027-06-30T00:00:00Z, or null.");
	/* Who was let in for a while does not decide how long that is. */
	if (c->m.user == c->act.rq->who.id && c->act.authz.rank < RANK_SUPERADMIN &&
	    c->m.not_after && (!when || when > c->m.not_after))
		return act_fail(&c->act, API_FORBIDDEN,
		    "Nobody puts off the end of their own membership: ask another owner or admin.");
	json_object_set_new(
	    detail, "not_after", json_pack("[o, o]", json_time(c->m.not_after), json_time(when)));
	return tx_exec(t, sql_not_after, "ii", c->m.id, when);
}

static int apply_patch(struct tx *t, struct change *c, json_t *detail)
{
	const json_t *not_after = json_object_get(c->act.rq->body, "not_after");
	const char *role;
	if (!body_string(c->act.rq, "role", &role) || (!role && !not_after))
		return act_fail(&c->act, API_BAD_REQUEST, "\"role\" or \"not_after\" is needed.");
	int r = role ? apply_role(t, c, role, detail) : 0;
	if (!r && not_after)
		r = apply_not_after(t, c, not_after, detail);
	return r;
}

static int apply_state(struct tx *t, struct change *c, const char *state)
{
	bool ends = strcmp(state, "active") != 0;
	return tx_exec(t, sql_state, "isiIs", c->m.id, state, ends ? c->act.rq->now : (int64_t)0,
	    ends ? c->act.rq->who.id : (int64_t)0, ends ? c->reason : NULL);
}

static int apply_remove(struct tx *t, struct change *c, json_t *detail)
{
	return apply_state(t, c, "removed");
}

static int apply_suspend(struct tx *t, struct change *c, json_t *detail)
{
	if (c->m.state == MEMBER_SUSPENDED)
		return act_fail(&c->act, API_CONFLICT, "This member is suspended already.");
	return apply_state(t, c, "suspended");
}

static int apply_resume(struct tx *t, struct change *c, json_t *detail)
{
	if (c->m.state != MEMBER_SUSPENDED)
		return act_fail(&c->act, API_CONFLICT, "This member is not suspended.");
	return apply_state(t, c, "active");
}

void member_patch(struct request *rq, struct reply *rp)
{
	change_run(rq, rp, "member.change", apply_patch);
}

void member_delete(struct request *rq, struct reply *rp)
{
	change_run(rq, rp, "member.remove", apply_remove);
}

void member_suspend(struct request *rq, struct reply *rp)
{
	change_run(rq, rp, "member.suspend", apply_suspend);
}

void member_resume(struct request *rq, struct reply *rp)
{
	change_run(rq, rp, "member.resume", apply_resume);
}
