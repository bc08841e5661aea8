/* SPDX-License-Identifier: MIT */
#include "person.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include "base/attr.h"
#include "base/name.h"

#define ENTRY_FIRST 4096
#define ENTRY_MAX   (256 * 1024)

const char PERSON_UNREADABLE[] =
    "This workstation cannot read its list of members, so it admits none of them; ask its "
    "administrator to look at \"prism-sync status\".";
const char PERSON_UNRESOLVED[] =
    "This workstation cannot look up your account; try again in a minute, then ask its "
    "administrator.";

int person_resolve(const char *user, uid_t *ret_uid)
{
	for (size_t size = ENTRY_FIRST; size <= ENTRY_MAX; size *= 4) {
		_cleanup_free_ char *buf = malloc(size);
		struct passwd pw, *found = NULL;
		int r;

		if (!buf)
			return -ENOMEM;
		r = getpwnam_r(user, &pw, buf, size, &found);
		if (found) {
			*ret_uid = pw.pw_uid;
			return 0;
		}
		if (r == 0 || r == ENOENT || r == ESRCH)
			return -ENOENT;
		if (r != ERANGE)
			return -r;
	}
	return -ERANGE;
}

static int open_snapshot(
    const struct options *o, const char *name, enum snap_kind kind, struct snap *ret)
{
	char path[PATH_MAX];
	const int n = snprintf(path, sizeof(path), "%s/%s", o->dir, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return snap_open(path, kind, SNAP_ROOT_OWNED, ret);
}

int person_snapshot(const struct options *o, struct snap *ret)
{
	return open_snapshot(o, SNAPSHOT_ACCESS, SNAP_ACCESS, ret);
}

bool person_in_range(const struct snap *s, uid_t uid)
{
	struct snap_meta meta;

	snap_meta(s, &meta);
	return id_allowed(uid, meta.uid_first, meta.uid_last);
}

bool person_maybe_ours(const struct options *o, uid_t uid, int access_error)
{
	_cleanup_(snap_close) struct snap s = {0};
	const int r = open_snapshot(o, SNAPSHOT_IDENTITY, SNAP_IDENTITY, &s);

	if (r == -ENOENT && access_error == -ENOENT)
		return false;
	if (id_allowed(uid, UID_FIRST, UID_LAST))
		return true;
	/* Limits are inherited: whoever starts us may have left us no memory and no descriptors. */
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return true;
	return r == 0 && person_in_range(&s, uid);
}
