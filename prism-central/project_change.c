/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/buf.h"
#include "host_feed.h"
#include "invitation.h"
#include "member.h"
#include "project.h"
#include "ratelimit.h"
#include "register.h"
#include "sso.h"

static const char sql_insert[] =
    "INSERT INTO projects (id, organization_id, slug, name, state, budget_cents, contact, gid_rw,"
    " gid_ro, created_by, created_at, sso_max_age)"
    " VALUES ($1, $2, $3, $4, 'active', NULL, $5, $6, $7, $8, $9, $10)";
static const char sql_owner_role[] =
    "SELECT id FROM roles WHERE organization_id IS NULL AND scope = 'project' AND slug = 'owner'";
static const char sql_name[] = "UPDATE projects SET name = $2 WHERE id = $1";
static const char sql_contact[] = "UPDATE projects SET contact = $2 WHERE id = $1";
static const char sql_budget[] = "UPDATE projects SET budget_cents = $2 WHERE id = $1";
static const char sql_no_budget[] = "UPDATE projects SET budget_cents = NULL WHERE id = $1";
static const char sql_max_age[] = "UPDATE projects SET sso_max_age = $2 WHERE id = $1";
static const char sql_members[] =
    "SELECT user_id FROM memberships WHERE project_id = $1 ORDER BY user_id";
static const char sql_state[] =
    "UPDATE projects SET state = $2, archived_at = $3 WHERE id = $1 AND state <> $2";
static const char sql_revoke[] =
    "UPDATE invitations SET state = 'revoked', answered_at = $2, answered_by = $3"
    " WHERE project_id = $1 AND state = 'pending'";

#define BUDGET_MAX  1e12
#define MAX_AGE_MIN 60
#define MAX_AGE_MAX (366 * 86400)
#define MEMBERS_MAX (64u << 20)

/* The values that a body may bring; which of them are there. */
struct values {
	const char *name, *contact, *state;
	const json_t *budget;
	int64_t cents; /* -1: none */
	const json_t *max_age;
	int64_t seconds; /* 0: not asked for */
};

static int read_budget(struct act *a, struct values *v)
{
	v->cents = -1;
	if (!v->budget || json_is_null(v->budget))
		return 0;
	double amount = json_number_value(v->budget);
	if (!json_is_number(v->budget) || !(amount >= 0 && amount <= BUDGET_MAX))
		return act_fail(a, API_INVALID_VALUE, "\"budget\" is a positive number or null.");
	v->cents = (int64_t)(amount * 100 + 0.5);
	return 0;
}

static int read_max_age(struct act *a, struct values *v)
{
	v->max_age = json_object_get(a->rq->body, "sso_max_age");
	v->seconds = json_integer_value(v->max_age);
	if (!v->max_age || json_is_null(v->max_age) ||
	    (json_is_integer(v->max_age) &&
		(v->seconds == 0 || (v->seconds >= MAX_AGE_MIN && v->seconds <= MAX_AGE_MAX))))
		return 0;
	return act_fail(a, API_INVALID_VALUE,
	    "\"sso_max_age\" is a number of seconds from %d to %d, or null.", MAX_AGE_MIN,
	    MAX_AGE_MAX);
}

static int read_values(struct act *a, struct values *v)
{
	const struct request *rq = a->rq;
	if (!body_string(rq, "name", &v->name) || !body_string(rq, "contact", &v->contact) ||
	    !body_string(rq, "state", &v->state))
		return act_fail(a, API_BAD_REQUEST, NULL);
	if ((v->name && (!v->name[0] || !gecos_valid(v->name))) ||
	    (v->contact && !gecos_valid(v->contact)))
		return act_fail(a, API_INVALID_VALUE,
		    "\"name\" and \"contact\" are one line of at most %d bytes, without colons.",
		    GECOS_MAX);
	if (v->state && strcmp(v->state, "active") != 0 && strcmp(v->state, "paused") != 0)
		return act_fail(a, API_INVALID_VALUE, "\"state\" is active or paused.");
	v->budget = json_object_get(rq->body, "budget");
	int r = read_budget(a, v);
	return r ? r : read_max_age(a, v);
}

