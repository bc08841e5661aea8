/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/num.h"
#include "project.h"

#define PROJECT_COLUMNS                                                                           \
	"SELECT p.id, p.organization_id, p.slug, p.name, o.slug, p.state, p.contact, p.gid_rw,"   \
	" p.created_at, COALESCE(p.budget_cents, -1), COALESCE((SELECT r.slug FROM memberships m" \
	" JOIN roles r ON r.id = m.role_id WHERE m.project_id = p.id AND m.user_id = $1"          \
	" AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $2)), ''),"                \
	" (SELECT COUNT(*) FROM memberships c WHERE c.project_id = p.id AND c.state = 'active'"   \
	" AND (c.not_after = 0 OR c.not_after > $2)), p.sso_max_age FROM projects p"              \
	" JOIN organizations o ON o.id = p.organization_id "

static const char sql_get[] = PROJECT_COLUMNS "WHERE p.id = $3";
static const char sql_list[] = PROJECT_COLUMNS
    "WHERE ($3 = 1 OR EXISTS (SELECT 1 FROM memberships e WHERE e.project_id = p.id"
    " AND e.user_id = $1 AND e.state = 'active' AND (e.not_after = 0 OR e.not_after > $2)))"
    " AND ($4 = 1 OR p.state <> 'archived') ORDER BY p.slug";
static const char sql_by_id[] = "SELECT id FROM projects WHERE id = $1";
static const char sql_by_slug[] = "SELECT id FROM projects WHERE slug = $1";

static void project_read(struct rows *r, struct project *ret)
{
	*ret = (struct project){
	    .id = row_int(r, 0),
	    .org = row_int(r, 1),
	    .gid = row_int(r, 7),
	    .created_at = row_int(r, 8),
	    .budget_cents = row_int(r, 9),
	    .members = row_int(r, 11),
	    .sso_max_age = row_int(r, 12),
	};
	ret->has_budget = ret->budget_cents >= 0;
	row_copy(r, 2, ret->slug, sizeof(ret->slug));
	row_copy(r, 3, ret->name, sizeof(ret->name));
	row_copy(r, 4, ret->org_slug, sizeof(ret->org_slug));
	row_copy(r, 5, ret->state, sizeof(ret->state));
	row_copy(r, 6, ret->contact, sizeof(ret->contact));
	row_copy(r, 10, ret->role, sizeof(ret->role));
}

int project_get(struct tx *t, int64_t id, int64_t viewer, int64_t now, struct project *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_get, "iii", &r, viewer, now, id);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	project_read(r, ret);
	return 0;
}

int project_find(struct tx *t, const char *id_or_slug, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int64_t id;
	int n;
	if (!id_or_slug)
		return -ENOENT;
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

/* Whole amounts look like 500, others like 19.5. */
static json_t *budget_json(const struct project *p)
{
	if (!p->has_budget)
		return json_null();
	if (p->budget_cents % 100)
		return json_real((double)p->budget_cents / 100);
	return json_integer(p->budget_cents / 100);
}

json_t *project_json(const struct project *p)
{
	return json_pack("{so, ss, ss, ss, ss, so, sI, so, sI, so, ss, so}", "id", json_id(p->id),
	    "slug", p->slug, "name", p->name, "organization", p->org_slug, "state", p->state,
	    "budget", budget_json(p), "gid", (json_int_t)p->gid, "role",
	    p->role[0] ? json_string(p->role) : json_null(), "members", (json_int_t)p->members,
	    "created_at", json_time(p->created_at), "contact", p->contact, "sso_max_age",
	    p->sso_max_age ? json_integer(p->sso_max_age) : json_null());
}

static int list_tx(struct tx *t, struct act *a)
{
	const char *state = request_query(a->rq, "state");
	_cleanup_rows_ struct rows *r = NULL;
	struct project p;
	int n = tx_query(t, sql_list, "iiii", &r, a->rq->who.id, a->rq->now,
	    (int64_t)(a->authz.rank == RANK_SUPERADMIN), (int64_t)(state != NULL));
	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		project_read(r, &p);
		if (state && strcmp(state, "all") != 0 && strcmp(state, p.state) != 0)
			continue;
		if (json_array_append_new(a->json, project_json(&p)) < 0)
			return -ENOMEM;
	}
	return n;
}

void project_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int show_tx(struct tx *t, struct act *a)
{
	struct project p;
	int r = project_get(t, a->authz.project, a->rq->who.id, a->rq->now, &p);
	if (!r)
		a->json = project_json(&p);
	return r;
}

void project_show(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = show_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}
