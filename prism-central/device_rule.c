/* SPDX-License-Identifier: MIT */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "feed/feed.h"
#include "user.h"

static const char sql_projects[] =
    "SELECT p.slug, p.organization_id, p.sso_max_age, CASE WHEN m.state = 'active'"
    " AND p.state = 'active' AND (m.not_after = 0 OR m.not_after > $3) THEN 1 ELSE 0 END"
    " FROM host_projects hp JOIN projects p ON p.id = hp.project_id"
    " JOIN memberships m ON m.project_id = p.id AND m.user_id = $2 AND m.state <> 'removed'"
    " WHERE hp.host_id = $1 ORDER BY p.id";
static const char sql_identity_org[] =
    "SELECT c.organization_id FROM sso_identities i JOIN sso_connections c"
    " ON c.id = i.connection_id WHERE i.id = $1 AND i.user_id = $2 AND i.auth_at > 0"
    " AND c.enabled = 1";
/* Rather one where they are known already. */
static const char sql_connection[] =
    "SELECT c.slug FROM sso_connections c LEFT JOIN sso_identities i ON i.connection_id = c.id"
    " AND i.user_id = $2 WHERE c.organization_id = $1 AND c.enabled = 1"
    " ORDER BY CASE WHEN i.id IS NULL THEN 1 ELSE 0 END, c.id LIMIT 1";

struct judging {
	struct tx *t;
	const struct device_person *who;
	struct device_worth *worth;
	int64_t org;	    /* whose connection the browser's login came by; 0: none */
	int64_t asking_org; /* of a project that asks for a login of its own */
	int64_t now;
	size_t member, active, asking;
};

static int identity_org(struct judging *j)
{
	_cleanup_rows_ struct rows *r = NULL;

	if (!j->who->identity)
		return 0;
	int rc = tx_query(j->t, sql_identity_org, "ii", &r, j->who->identity, j->who->user);
	if (rc == 0)
		rc = rows_next(r);
	if (rc > 0)
		j->org = row_int(r, 0);
	return rc < 0 ? rc : 0;
}

static void weigh(struct judging *j, struct rows *r)
{
	struct device_worth *w = j->worth;
	int64_t org = row_int(r, 1), max_age = row_int(r, 2);

	j->member++;
	if (!row_int(r, 3))
		return;
	j->active++;
	if (max_age > 0) {
		j->asking++;
		j->asking_org = org;
	}
	if (org == j->org && (max_age == 0 || j->now - j->who->auth_at < max_age) &&
	    w->nprojects < LOGIN_PROJECTS_MAX)
		row_copy(r, 0, w->projects[w->nprojects++], sizeof(w->projects[0]));
}

static int weigh_all(struct judging *j, int64_t host)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(j->t, sql_projects, "iii", &r, host, j->who->user, j->now);

	while (rc == 0 && (rc = rows_next(r)) > 0) {
		weigh(j, r);
		rc = 0;
	}
	return rc;
}

/* Where to send them for a login that would count. */
static int find_provider(struct judging *j)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(j->t, sql_connection, "ii", &r, j->asking_org, j->who->user);

	if (rc == 0)
		rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : DEVICE_NO_PROVIDER;
	row_copy(r, 0, j->worth->connection, sizeof(j->worth->connection));
	j->worth->fresh = true;
	return DEVICE_NEEDS_SSO;
}

static int judge_host(struct judging *j, const struct device *d)
{
	if (!d->host_name[0])
		return DEVICE_UNKNOWN;
	int r = identity_org(j);
	if (r == 0)
		r = weigh_all(j, d->host);
	if (r < 0)
		return r;
	if (!j->member)
		return DEVICE_NO_MEMBER;
	return j->active && j->asking == j->active && !j->worth->nprojects ? find_provider(j)
									   : DEVICE_MAY;
}

/* A login that was ended by its provider is none, whatever the browser still says. */
static int judge_login(struct judging *j)
{
	int r = oauth_identity_holds(j->t, j->who->user, j->who->identity);

	if (r <= 0)
		return r < 0 ? r : DEVICE_SUSPENDED;
	if (j->who->identity)
		return DEVICE_MAY;
	r = oauth_must_use_sso(j->t, j->who->user, 0, j->worth->connection);
	return r < 0 ? r : r ? DEVICE_NEEDS_SSO : DEVICE_MAY;
}

int device_judge(struct tx *t, const struct device *d, const struct device_person *who, int64_t now,
    struct device_worth *ret)
{
	struct judging j = {.t = t, .who = who, .now = now, .worth = ret};
	struct user u;

	*ret = (struct device_worth){.nprojects = 0};
	if (d->user && d->user != who->user)
		return DEVICE_WRONG_PERSON;
	int r = user_by_id(t, who->user, &u);
	if (r < 0)
		return r == -ENOENT ? DEVICE_SUSPENDED : r;
	if (!u.active)
		return DEVICE_SUSPENDED;
	ret->uid = (uint32_t)u.uid;
	r = judge_login(&j);
	return r != DEVICE_MAY || !d->host ? r : judge_host(&j, d);
}
