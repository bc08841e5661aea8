/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/name.h"
#include "base/num.h"
#include "organization.h"
#include "user.h"

static const char sql_by_id[] = "SELECT id FROM organizations WHERE id = $1";
static const char sql_by_slug[] = "SELECT id FROM organizations WHERE slug = $1";
static const char sql_insert[] = "INSERT INTO organizations (id, slug, name, state, created_at)"
				 " VALUES ($1, $2, $3, 'active', $4)";
static const char sql_role[] =
    "SELECT id, rank FROM roles WHERE scope = 'organization' AND slug = $1"
    " AND organization_id IS NULL";
static const char sql_member_rank[] =
    "SELECT r.rank FROM organization_members m JOIN roles r ON r.id = m.role_id"
    " WHERE m.organization_id = $1 AND m.user_id = $2";
static const char sql_member_delete[] =
    "DELETE FROM organization_members WHERE organization_id = $1 AND user_id = $2";
static const char sql_member_insert[] =
    "INSERT INTO organization_members (organization_id, user_id, role_id, created_at)"
    " VALUES ($1, $2, $3, $4)";
/* Everybody sees those that they belong to, themselves or by a project; a superadmin all. */
static const char sql_list[] =
    "SELECT o.id, o.slug, o.name, o.state, o.created_at, COALESCE((SELECT r.slug FROM"
    " organization_members m JOIN roles r ON r.id = m.role_id WHERE m.organization_id = o.id"
    " AND m.user_id = $1), '') FROM organizations o WHERE $2 = 1"
    " OR EXISTS (SELECT 1 FROM organization_members m WHERE m.organization_id = o.id"
    " AND m.user_id = $1) OR EXISTS (SELECT 1 FROM projects p JOIN memberships m"
    " ON m.project_id = p.id WHERE p.organization_id = o.id AND m.user_id = $1"
    " AND m.state <> 'removed') ORDER BY o.slug";

int organization_find(struct tx *t, const char *id_or_slug, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int64_t id;
	int n;
	if (!id_or_slug)
		id_or_slug = ORGANIZATION_DEFAULT;
	if (!num_parse_i64(id_or_slug, &id))
		n = tx_query(t, sql_by_id, "i", &r, id);
	else
		n = tx_query(t, sql_by_slug, "s", &r, id_or_slug);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = row_int(r, 0);
	return 0;
}

int organization_create(struct tx *t, const char *slug, const char *name, int64_t now, int64_t *ret)
{
	int64_t id = store_new_id();
	int r = tx_exec(t, sql_insert, "issi", id, slug, name, now);
	if (!r)
		*ret = id;
	return r;
}

static int role_by_slug(struct tx *t, const char *slug, int64_t *ret_id, int *ret_rank)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_role, "s", &r, slug);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret_id = row_int(r, 0);
	*ret_rank = (int)row_int(r, 1);
	return 0;
}

int organization_put_member(struct tx *t, int64_t org, int64_t user, const char *role, int64_t now)
{
	int64_t id;
	int rank;
	int r = role_by_slug(t, role, &id, &rank);
	if (!r)
		r = tx_exec(t, sql_member_delete, "ii", org, user);
	return r ? r : tx_exec(t, sql_member_insert, "iiii", org, user, id, now);
}

static int list_tx(struct tx *t, struct act *a)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(
	    t, sql_list, "ii", &r, a->rq->who.id, (int64_t)(a->authz.rank == RANK_SUPERADMIN));
	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		const char *role = row_text(r, 5);
		json_t *o = json_pack("{so, ss, ss, ss, so, so}", "id", json_id(row_int(r, 0)),
		    "slug", row_text(r, 1), "name", row_text(r, 2), "state", row_text(r, 3),
		    "created_at", json_time(row_int(r, 4)), "role",
		    role && role[0] ? json_string(role) : json_null());
		if (json_array_append_new(a->json, o) < 0)
			return -ENOMEM;
	}
	return n;
}

void organization_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int post_tx(struct tx *t, struct act *a)
{
	const char *slug, *name;
	int64_t id;
	if (!body_string(a->rq, "slug", &slug) || !body_string(a->rq, "name", &name) || !slug)
		return act_fail(a, API_BAD_REQUEST, "\"slug\" is needed.");
	if (!name)
		name = slug;
	if (!slug_valid(slug) || !gecos_valid(name) || !name[0])
		return act_fail(a, API_INVALID_VALUE,
		    "A slug is 2 to %d of a-z, 0-9 and -, begins with a letter, and does not end "
		    "in - or -ro.",
		    SLUG_MAX);
	int r = organization_create(t, slug, name, a->rq->now, &id);
	if (r == -EEXIST)
		return act_fail(a, API_NAME_TAKEN, NULL);
	if (!r)
		r = organization_put_member(t, id, a->rq->who.id, "owner", a->rq->now);
	if (!r)
		r = audit_object(t, a->rq, "organization.create", "organization", slug, NULL);
	a->json = json_pack("{so, ss, ss, ss, so, ss}", "id", json_id(id), "slug", slug, "name",
	    name, "state", "active", "created_at", json_time(a->rq->now), "role", "owner");
	return r;
}

void organization_post(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = post_tx, .rq = rq, .status = 201};
	act_run(&a, STORE_WRITE, rp);
}

static int member_rank(struct tx *t, int64_t org, int64_t user, int *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_member_rank, "ii", &r, org, user);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n < 0)
		return n;
	*ret = n ? (int)row_int(r, 0) : 0;
	return 0;
}

/* Ranks as with projects: nobody gives or touches one above their own. */
static int member_may_put(struct tx *t, struct act *a, int64_t user, int rank)
{
	int before = 0;
	int r = member_rank(t, a->authz.org, user, &before);
	if (!r && (rank > a->authz.rank || before > a->authz.rank))
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	return r;
}

/* PUT {role}: "none" ends it. */
static int member_put_tx(struct tx *t, struct act *a)
{
	const char *role = request_str(a->rq, "role");
	bool none = role && !strcmp(role, "none");
	struct user u;
	int64_t id;
	int rank = 0;
	int r = user_by_name(t, a->rq->arg[1], &u);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_USER_NOT_FOUND, NULL) : r;
	if (!none)
		r = role ? role_by_slug(t, role, &id, &rank) : -ENOENT;
	if (r == -ENOENT)
		return act_fail(
		    a, API_INVALID_VALUE, "\"role\" is one of owner, admin, member, none.");
	if (!r)
		r = member_may_put(t, a, u.id, rank);
	if (!r && none)
		r = tx_exec(t, sql_member_delete, "ii", a->authz.org, u.id);
	else if (!r)
		r = organization_put_member(t, a->authz.org, u.id, role, a->rq->now);
	if (r)
		return r;
	a->json = json_pack(
	    "{ss, so}", "username", u.username, "role", none ? json_null() : json_string(role));
	return audit_object(t, a->rq, "organization.member", "user", u.username,
	    json_pack("{so, ss}", "organization", json_id(a->authz.org), "role", role));
}

void organization_member_put(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = member_put_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}
