/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <security/pam_ext.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/name.h"
#include "conversation.h"
#include "home.h"
#include "local.h"

#define ENTRY_FIRST 4096
#define ENTRY_MAX   (256 * 1024)

static const char TEXT_CLASH[] =
    "Your name means another account on this workstation than in Prism (the user ids differ), so "
    "it admits nobody by it; ask its administrator to look at \"prism-sync status\".";
static const char TEXT_UNREADABLE[] =
    "This workstation cannot read its list of members, so it admits none of them; ask its "
    "administrator to look at \"prism-sync status\".";
static const char TEXT_UNRESOLVED[] =
    "This workstation cannot look up your account; try again in a minute, then ask its "
    "administrator.";

/* An end is an expiry to PAM, anything else a refusal. */
static const int CODE[] = {
    [ACCESS_OK] = PAM_SUCCESS,
    [ACCESS_NOT_LISTED] = PAM_PERM_DENIED,
    [ACCESS_BAD_RECORD] = PAM_PERM_DENIED,
    [ACCESS_STALE] = PAM_PERM_DENIED,
    [ACCESS_USER_SUSPENDED] = PAM_PERM_DENIED,
    [ACCESS_USER_ENDED] = PAM_ACCT_EXPIRED,
    [ACCESS_REFUSED_LOCALLY] = PAM_PERM_DENIED,
    [ACCESS_SUSPENDED] = PAM_PERM_DENIED,
    [ACCESS_ENDED] = PAM_ACCT_EXPIRED,
    [ACCESS_EXPIRED] = PAM_ACCT_EXPIRED,
    [ACCESS_PROJECT_INACTIVE] = PAM_PERM_DENIED,
    [ACCESS_NO_LOGIN] = PAM_PERM_DENIED,
    [ACCESS_SSO_STALE] = PAM_PERM_DENIED,
};

static void find(struct account_finding *ret, int code, const char *text)
{
	ret->code = code;
	snprintf(ret->text, sizeof(ret->text), "%s", text);
}

/* The uid that the system gives the name. 0, -ENOENT, or -errno if nobody could say. */
static int resolve(const char *user, uid_t *ret_uid)
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

static bool in_range_of(const struct snap *s, uid_t uid)
{
	struct snap_meta meta;

	snap_meta(s, &meta);
	return id_allowed(uid, meta.uid_first, meta.uid_last);
}

/*
 * Without access.v1.snap the ranges come from the file that NSS has the uid from, and the default
 * ones count too: when in doubt the uid is Prism's, and refused. Where neither file exists, this
 * workstation has not joined a service yet, or has left it: then NSS cannot have the uid from
 * Prism, and another directory's people must not be locked out by a package that was only
 * installed.
 */
static bool maybe_ours(const struct options *o, uid_t uid, int access_error)
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
	return r == 0 && in_range_of(&s, uid);
}

static void check_listed(const struct options *o, const char *service,
    const struct access_result *a, uid_t uid, struct account_finding *ret)
{
	if (a->verdict == ACCESS_ALLOW && a->uid == uid) {
		find(ret, PAM_SUCCESS, "");
		if (!options_listed(o->nohome, service) &&
		    !home_ready(o, a->name, a->uid, ret->text, sizeof(ret->text)))
			ret->code = PAM_AUTHINFO_UNAVAIL;
		return;
	}
	if (a->uid != 0 && a->uid != uid) {
		find(ret, PAM_PERM_DENIED, TEXT_CLASH);
		return;
	}
	find(ret, (size_t)a->reason < ARRAY_SIZE(CODE) ? CODE[a->reason] : PAM_PERM_DENIED, "");
	if (ret->code == PAM_SUCCESS)
		ret->code = PAM_PERM_DENIED;
	access_explain(a, ret->text, sizeof(ret->text));
}

/* A name that Prism has no record of here, or one that the host itself has disowned. */
static bool not_ours(const struct access_result *a)
{
	return a->verdict == ACCESS_UNKNOWN || a->reason == ACCESS_REFUSED_LOCALLY;
}

/* Resolved, not local, not root. */
static void check_resolved(const struct options *o, const char *user, const char *service,
    uid_t uid, struct account_finding *ret)
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;
	const int r = open_snapshot(o, SNAPSHOT_ACCESS, SNAP_ACCESS, &s);

	if (r < 0) {
		if (maybe_ours(o, uid, r))
			find(ret, PAM_AUTHINFO_UNAVAIL, TEXT_UNREADABLE);
		return;
	}
	access_decide(&s, user, service, clock_now(), &a);
	if (not_ours(&a) && !in_range_of(&s, uid))
		return;
	check_listed(o, service, &a, uid, ret);
}

void account_check(
    const struct options *o, const char *user, const char *service, struct account_finding *ret)
{
	uid_t uid = 0;
	int r;

	find(ret, PAM_IGNORE, "");
	if (local_find(o->passwd, user) == 0)
		return;
	r = resolve(user, &uid);
	if (r == -ENOENT)
		find(ret, PAM_USER_UNKNOWN, "");
	else if (r < 0)
		find(ret, PAM_AUTHINFO_UNAVAIL, TEXT_UNRESOLVED);
	else if (uid != 0)
		check_resolved(o, user, service, uid, ret);
}

bool account_ours(const struct options *o, const char *user)
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	if (local_find(o->passwd, user) == 0)
		return false;
	if (open_snapshot(o, SNAPSHOT_ACCESS, SNAP_ACCESS, &s) < 0)
		return false;
	access_decide(&s, user, "", clock_now(), &a);
	return a.verdict != ACCESS_UNKNOWN;
}

/*
 * PAM_SILENT is not heeded for a refusal: sudo always sets it, and the sentence is all that tells
 * a person why, and whom to ask.
 */
static void refuse(pam_handle_t *pamh, const char *user, const struct account_finding *f)
{
	const char *shown = username_valid(user) ? user : "(not a valid name)";

	if (!f->text[0])
		return;
	pam_syslog(pamh, LOG_NOTICE, "refused %s: %s", shown, f->text);
	conversation_refuse(pamh, f->text);
}

static int account_answer(pam_handle_t *pamh, int argc, const char **argv)
{
	struct account_finding f;
	struct options o;
	const char *user = NULL;
	const void *service = NULL;

	if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || !user || !user[0])
		return PAM_USER_UNKNOWN;
	if (pam_get_item(pamh, PAM_SERVICE, &service) != PAM_SUCCESS || !service)
		service = "";
	options_parse(pamh, argc, argv, &o);
	account_check(&o, user, service, &f);
	if (f.code != PAM_SUCCESS && f.code != PAM_IGNORE)
		refuse(pamh, user, &f);
	return f.code;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const int saved = errno;
	const int code = account_answer(pamh, argc, argv);

	errno = saved;
	return code;
}