static int set_budget(struct tx *t, int64_t project, int64_t cents)
{
	if (cents < 0)
		return tx_exec(t, sql_no_budget, "i", project);
	return tx_exec(t, sql_budget, "ii", project, cents);
}

/* ---- create ---------------------------------------------------------------------------------- */

/* "Dr. Chen <chen@uni.edu>", as far as it fits and they have an address. */
static int contact_of(struct tx *t, int64_t user, char out[GECOS_MAX + 1])
{
	struct user u;
	char text[GECOS_MAX + EMAIL_MAX + 8];
	int r = user_by_id(t, user, &u);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s <%s>", u.name, u.email);
	snprintf(out, GECOS_MAX + 1, "%s", u.email[0] && gecos_valid(text) ? text : u.name);
	return 0;
}

static int owner_role(struct tx *t, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_owner_role, "", &r);
	if (!n)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	*ret = row_int(r, 0);
	return 0;
}

static int insert(struct tx *t, struct act *a, const char *slug, const struct values *v, int64_t id)
{
	const struct request *rq = a->rq;
	const struct config *cfg = &rq->central->config;
	char contact[GECOS_MAX + 1];
	uint32_t rw, ro;
	int r = v->contact ? 0 : contact_of(t, rq->who.id, contact);
	if (!r)
		r = register_allocate(t, cfg, REGISTER_PROJECT_RW, id, rq->now, &rw);
	if (!r)
		r = register_allocate(t, cfg, REGISTER_PROJECT_RO, id, rq->now, &ro);
	if (r < 0)
		return r == -ENOSPC ? act_fail(a, API_IDS_EXHAUSTED, NULL) : r;
	r = tx_exec(t, sql_insert, "iisssiiiii", id, a->authz.org, slug, v->name ? v->name : slug,
	    v->contact ? v->contact : contact, (int64_t)rw, (int64_t)ro, rq->who.id, rq->now,
	    v->seconds);
	if (r == -EEXIST)
		return act_fail(a, API_NAME_TAKEN, "There is a project called %s already.", slug);
	return r ? r : set_budget(t, id, v->cents);
}

static int post_tx(struct tx *t, struct act *a)
{
	static const struct member_origin created = {"created", 0};
	const char *slug = request_str(a->rq, "slug");
	struct values v;
	struct project p;
	int64_t id = store_new_id(), role;
	if (!slug || !slug_valid(slug))
		return act_fail(a, API_INVALID_VALUE,
		    "A project's name is 2 to %d of a-z, 0-9 and -, begins with a letter, and does "
		    "not end in - or -ro.",
		    SLUG_MAX);
	int r = read_values(a, &v);
	if (!r && v.seconds)
		r = sso_renewable(t, a, a->authz.org);
	if (!r)
		r = insert(t, a, slug, &v, id);
	if (!r)
		r = owner_role(t, &role);
	if (!r)
		r = feed_touch_project(t, id);
	if (!r)
		r = member_join(t, id, a->rq->who.id, role, &created, a->rq->now);
	if (!r)
		r = project_get(t, id, a->rq->who.id, a->rq->now, &p);
	if (r)
		return r;
	a->json = project_json(&p);
	struct request as = *a->rq;
	as.project = id;
	return audit_object(
	    t, &as, "project.create", "project", slug, json_pack("{sI}", "gid", (json_int_t)p.gid));
}

void project_post(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = post_tx, .rq = rq, .status = 201};
	unsigned wait = ratelimit_take(RATELIMIT_PROJECT_USER, rq->who.name);
	if (wait) {
		reply_error(rp, API_TOO_MANY_REQUESTS, "Too many projects: wait %u seconds.", wait);
		rp->retry_after = wait;
		return;
	}
	int r = act_do(&a, STORE_WRITE);
	if (r || a.authz.rank == RANK_SUPERADMIN)
		ratelimit_return(RATELIMIT_PROJECT_USER, rq->who.name);
	act_reply(&a, r, rp);
}

/* ---- change ---------------------------------------------------------------------------------- */

/* Some fields ask for more than the route does. */
static int need(struct tx *t, struct act *a, const char *permission)
{
	int r = authz_permits(t, &a->authz, permission);
	if (r < 0)
		return r;
	return r ? 0 : act_fail(a, API_FORBIDDEN, NULL);
}

