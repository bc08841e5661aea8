/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "host_feed.h"
#include "sso_internal.h"

/* An identity counts while its connection is enabled. */
static const char sql_freshness[] =
    "SELECT COALESCE(MAX(i.auth_at), 0) FROM sso_identities i"
    " JOIN sso_connections c ON c.id = i.connection_id AND c.enabled = 1"
    " WHERE i.user_id = $1 AND i.organization_id = $2";
static const char sql_enforced[] =
    "SELECT c.slug FROM sso_connections c WHERE c.enabled = 1 AND c.enforce_sso = 1"
    " AND EXISTS (SELECT 1 FROM users u WHERE u.id = $1 AND u.superadmin = 0) AND ("
    "EXISTS (SELECT 1 FROM sso_identities i WHERE i.connection_id = c.id AND i.user_id = $1)"
    " OR EXISTS (SELECT 1 FROM sso_domains d JOIN emails e ON e.user_id = $1"
    " AND e.verified_at > 0 AND e.canonical LIKE '%@' || d.domain"
    " WHERE d.connection_id = c.id AND d.proven_at > 0))"
    " ORDER BY CASE WHEN EXISTS (SELECT 1 FROM sso_identities i WHERE i.connection_id = c.id"
    " AND i.user_id = $1) THEN 0 ELSE 1 END, c.slug LIMIT 1";
static const char sql_enforced_domain[] =
    "SELECT c.slug FROM sso_domains d JOIN sso_connections c ON c.id = d.connection_id"
    " WHERE d.domain = $1 AND d.proven_at > 0 AND c.enabled = 1 AND c.enforce_sso = 1";
static const char sql_discover[] =
    "SELECT c.slug FROM sso_domains d JOIN sso_connections c ON c.id = d.connection_id"
    " WHERE d.domain = $1 AND d.proven_at > 0 AND c.enabled = 1";
static const char sql_projects[] =
    "SELECT p.id FROM projects p JOIN memberships m ON m.project_id = p.id AND m.user_id = $1"
    " WHERE p.organization_id = $2 AND p.sso_max_age > 0 ORDER BY p.id";

#define TOUCH_MAX (1u << 20)

const char *sso_domain_of(const char *email, char out[EMAIL_MAX + 1])
{
	return email_canonical(email, out) ? strrchr(out, '@') + 1 : NULL;
}

int sso_freshness(struct tx *t, int64_t org, int64_t user, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_freshness, "ii", &r, user, org);

	if (n < 0)
		return n;
	n = rows_next(r);
	if (n < 0)
		return n;
	*ret = n ? row_int(r, 0) : 0;
	return 0;
}

/* 1 with the slug of the only row, or 0. */
static int slug_row(struct rows *r, char ret_slug[SLUG_MAX + 1])
{
	int n = rows_next(r);

	if (n > 0)
		row_copy(r, 0, ret_slug, SLUG_MAX + 1);
	return n;
}

int sso_enforced(struct tx *t, int64_t user, char ret_slug[SLUG_MAX + 1])
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_enforced, "i", &r, user);

	return n < 0 ? n : slug_row(r, ret_slug);
}

int sso_enforced_for(struct tx *t, const char *email, char ret_slug[SLUG_MAX + 1])
{
	_cleanup_rows_ struct rows *r = NULL;
	char canonical[EMAIL_MAX + 1];
	const char *domain = sso_domain_of(email, canonical);
	int n = domain ? tx_query(t, sql_enforced_domain, "s", &r, domain) : 0;

	return n < 0 || !domain ? n : slug_row(r, ret_slug);
}

int sso_required(struct act *a, const char *slug)
{
	return act_fail(a, API_SSO_REQUIRED,
	    "Your organization wants you to log in through \"%s\": %s/sso/%s/start", slug,
	    a->rq->central->config.url, slug);
}

int sso_discover(struct tx *t, const char *email, char ret_slug[SLUG_MAX + 1])
{
	_cleanup_rows_ struct rows *r = NULL;
	char canonical[EMAIL_MAX + 1];
	const char *domain = sso_domain_of(email, canonical);
	int n = domain ? tx_query(t, sql_discover, "s", &r, domain) : -ENOENT;

	if (n == 0)
		n = slug_row(r, ret_slug);
	return n > 0 ? 0 : n < 0 ? n : -ENOENT;
}

/* The ids first: touching writes what the query reads. */
static int projects_of(struct tx *t, int64_t org, int64_t user, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_projects, "ii", &r, user, org);

	return n < 0 ? n : rows_ids(r, out);
}

int sso_touch(struct tx *t, int64_t org, int64_t user)
{
	_cleanup_buf_ struct buf ids = BUF_INIT(TOUCH_MAX);
	int r = projects_of(t, org, user, &ids);

	for (size_t i = 0; r == 0 && i < ids.len; i += sizeof(int64_t)) {
		int64_t project;
		memcpy(&project, ids.data + i, sizeof(project));
		r = feed_touch_member(t, project, user);
	}
	return r;
}
