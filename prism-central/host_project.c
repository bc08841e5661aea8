/* SPDX-License-Identifier: MIT */

/*
 * Which projects a host serves. Threat model: a project lets its members onto a host, and a host's
 * administrators see the members and keys of its projects, so adding one to the other MUST be
 * allowed by both sides: hosts:enrol in the project, and in every one that the host serves already,
 * or else whoever runs one of them could hand on what the others share. Who may not know of a host
 * MUST NOT learn that it exists. A change MUST reach the host as a newer
 * manifest: it believes nothing else.
 */
#include "host.h"

#include <errno.h>
#include <string.h>
#include "audit.h"
#include "base/attr.h"
#include "domain.h"
#include "feed/feed.h"
#include "host_feed.h"
#include "host_name.h"

struct change {
	struct act act;
	int64_t host, org, count; /* count: projects that it serves */
	bool serves;		  /* the project of the path is one of them */
	char name[HOST_NAME_MAX_ + 1], slug[SLUG_MAX + 1];
};

/* ---- the host and the project ---------------------------------------------------------------- */

/* An id comes before a name that looks like one. */
static const char sql_host[] =
    "SELECT h.id, h.name, h.organization_id,"
    " (SELECT COUNT(*) FROM host_projects hp WHERE hp.host_id = h.id),"
    " (SELECT COUNT(*) FROM host_projects hp WHERE hp.host_id = h.id AND hp.project_id = $3)"
    " FROM hosts h WHERE h.state = 'enrolled' AND (h.id = $1 OR h.name = $2)"
    " ORDER BY CASE WHEN h.id = $1 THEN 0 ELSE 1 END";

static int host_find(struct tx *t, struct change *c)
{
	_cleanup_rows_ struct rows *r = NULL;
	const struct request *rq = c->act.rq;
	int rc = tx_query(t, sql_host, "isi", &r, arg_id(rq, 1), rq->arg[1] ? rq->arg[1] : "",
	    c->act.authz.project);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : act_fail(&c->act, API_HOST_NOT_FOUND, NULL);
	c->host = row_int(r, 0);
	row_copy(r, 1, c->name, sizeof(c->name));
	c->org = row_int(r, 2);
	c->count = row_int(r, 3);
	c->serves = row_int(r, 4) > 0;
	return 0;
}

static const char sql_project[] = "SELECT slug, state FROM projects WHERE id = $1";

static int project_read(struct tx *t, struct change *c, bool *ret_archived)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_project, "i", &r, c->act.authz.project);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : act_fail(&c->act, API_PROJECT_NOT_FOUND, NULL);
	row_copy(r, 0, c->slug, sizeof(c->slug));
	const char *state = row_text(r, 1);
	*ret_archived = !state || strcmp(state, "archived") == 0;
	return 0;
}

/* ---- telling the host ------------------------------------------------------------------------ */

static const char sql_served[] = "SELECT project_id FROM host_projects WHERE host_id = $1";

/* Its parked poll waits for one of these, or for the organization. */
static int served_note(struct tx *t, const struct change *c)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_served, "i", &r, c->host);

	if (rc < 0)
		return rc;
	while ((rc = rows_next(r)) > 0)
		feed_note_touched(c->org, row_int(r, 0));
	return rc;
}

static const char sql_manifest[] = "UPDATE hosts SET manifest = manifest + 1 WHERE id = $1";

/* Run the statement about (host, project), and have the host fetch its new manifest. */
static int change_write(struct tx *t, struct change *c, const char *sql, const char *action)
{
	int r = served_note(t, c);

	if (r == 0)
		r = tx_exec(t, sql, "ii", c->host, c->act.authz.project);
	if (r == 0)
		r = tx_exec(t, sql_manifest, "i", c->host);
	if (r < 0)
		return r;
	feed_note_touched(c->org, c->act.authz.project);
	return audit_object(t, c->act.rq, action, "host", c->name,
	    json_pack("{s:o, s:s}", "id", json_id(c->host), "project", c->slug));
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* 0 when the host may come to serve the project as well. */
static int put_check(struct tx *t, struct change *c)
{
	struct act *a = &c->act;
	bool archived = false;
	enum api_error why;

	int r = c->serves ? 0 : authz_host(t, a->rq, &a->authz, c->host, &why);
	if (r == -ECANCELED)
		return act_fail(a, why, NULL);
	if (r == 0)
		r = project_read(t, c, &archived);
	if (r < 0 || c->serves)
		return r;
	if (archived)
		return act_fail(a, API_CONFLICT, "This project is archived.");
	if (c->org != a->authz.org)
		return act_fail(a, API_HOST_PROJECTS,
		    "%s serves another organization; a host serves projects of one.", c->name);
	if (c->count >= FEED_MANIFEST_MAX)
		return act_fail(a, API_HOST_PROJECTS,
		    "%s serves %d projects already, which is as many as a host can.", c->name,
		    FEED_MANIFEST_MAX);
	return 0;
}

static const char sql_add[] = "INSERT INTO host_projects (host_id, project_id) VALUES ($1, $2)";

static int put_tx(struct tx *t, struct act *a)
{
	struct change *c = (struct change *)a;
	int64_t revision;

	int r = host_find(t, c);
	if (r == 0)
		r = put_check(t, c);
	if (r == 0)
		r = feed_touch_project(t, a->authz.project);
	if (r == 0 && !c->serves)
		r = change_write(t, c, sql_add, "host.project-add");
	if (r == 0)
		r = feed_revision(t, a->authz.project, &revision);
	if (r < 0)
		return r;
	a->json = json_pack("{s:o, s:s, s:s, s:I}", "id", json_id(c->host), "name", c->name,
	    "project", c->slug, "revision", (json_int_t)revision);
	return a->json ? 0 : -ENOMEM;
}

void host_project_put(struct request *rq, struct reply *rp)
{
	struct change c = {.act = {.fn = put_tx, .rq = rq, .status = 200}};

	act_run(&c.act, STORE_WRITE, rp);
}

/* ---- taking away ----------------------------------------------------------------------------- */

static const char sql_drop[] = "DELETE FROM host_projects WHERE host_id = $1 AND project_id = $2";
static const char sql_applied[] = "DELETE FROM host_applied WHERE host_id = $1 AND project_id = $2";

static int delete_tx(struct tx *t, struct act *a)
{
	struct change *c = (struct change *)a;
	bool archived;

	int r = host_find(t, c);
	if (r == 0 && !c->serves)
		return act_fail(a, API_HOST_NOT_FOUND, NULL);
	if (r == 0)
		r = project_read(t, c, &archived);
	if (r == 0 && c->count == 1)
		return act_fail(a, API_LAST_PROJECT, "%s serves no other project.", c->name);
	if (r == 0)
		r = change_write(t, c, sql_drop, "host.project-drop");
	return r < 0 ? r : tx_exec(t, sql_applied, "ii", c->host, a->authz.project);
}

void host_project_delete(struct request *rq, struct reply *rp)
{
	struct change c = {.act = {.fn = delete_tx, .rq = rq, .status = 204}};

	act_run(&c.act, STORE_WRITE, rp);
}
