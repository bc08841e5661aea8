/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <security/pam_ext.h>
#include "approval.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/name.h"
#include "conversation.h"
#include "home.h"
#include "local.h"
#include "person.h"

static const char TEXT_CLASH[] =
    "Your name means another account on this workstation than in Prism (the user ids differ), so "
    "it admits nobody by it; ask its administrator to look at \"prism-sync status\".";
static const char TEXT_OTHER[] =
    "This login was approved for another account; connect again, and tell this workstation's "
    "administrator if that repeats.";
static const char TEXT_NO_KEY[] =
    " You can also sign in while you connect, without your key: ssh -o PubkeyAuthentication=no.";
static const char TEXT_NOT_THAT[] =
    " What you have approved just now was not a sign-in of that kind.";

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

/* What one who is refused for want of a recent sign-in may do beside "prism login". */
static void add_advice(
    const struct options *o, const char *service, bool approved, struct finding *ret)
{
	const size_t n = strlen(ret->text);
	const char *advice = approved ? TEXT_NOT_THAT : TEXT_NO_KEY;

	if (approved || options_sso(o, service))
		snprintf(ret->text + n, sizeof(ret->text) - n, "%s", advice);
}

static void check_listed(const struct options *o, const char *service,
    const struct access_result *a, uid_t uid, bool approved, struct finding *ret)
{
	if (a->verdict == ACCESS_ALLOW && a->uid == uid) {
		finding_set(ret, PAM_SUCCESS, "");
		if (!options_listed(o->nohome, service) &&
		    !home_ready(o, a->name, a->uid, ret->text, sizeof(ret->text)))
			ret->code = PAM_AUTHINFO_UNAVAIL;
		return;
	}
	if (a->uid != 0 && a->uid != uid) {
		finding_set(ret, PAM_PERM_DENIED, TEXT_CLASH);
		return;
	}
	finding_set(
	    ret, (size_t)a->reason < ARRAY_SIZE(CODE) ? CODE[a->reason] : PAM_PERM_DENIED, "");
	if (ret->code == PAM_SUCCESS)
		ret->code = PAM_PERM_DENIED;
	access_explain(a, ret->text, sizeof(ret->text));
	if (a->reason == ACCESS_SSO_STALE)
		add_advice(o, service, approved, ret);
}

/* A name that Prism has no record of here, or one that the host itself has disowned. */
static bool not_ours(const struct access_result *a)
{
	return a->verdict == ACCESS_UNKNOWN || a->reason == ACCESS_REFUSED_LOCALLY;
}

/* Resolved, not local, not root. */
static void check_resolved(const struct options *o, const char *user, const char *service,
    uid_t uid, const struct agent_approval *approval, struct finding *ret)
{
	_cleanup_(snap_close) struct snap s = {0};
	const char *fresh[AGENT_PROJECTS_MAX + 1] = {NULL};
	struct access_result a;
	const int r = person_snapshot(o, &s);

	if (r < 0) {
		if (person_maybe_ours(o, uid, r))
			finding_set(ret, PAM_AUTHINFO_UNAVAIL, PERSON_UNREADABLE);
		return;
	}
	if (approval)
		approval_slugs(approval, fresh);
	access_decide_fresh(&s, user, service, clock_now(), fresh, &a);
	if (not_ours(&a) && !person_in_range(&s, uid))
		return;
	check_listed(o, service, &a, uid, approval, ret);
}

static void check_user(const struct options *o, const char *user, const char *service,
    const struct agent_approval *approval, struct finding *ret)
{
	uid_t uid = 0;
	int r;

	if (local_find(o->passwd, user) == 0)
		return;
	r = person_resolve(user, &uid);
	if (r == -ENOENT)
		finding_set(ret, PAM_USER_UNKNOWN, "");
	else if (r < 0)
		finding_set(ret, PAM_AUTHINFO_UNAVAIL, PERSON_UNRESOLVED);
	else if (approval && approval->uid != uid)
		finding_set(ret, PAM_PERM_DENIED, TEXT_OTHER);
	else if (uid != 0)
		check_resolved(o, user, service, uid, approval, ret);
}

/*
 * Behind an approval nobody is ignored: the other modules would admit whoever has become local, or
 * another directory's, or has been exchanged for somebody else, on the word that was given for one
 * of ours.
 */
void account_check(const struct options *o, const char *user, const char *service,
    const struct agent_approval *approval, struct finding *ret)
{
	finding_set(ret, PAM_IGNORE, "");
	if (!approval || strcmp(approval->user, user) == 0)
		check_user(o, user, service, approval, ret);
	if (approval && ret->code == PAM_IGNORE)
		finding_set(ret, PAM_PERM_DENIED, TEXT_OTHER);
}

bool account_ours(const struct options *o, const char *user)
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	if (local_find(o->passwd, user) == 0)
		return false;
	if (person_snapshot(o, &s) < 0)
		return false;
	access_decide(&s, user, "", clock_now(), &a);
	return a.verdict != ACCESS_UNKNOWN;
}

/*
 * PAM_SILENT is not heeded for a refusal: sudo always sets it, and the sentence is all that tells
 * a person why, and whom to ask.
 */
static void refuse(pam_handle_t *pamh, const char *user, const struct finding *f)
{
	const char *shown = username_valid(user) ? user : "(not a valid name)";

	if (!f->text[0])
		return;
	pam_syslog(pamh, LOG_NOTICE, "refused %s: %s", shown, f->text);
	conversation_refuse(pamh, f->text);
}

static int account_answer(pam_handle_t *pamh, int argc, const char **argv)
{
	struct finding f;
	struct options o;
	const char *user = NULL;
	const void *service = NULL;

	if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || !user || !user[0])
		return PAM_USER_UNKNOWN;
	if (pam_get_item(pamh, PAM_SERVICE, &service) != PAM_SUCCESS || !service)
		service = "";
	options_parse(pamh, argc, argv, &o);
	account_check(&o, user, service, approval_get(pamh), &f);
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
