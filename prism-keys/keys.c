/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <errno.h>
#include <limits.h>
#include "access/access.h"
#include "base/attr.h"
#include "base/name.h"
#include "snapshot/snapshot.h"

/* Opens nothing: no shell, no subsystem, no forwarding, no terminal. See sshd(8), "restrict". */
#define BARRED "restrict,command=\"/bin/false\" "

/* How the keys are shown: "" as they are, BARRED, or NULL for not at all. */
static const char *key_options(const struct access_result *a)
{
	if (a->verdict == ACCESS_ALLOW)
		return "";
	if (a->verdict != ACCESS_DENY)
		return NULL;
	switch (a->reason) {
	case ACCESS_SSO_STALE:
		return "";
	case ACCESS_STALE:
	case ACCESS_USER_SUSPENDED:
	case ACCESS_USER_ENDED:
	case ACCESS_SUSPENDED:
	case ACCESS_ENDED:
	case ACCESS_EXPIRED:
	case ACCESS_PROJECT_INACTIVE:
	case ACCESS_NO_LOGIN:
		return BARRED;
	default:
		return NULL;
	}
}

/* One pass to check, one to print: a damaged record prints nothing, not half of it. */
static int print_all(
    const struct snap *s, const struct snap_subject *u, const char *options, int64_t now, FILE *out)
{
	int count = 0;

	for (uint32_t i = 0; i < u->nkeys; i++) {
		struct snap_key k;

		if (snap_subject_key(s, u, i, &k) < 0)
			return -EBADMSG;
		if ((k.not_after != 0 && now >= k.not_after) || !sshkey_line_valid(k.line))
			continue;
		count++;
		if (out)
			fprintf(out, "%s%s\n", options, k.line);
	}
	return count;
}

static int print_subject(
    const struct snap *s, const char *user, const char *options, int64_t now, FILE *out)
{
	struct snap_subject u;
	struct snap_meta meta;
	int n = snap_subject_by_name(s, user, &u);

	if (n < 0)
		return n;
	snap_meta(s, &meta);
	if (now < meta.issued_at)
		now = meta.issued_at;
	n = print_all(s, &u, options, now, NULL);
	if (n > 0)
		print_all(s, &u, options, now, out);
	if (fflush(out) != 0 || ferror(out))
		return -EIO;
	return n;
}

int keys_print(const char *dir, const char *user, uint32_t uid, int64_t now, FILE *out)
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_KEYS);

	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = snap_open(path, SNAP_KEYS, SNAP_ROOT_OWNED, &s);
	if (r < 0)
		return r;
	access_decide(&s, user, "sshd", now, &a);
	if (a.verdict == ACCESS_DENY && a.reason == ACCESS_BAD_RECORD)
		return -EBADMSG;
	const char *options = key_options(&a);

	if (!options)
		return 0;
	return a.uid == uid ? print_subject(&s, user, options, now, out) : -ENOTUNIQ;
}
