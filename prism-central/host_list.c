/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/attr.h"
#include "domain.h"
#include "feed/feed.h"
#include "host_feed.h"
#include "host_name.h"

/* Not heard of for so long: shown as stale. */
#define STALE_SECONDS (15 * 60)

/* ---- one workspace --------------------------------------------------------------------------- */

/* The columns that every query below begins with. */
#define HOST_COLUMNS "h.id, h.name, p.slug, h.hostname, h.address, h.ssh_host_keys, h.last_seen"

static json_t *workspace_json(struct rows *r, int64_t now, bool can_login)
{
	json_t *keys = json_loads(row_text(r, 5) ? row_text(r, 5) : "[]", 0, NULL);
	const char *state = now - row_int(r, 6) > STALE_SECONDS ? "stale" : "enrolled";

	return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o?, s:o, s:b}", "id",
	    json_id(row_int(r, 0)), "name", row_text(r, 1), "project", row_text(r, 2), "hostname",
	    row_text(r, 3), "address", row_text(r, 4), "state", state, "ssh_host_keys", keys,
	    "last_seen", json_time(row_int(r, 6)), "can_login", (int)can_login);
}

/* ---- a person's workspaces ------------------------------------------------------------------- */

/*
 * Of the projects where the person is a member now. What covers a permission "hosts:X" is that, its
 * product's star, or the star of everything (role.h).
 */
static const char sql_mine[] =
    "SELECT " HOST_COLUMNS ", p.state = 'active' AND u.state = 'active' AND EXISTS"
    " (SELECT 1 FROM role_permissions rp WHERE rp.role_id = m.role_id"
    " AND rp.permission IN ('*', 'hosts:*', 'hosts:login')),"
    " CASE WHEN ha.epoch = f.epoch AND ha.revision >= fr.revision THEN 1 ELSE 0 END,"
    " u.uid, u.username, h.report"
    " FROM memberships m JOIN users u ON u.id = m.user_id"
    " JOIN projects p ON p.id = m.project_id"
    " JOIN host_projects hp ON hp.project_id = p.id"
    " JOIN hosts h ON h.id = hp.host_id AND h.state = 'enrolled'"
    " LEFT JOIN feeds f ON f.project_id = p.id"
    " LEFT JOIN feed_records fr ON fr.project_id = p.id AND fr.type = $5 AND fr.subject = u.uid"
    " LEFT JOIN host_applied ha ON ha.host_id = h.id AND ha.project_id = p.id"
    " WHERE m.user_id = $1 AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $2)"
    " AND EXISTS (SELECT 1 FROM role_permissions rp WHERE rp.role_id = m.role_id"
    " AND rp.permission IN ('*', 'hosts:*', 'hosts:view'))"
    " AND ($3 = '' OR p.slug = $3) AND ($4 = '' OR h.name = $4)"
    " ORDER BY h.name, p.slug";

struct mine {
	struct act act;
	const char *project, *name; /* "": any */
	bool one;
};

/* What the host has of the person: {uid, gid, reason}, or null before it has taken them over. */
static json_t *identity_json(struct rows *r)
{
	_cleanup_free_ char *why =
	    host_report_refusal(row_text(r, 11), row_text(r, 10), row_int(r, 9));

	if (why)
		return json_pack("{s:n, s:n, s:s}", "uid", "gid", "reason", why);
	if (!row_int(r, 8))
		return json_null();
	return json_pack("{s:I, s:I, s:n}", "uid", (json_int_t)row_int(r, 9), "gid",
	    (json_int_t)row_int(r, 9), "reason");
}

/* A host that serves several of the person's projects is one line: login if any of them allows it.
 */
static int mine_add(json_t *list, struct rows *r, int64_t now)
{
	size_t n = json_array_size(list);
	json_t *last = n ? json_array_get(list, n - 1) : NULL;
	const char *name = json_string_value(json_object_get(last, "name"));
	bool login = row_int(r, 7) != 0;

	if (name && row_text(r, 1) && strcmp(name, row_text(r, 1)) == 0) {
		if (login && json_object_set_new(last, "can_login", json_true()) < 0)
			return -ENOMEM;
		return 0;
	}
	json_t *w = workspace_json(r, now, login);
	if (!w || json_object_set_new(w, "identity", identity_json(r)) < 0) {
		json_decref(w);
		return -ENOMEM;
	}
	return json_array_append_new(list, w) < 0 ? -ENOMEM : 0;
}

