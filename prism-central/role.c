/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "role.h"
#include "snapshot/snapshot.h"

static const char sql_permissions[] = "SELECT permission FROM role_permissions WHERE role_id = $1";
/* An organization's own role of the same name stands before the built-in one. */
static const char sql_find[] =
    "SELECT id, rank, slug FROM roles WHERE scope = 'project' AND slug = $2"
    " AND (organization_id = $1 OR organization_id IS NULL)"
    " ORDER BY COALESCE(organization_id, 0) DESC LIMIT 1";

bool permission_covers(const char *granted, const char *wanted)
{
	size_t n = strlen(granted);
	if (n == 1 && granted[0] == '*')
		return true;
	if (n > 2 && granted[n - 1] == '*' && granted[n - 2] == ':')
		return !strncmp(granted, wanted, n - 1) && wanted[n - 1];
	return !strcmp(granted, wanted);
}

/* One part between colons: the length of its letters. */
static size_t part_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz-_");
}

bool permission_valid(const char *s, bool wild)
{
	if (wild && !strcmp(s, "*"))
		return true;
	for (int parts = 1; parts <= 3; parts++) {
		size_t n = part_length(s);
		if (wild && parts > 1 && !strcmp(s, "*"))
			return true;
		if (!n)
			return false;
		if (!s[n])
			return parts > 1;
		if (s[n] != ':')
			return false;
		s += n + 1;
	}
	return false;
}

int role_allows(struct tx *t, int64_t role, const char *permission)
{
	_cleanup_rows_ struct rows *r = NULL;
	int ret = tx_query(t, sql_permissions, "i", &r, role);
	if (ret < 0)
		return ret;
	while ((ret = rows_next(r)) > 0) {
		const char *granted = row_text(r, 0);
		if (granted && permission_covers(granted, permission))
			return 1;
	}
	return ret;
}

int role_host_perms(struct tx *t, int64_t role, uint32_t *ret)
{
	static const struct {
		const char *permission;
		uint32_t bit;
	} table[] = {
	    {"hosts:login", SNAP_PERM_LOGIN},
	    {"hosts:sudo", SNAP_PERM_SUDO},
	    {"hosts:data:write", SNAP_PERM_WRITE},
	};
	uint32_t perms = 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int r = role_allows(t, role, table[i].permission);
		if (r < 0)
			return r;
		if (r)
			perms |= table[i].bit;
	}
	*ret = perms;
	return 0;
}

int role_find(struct tx *t, int64_t org, const char *slug, struct role *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_find, "is", &r, org, slug);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	ret->id = row_int(r, 0);
	ret->rank = (int)row_int(r, 1);
	snprintf(ret->slug, sizeof(ret->slug), "%s", row_text(r, 2));
	return 0;
}
