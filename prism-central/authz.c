/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "browser.h"
#include "domain.h"
#include "feed/feed.h"
#include "organization.h"
#include "project.h"
#include "role.h"
#include "session.h"

static const char sql_superadmin[] = "SELECT superadmin FROM users WHERE id = $1";
static const char sql_member_role[] =
    "SELECT r.id, r.rank FROM memberships m JOIN roles r ON r.id = m.role_id"
    " WHERE m.project_id = $1 AND m.user_id = $2 AND m.state = 'active'"
    " AND (m.not_after = 0 OR m.not_after > $3)";
static const char sql_org_role[] =
    "SELECT r.id, r.rank FROM organization_members m JOIN roles r ON r.id = m.role_id"
    " WHERE m.organization_id = $1 AND m.user_id = $2 AND $3 > 0";
static const char sql_project_org[] = "SELECT organization_id FROM projects WHERE id = $1";
static const char sql_invitation_project[] = "SELECT project_id FROM invitations WHERE id = $1";
static const char sql_host_projects[] =
    "SELECT hp.project_id FROM host_projects hp JOIN hosts h ON h.id = hp.host_id"
    " WHERE h.id = $1 AND h.state = 'enrolled' ORDER BY hp.project_id";

struct check {
	struct tx *t;
	const struct request *rq;
	bool superadmin;
	bool withheld; /* they are one, but have logged in through a provider */
	struct authz *out;
	enum api_error *error;
};

static int refuse(struct check *c, enum api_error e)
{
	*c->error = e;
	return -ECANCELED;
}

/* The one integer that the statement gives for id. 0, -ENOENT or -errno. */
static int one_int(struct tx *t, const char *sql, int64_t id, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql, "i", &r, id);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = row_int(r, 0);
	return 0;
}

/* The person is who the session or browser says, still, and not suspended. */
static int check_person(struct check *c)
{
	int64_t superadmin = 0;
	if (c->rq->who.kind != PRINCIPAL_USER)
		return refuse(c, API_NOT_LOGGED_IN);
	int r = c->rq->route->scope == SCOPE_BROWSER ? browser_holds(c->t, c->rq)
						     : session_holds(c->t, &c->rq->who, c->rq->now);
	if (r <= 0)
		return r < 0 ? r : refuse(c, API_NOT_LOGGED_IN);
	r = one_int(c->t, sql_superadmin, c->rq->who.id, &superadmin);
	if (r < 0)
		return r == -ENOENT ? refuse(c, API_NOT_LOGGED_IN) : r;
	/* An organization's provider must not speak for the whole deployment. */
	c->superadmin = superadmin && !c->rq->who.identity;
	c->withheld = superadmin && c->rq->who.identity;
	c->out->rank = c->superadmin ? RANK_SUPERADMIN : 0;
	return 0;
}

/*
 * Whether the caller's role in "scope" (found by sql) allows the route's permission: 0, or refused
 * with "unseen" where they have no role there at all, so that nobody learns what exists.
 */
static int check_role(struct check *c, const char *sql, int64_t scope, enum api_error unseen)
{
	if (c->superadmin)
		return 0;
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(c->t, sql, "iii", &r, scope, c->rq->who.id, c->rq->now);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : refuse(c, unseen);
	int64_t role = row_int(r, 0);
	int rank = (int)row_int(r, 1);
	n = role_allows(c->t, role, c->rq->route->permission);
	if (n <= 0)
		return n < 0 ? n : refuse(c, API_FORBIDDEN);
	c->out->role = role;
	c->out->rank = rank;
	return 0;
}

static int check_project_id(struct check *c, int64_t project, enum api_error unseen)
{
	int r = check_role(c, sql_member_role, project, unseen);
	if (r)
		return r;
	c->out->project = project;
	return one_int(c->t, sql_project_org, project, &c->out->org);
}

static int scope_public(struct check *c)
{
	return 0;
}

/* Pages are for those too who are not logged in: what they may do there is the page's matter. */
static int scope_browser(struct check *c)
{
	return c->rq->who.kind == PRINCIPAL_NONE ? 0 : check_person(c);
}

static int scope_host(struct check *c)
{
	return c->rq->who.kind == PRINCIPAL_HOST ? 0 : refuse(c, API_NOT_LOGGED_IN);
}

static int scope_self(struct check *c)
{
	return check_person(c);
}

static int scope_deployment(struct check *c)
{
	int r = check_person(c);
	return r || c->superadmin ? r : refuse(c, API_FORBIDDEN);
}

/* The organization stands in the path, or in the body, or it is the default one. */
static int scope_org(struct check *c)
{
	const char *name = c->rq->arg[0] ? c->rq->arg[0] : request_str(c->rq, "organization");
	int r = check_person(c);
	if (!r)
		r = organization_find(c->t, name, &c->out->org);
	if (r == -ENOENT)
		return refuse(c, c->superadmin ? API_NOT_FOUND : API_ORG_FORBIDDEN);
	if (!r)
		r = check_role(c, sql_org_role, c->out->org, API_ORG_FORBIDDEN);
	if (r == -ECANCELED && *c->error == API_FORBIDDEN)
		return refuse(c, API_ORG_FORBIDDEN);
	return r;
}