static int mine_tx(struct tx *t, struct act *a)
{
	const struct mine *m = (const struct mine *)a;
	_cleanup_rows_ struct rows *r = NULL;
	json_auto_t *list = json_array();
	int rc = tx_query(t, sql_mine, "iissi", &r, a->rq->who.id, a->rq->now, m->project, m->name,
	    (int64_t)FEED_MEMBER);

	if (rc < 0 || !list)
		return rc < 0 ? rc : -ENOMEM;
	while ((rc = rows_next(r)) > 0) {
		rc = mine_add(list, r, a->rq->now);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	if (!m->one) {
		a->json = TAKE_PTR(list);
		return 0;
	}
	if (json_array_size(list) == 0)
		return act_fail(a, API_HOST_NOT_FOUND, NULL);
	a->json = json_incref(json_array_get(list, 0));
	return 0;
}

void workspace_list(struct request *rq, struct reply *rp)
{
	struct mine m = {.act = {.fn = mine_tx, .rq = rq, .status = 200}, .name = ""};

	m.project = request_query(rq, "project");
	if (!m.project)
		m.project = "";
	act_run(&m.act, STORE_READ, rp);
}

void workspace_show(struct request *rq, struct reply *rp)
{
	struct mine m = {
	    .act = {.fn = mine_tx, .rq = rq, .status = 200}, .project = "", .one = true};

	m.name = rq->arg[0];
	if (!m.name || !hostname_valid(m.name))
		reply_error(rp, API_HOST_NOT_FOUND, NULL);
	else
		act_run(&m.act, STORE_READ, rp);
}

/* ---- a project's hosts ----------------------------------------------------------------------- */

/* The report of a host that serves other projects too would tell about their members. */
static const char sql_hosts[] =
    "SELECT " HOST_COLUMNS ", h.enrolled_at, a.epoch, a.revision, f.epoch,"
    " CASE WHEN (SELECT COUNT(*) FROM host_projects o WHERE o.host_id = h.id) = 1"
    " THEN h.report END"
    " FROM host_projects hp JOIN hosts h ON h.id = hp.host_id AND h.state = 'enrolled'"
    " JOIN projects p ON p.id = hp.project_id"
    " LEFT JOIN feeds f ON f.project_id = p.id"
    " LEFT JOIN host_applied a ON a.host_id = h.id AND a.project_id = p.id"
    " WHERE hp.project_id = $1 ORDER BY h.name";

/* What was applied in another epoch says nothing about this one. */
static int64_t applied_now(struct rows *r)
{
	return row_int(r, 8) == row_int(r, 10) ? row_int(r, 9) : 0;
}

static json_t *host_json(struct rows *r, int64_t now)
{
	json_auto_t *host = workspace_json(r, now, false);
	const char *report = row_text(r, 11);
	json_t *told = report ? json_loads(report, 0, NULL) : NULL;

	if (!host || json_object_del(host, "can_login") < 0)
		return NULL;
	json_auto_t *more = json_pack("{s:I, s:{s:I}, s:o, s:o?}", "epoch",
	    (json_int_t)row_int(r, 8), "applied", row_text(r, 2), (json_int_t)applied_now(r),
	    "enrolled_at", json_time(row_int(r, 7)), "report", told);
	if (!more || json_object_update(host, more) < 0)
		return NULL;
	return json_incref(host);
}

static json_t *brief_json(struct rows *r, int64_t now)
{
	return json_pack("{s:o, s:s, s:I, s:o}", "id", json_id(row_int(r, 0)), "name",
	    row_text(r, 1), "applied", (json_int_t)applied_now(r), "last_seen",
	    json_time(row_int(r, 6)));
}

static int hosts_read(
    struct tx *t, struct act *a, json_t *(*each)(struct rows *, int64_t), json_t **ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	json_auto_t *list = json_array();
	int rc = tx_query(t, sql_hosts, "i", &r, a->authz.project);

	if (rc < 0 || !list)
		return rc < 0 ? rc : -ENOMEM;
	while ((rc = rows_next(r)) > 0) {
		if (json_array_append_new(list, each(r, a->rq->now)) < 0)
			return -ENOMEM;
	}
	if (rc < 0)
		return rc;
	*ret = TAKE_PTR(list);
	return 0;
}

static int list_tx(struct tx *t, struct act *a)
{
	return hosts_read(t, a, host_json, &a->json);
}

void host_list_project(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};

	act_run(&a, STORE_READ, rp);
}

static int revision_tx(struct tx *t, struct act *a)
{
	json_t *hosts = NULL;
	int64_t revision;
	int r = feed_revision(t, a->authz.project, &revision);

	if (r == 0)
		r = hosts_read(t, a, brief_json, &hosts);
	if (r < 0)
		return r;
	a->json = json_pack("{s:I, s:o}", "revision", (json_int_t)revision, "hosts", hosts);
	return a->json ? 0 : -ENOMEM;
}

void host_revision_show(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = revision_tx, .rq = rq, .status = 200};

	act_run(&a, STORE_READ, rp);
}

/* ---- removing -------------------------------------------------------------------------------- */

static const char sql_remove[] =
    "UPDATE hosts SET state = 'removed', removed_at = $1 WHERE id = $2 AND state = 'enrolled'";
static const char sql_tokens[] = "DELETE FROM host_tokens WHERE host_id = $1";
static const char sql_removed[] = "SELECT h.name, h.organization_id, hp.project_id FROM hosts h"
				  " JOIN host_projects hp ON hp.host_id = h.id WHERE h.id = $1";

/* Its parked poll waits for one of these: it is looked at again after the commit, and refused. */
static int removed_note(struct tx *t, int64_t host, char name[64])
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_removed, "i", &r, host);

	if (rc < 0)
		return rc;
	while ((rc = rows_next(r)) > 0) {
		row_copy(r, 0, name, 64);
		feed_note_touched(row_int(r, 1), row_int(r, 2));
	}
	return rc;
}

static int remove_tx(struct tx *t, struct act *a)
{
	int64_t host = arg_id(a->rq, 0);
	char name[64] = "";

	int r = tx_exec(t, sql_remove, "ii", a->rq->now, host);
	if (r == 0 && tx_changes(t) != 1)
		return act_fail(a, API_HOST_NOT_FOUND, NULL);
	if (r == 0)
		r = tx_exec(t, sql_tokens, "i", host);
	if (r == 0)
		r = removed_note(t, host, name);
	if (r < 0)
		return r;
	return audit_object(
	    t, a->rq, "host.remove", "host", name, json_pack("{s:o}", "id", json_id(host)));
}

void host_remove(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = remove_tx, .rq = rq, .status = 204};

	act_run(&a, STORE_WRITE, rp);
}
