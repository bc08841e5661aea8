/* SPDX-License-Identifier: MIT */

/*
 * The role that a first login gives in the organization. Threat model: a connection outlives the
 * rank of whoever made it. It MUST NOT give what that person could not give now, and it goes on to
 * let people in, as members.
 */
#include <errno.h>
#include <string.h>
#include "sso_internal.h"

#define MANAGE "orgs:sso:manage" /* what the routes that set it ask for */

static const char sql_answers[] =
    "SELECT u.superadmin, COALESCE(m.role_id, 0), COALESCE(r.rank, 0) FROM sso_connections c"
    " JOIN users u ON u.id = COALESCE(NULLIF(c.roles_by, 0), c.created_by)"
    " AND u.state = 'active'"
    " LEFT JOIN organization_members m ON m.organization_id = c.organization_id"
    " AND m.user_id = u.id LEFT JOIN roles r ON r.id = m.role_id WHERE c.id = $1";
/* The built-in one, whatever an organization calls its own. */
static const char sql_least[] =
    "SELECT id FROM roles WHERE scope = 'organization' AND organization_id IS NULL"
    " AND slug = 'member'";

/* The rank up to which whoever answers for the connection could give roles now; 0: none. */
static int rank_of(struct tx *t, int64_t connection, int *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_answers, "i", &r, connection);

	if (n == 0)
		n = rows_next(r);
	if (n <= 0) {
		*ret = n < 0 ? *ret : 0;
		return n;
	}
	if (row_int(r, 0)) {
		*ret = RANK_SUPERADMIN;
		return 0;
	}
	int rank = (int)row_int(r, 2);
	n = row_int(r, 1) ? role_allows(t, row_int(r, 1), MANAGE) : 0;
	if (n < 0)
		return n;
	*ret = n ? rank : 0;
	return 0;
}

static int least(struct tx *t, struct role *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_least, "", &r);

	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	int64_t id = row_int(r, 0);
	return sso_role_by_id(t, id, ret);
}

/* The mapped claim chooses among the roles that the connection allows. */
static int chosen(
    struct tx *t, const struct sso_connection *c, const char *claimed, struct role *ret)
{
	const json_t *slug;
	size_t i;

	json_array_foreach(c->allowed_roles, i, slug)
	{
		const char *allowed = json_string_value(slug);
		if (!claimed[0] || !allowed || strcmp(allowed, claimed) != 0)
			continue;
		int r = sso_role_find(t, c->org, allowed, ret);
		if (r != -ENOENT)
			return r;
	}
	return sso_role_by_id(t, c->default_role, ret);
}

int sso_role_given(struct tx *t, const struct sso_connection *c, const char *claimed,
    struct role *ret, struct role *ret_withheld)
{
	struct role role, member;
	int rank = 0;
	int r = chosen(t, c, claimed, &role);

	if (r == 0)
		r = least(t, &member);
	if (r == 0 && role.id != member.id)
		r = rank_of(t, c->id, &rank);
	if (r < 0)
		return r;
	bool may = role.id == member.id || role.rank <= rank;
	*ret_withheld = may ? (struct role){.id = 0} : role;
	*ret = may ? role : member;
	return 0;
}