static int change_state(struct tx *t, struct act *a, const struct project *p, const char *state)
{
	int r = strcmp(p->state, "archived") ? 0 : need(t, a, "projects:delete");
	return r ? r : tx_exec(t, sql_state, "isi", p->id, state, (int64_t)0);
}

static int change_budget(struct tx *t, struct act *a, const struct values *v)
{
	int r = need(t, a, "budget:edit");
	return r ? r : set_budget(t, a->authz.project, v->cents);
}

static int members_of(struct tx *t, int64_t project, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_members, "i", &r, project);
	return n < 0 ? n : rows_ids(r, out);
}

/* Members' records tell how fresh their logins are only where somebody asks. */
static int change_max_age(struct tx *t, const struct project *p, int64_t seconds)
{
	_cleanup_buf_ struct buf users = BUF_INIT(MEMBERS_MAX);
	int r = tx_exec(t, sql_max_age, "ii", p->id, seconds);
	if (!r && !p->sso_max_age != !seconds)
		r = members_of(t, p->id, &users);
	for (size_t i = 0; !r && i < users.len; i += sizeof(int64_t)) {
		int64_t user;
		memcpy(&user, users.data + i, sizeof(user));
		r = feed_touch_member(t, p->id, user);
	}
	return r;
}

static int changed(struct tx *t, struct act *a, const char *action, json_t *detail)
{
	struct project p;
	int r = feed_touch_project(t, a->authz.project);
	if (!r)
		r = project_get(t, a->authz.project, a->rq->who.id, a->rq->now, &p);
	if (r) {
		json_decref(detail);
		return r;
	}
	a->json = project_json(&p);
	return audit_object(t, a->rq, action, "project", p.slug, detail);
}

/* What a project has, and nothing else that the body brought along. */
static json_t *change_detail(const struct values *v)
{
	json_t *budget = v->budget ? json_deep_copy(v->budget) : NULL;
	json_t *age = v->max_age ? json_integer(v->seconds) : NULL;
	return json_pack("{ss*, ss*, ss*, so*, so*}", "name", v->name, "contact", v->contact,
	    "state", v->state, "budget", budget, "sso_max_age", age);
}

static int patch_apply(struct tx *t, struct act *a, const struct values *v, const struct project *p)
{
	int64_t age = v->max_age ? v->seconds : p->sso_max_age;
	int r = v->state ? change_state(t, a, p, v->state) : 0;
	/* An archived project did not keep the last connection from going. */
	if (!r && age && (v->max_age || strcmp(p->state, "archived") == 0))
		r = sso_renewable(t, a, p->org);
	if (!r && v->budget)
		r = change_budget(t, a, v);
	if (!r && v->name)
		r = tx_exec(t, sql_name, "is", p->id, v->name);
	if (!r && v->contact)
		r = tx_exec(t, sql_contact, "is", p->id, v->contact);
	if (!r && v->max_age)
		r = change_max_age(t, p, v->seconds);
	return r;
}

static int patch_tx(struct tx *t, struct act *a)
{
	struct values v;
	struct project p;
	int r = read_values(a, &v);
	if (!r && !v.name && !v.contact && !v.state && !v.budget && !v.max_age)
		return act_fail(a, API_BAD_REQUEST,
		    "\"name\", \"contact\", \"state\", \"budget\" or \"sso_max_age\" is needed.");
	if (!r)
		r = project_get(t, a->authz.project, a->rq->who.id, a->rq->now, &p);
	if (!r && !strcmp(p.state, "archived") && !v.state)
		return act_fail(a, API_CONFLICT, "The project is archived.");
	if (!r)
		r = patch_apply(t, a, &v, &p);
	return r ? r : changed(t, a, "project.change", change_detail(&v));
}

void project_patch(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = patch_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}

static int delete_tx(struct tx *t, struct act *a)
{
	int64_t id = a->authz.project, now = a->rq->now;
	int r = tx_exec(t, sql_state, "isi", id, "archived", now);
	if (!r && !tx_changes(t))
		return act_fail(a, API_CONFLICT, "The project is archived already.");
	if (!r)
		r = tx_exec(t, sql_revoke, "iii", id, now, a->rq->who.id);
	return r ? r : changed(t, a, "project.archive", NULL);
}

void project_delete(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = delete_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_WRITE, rp);
}