static int scope_project(struct check *c)
{
	int64_t project;
	int r = check_person(c);
	if (!r)
		r = project_find(c->t, c->rq->arg[0], &project);
	if (r == -ENOENT)
		return refuse(c, API_PROJECT_NOT_FOUND);
	return r ? r : check_project_id(c, project, API_PROJECT_NOT_FOUND);
}

static int scope_invitation(struct check *c)
{
	int64_t project;
	int r = check_person(c);
	if (!r)
		r = one_int(c->t, sql_invitation_project, arg_id(c->rq, 0), &project);
	if (r == -ENOENT)
		return refuse(c, API_INVITATION_NOT_FOUND);
	return r ? r : check_project_id(c, project, API_INVITATION_NOT_FOUND);
}

static int host_projects(struct check *c, int64_t host, int64_t *projects, size_t *ret_n)
{
	_cleanup_rows_ struct rows *rows = NULL;
	size_t n = 0;
	int r = tx_query(c->t, sql_host_projects, "i", &rows, host);
	if (r < 0)
		return r;
	while ((r = rows_next(rows)) > 0) {
		if (n == FEED_MANIFEST_MAX)
			return -E2BIG;
		projects[n++] = row_int(rows, 0);
	}
	if (r < 0)
		return r;
	*ret_n = n;
	return 0;
}

/*
 * A host may serve projects of several people, and what is done to it concerns all of them: the
 * permission in one is not enough. Nobody learns of a host that serves none of theirs.
 */
static int check_host(struct check *c, int64_t host)
{
	int64_t projects[FEED_MANIFEST_MAX];
	size_t n = 0, allowed = 0;
	bool seen = false;
	int r = host_projects(c, host, projects, &n);
	for (size_t i = 0; i < n && !r; i++) {
		r = check_project_id(c, projects[i], API_HOST_NOT_FOUND);
		if (!r)
			allowed++;
		else if (r == -ECANCELED)
			r = 0;
		seen |= allowed || *c->error == API_FORBIDDEN;
	}
	if (r < 0)
		return r;
	if (!seen)
		return refuse(c, API_HOST_NOT_FOUND);
	if (allowed < n)
		return refuse(c, allowed ? API_HOST_SHARED : API_FORBIDDEN);
	return 0;
}

static int scope_host_id(struct check *c)
{
	int r = check_person(c);
	return r ? r : check_host(c, arg_id(c->rq, 0));
}

static int (*const scopes[])(struct check *) = {
    [SCOPE_PUBLIC] = scope_public,
    [SCOPE_BROWSER] = scope_browser,
    [SCOPE_SELF] = scope_self,
    [SCOPE_HOST] = scope_host,
    [SCOPE_DEPLOYMENT] = scope_deployment,
    [SCOPE_ORG] = scope_org,
    [SCOPE_PROJECT] = scope_project,
    [SCOPE_INVITATION] = scope_invitation,
    [SCOPE_HOST_ID] = scope_host_id,
};

int authz_check(
    struct tx *t, const struct request *rq, struct authz *ret, enum api_error *ret_error)
{
	struct authz out = {0};
	enum api_error error = API_INTERNAL;
	struct check c = {.t = t, .rq = rq, .out = &out, .error = &error};
	const struct route *route = rq->route;
	int r;
	if (!route || !route->permission || (size_t)route->scope >= ARRAY_SIZE(scopes) ||
	    !scopes[route->scope])
		r = refuse(&c, API_FORBIDDEN);
	else
		r = scopes[route->scope](&c);
	if (r == -ECANCELED)
		*ret_error = c.withheld ? API_PROVIDER_LOGIN : error;
	if (!r)
		*ret = out;
	return r;
}

int authz_permits(struct tx *t, const struct authz *z, const char *permission)
{
	if (z->rank == RANK_SUPERADMIN)
		return 1;
	return z->role ? role_allows(t, z->role, permission) : 0;
}

int authz_way_in(struct tx *t, struct act *a)
{
	const struct principal *who = &a->rq->who;
	int64_t superadmin = 0;
	int r = who->identity ? one_int(t, sql_superadmin, who->id, &superadmin) : 0;

	return r == 0 && superadmin ? act_fail(a, API_PROVIDER_LOGIN, NULL) : r;
}

int authz_host(struct tx *t, const struct request *rq, const struct authz *z, int64_t host,
    enum api_error *ret_error)
{
	struct authz out = {0};
	enum api_error error = API_INTERNAL;
	struct check c = {.t = t, .rq = rq, .out = &out, .error = &error};
	c.superadmin = z->rank == RANK_SUPERADMIN;
	int r = check_host(&c, host);
	if (r == -ECANCELED)
		*ret_error = error;
	return r;
}
