/* SPDX-License-Identifier: MIT */
#include "auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_ext.h>
#include "access/access.h"
#include "approval.h"
#include "base/attr.h"
#include "base/clock.h"
#include "conversation.h"
#include "local.h"
#include "login.h"
#include "person.h"
#include "prompt.h"

#define TRIES 2 /* to press Enter without typing anything */

static const char TEXT_DAMAGED[] =
    "Your entry on this workstation is damaged and admits nobody; ask its administrator to run "
    "\"prism-sync sync\".";
static const char TEXT_TYPED[] =
    "The login was given up because something was typed; connect again, approve in the browser, "
    "then press Enter alone.";
static const char TEXT_CHANGED[] =
    "The approval was not for the account that asked for it; connect again, and tell this "
    "workstation's administrator if that repeats.";

/* One call of pam_sm_authenticate(). The name is a copy: PAM's own may change under us. */
struct attempt {
	pam_handle_t *pamh;
	struct options o;
	char user[sizeof(((struct agent_approval *)0)->user)];
	const char *service, *origin;
	uint32_t uid;
};

static const char *item(const pam_handle_t *pamh, int which)
{
	const void *p = NULL;

	return pam_get_item(pamh, which, &p) == PAM_SUCCESS && p ? p : "";
}

static void judge_record(const struct snap *s, const char *user, uid_t uid, struct finding *ret)
{
	struct access_result a;

	access_decide(s, user, "", clock_now(), &a);
	if (a.verdict == ACCESS_UNKNOWN || a.reason == ACCESS_REFUSED_LOCALLY)
		return;
	if (a.reason == ACCESS_BAD_RECORD && person_in_range(s, uid))
		finding_set(ret, PAM_AUTHINFO_UNAVAIL, TEXT_DAMAGED);
	else if (a.uid == uid)
		finding_set(ret, PAM_SUCCESS, "");
}

void auth_find(const struct options *o, const char *user, uint32_t *ret_uid, struct finding *ret)
{
	_cleanup_(snap_close) struct snap s = {0};
	uid_t uid = 0;
	int r;

	finding_set(ret, PAM_IGNORE, "");
	if (local_find(o->passwd, user) == 0 || person_resolve(user, &uid) < 0 || uid == 0)
		return;
	r = person_snapshot(o, &s);
	if (r == 0)
		judge_record(&s, user, uid, ret);
	else if (person_maybe_ours(o, uid, r))
		finding_set(ret, PAM_AUTHINFO_UNAVAIL, PERSON_UNREADABLE);
	if (ret->code == PAM_SUCCESS)
		*ret_uid = uid;
}

/* Until Enter alone is pressed. The password method of sshd answers every prompt with a password.
 */
static int ask(const struct attempt *a, const struct login *l)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PROMPT_MAX);
	char host[65] = "";
	bool typed = true;

	gethostname(host, sizeof(host) - 1);
	prompt_show(
	    &l->shown, a->user, host, options_qr(&a->o, a->service), a->o.login_timeout, &text);
	for (int i = 0; typed && i < TRIES; i++) {
		int r;

		if (i > 0) {
			buf_clear(&text);
			prompt_again(&l->shown, &text);
		}
		if (buf_error(&text) < 0)
			return PAM_BUF_ERR;
		r = conversation_ask(a->pamh, buf_str(&text), &typed);
		if (r != PAM_SUCCESS)
			return PAM_CONV_ERR;
	}
	return typed ? PAM_AUTH_ERR : PAM_SUCCESS;
}

/* Nothing may have changed since the login was begun, and the approval must be for just that. */
static bool is_theirs(const struct attempt *a, uint32_t uid_now, const struct agent_approval *p)
{
	return strcmp(item(a->pamh, PAM_USER), a->user) == 0 && strcmp(p->user, a->user) == 0 &&
	       uid_now == a->uid && p->uid == a->uid;
}

static void conclude(const struct attempt *a, const struct agent_approval *p, struct finding *ret)
{
	uint32_t uid = 0;

	auth_find(&a->o, a->user, &uid, ret);
	if (ret->code != PAM_SUCCESS && ret->code != PAM_IGNORE)
		return;
	if (ret->code == PAM_IGNORE || !is_theirs(a, uid, p)) {
		pam_syslog(a->pamh, LOG_ALERT,
		    "a login for %s (uid %u) came back approved for %s (uid %u), or the user "
		    "changed meanwhile",
		    a->user, a->uid, p->user, p->uid);
		finding_set(ret, PAM_AUTH_ERR, TEXT_CHANGED);
		return;
	}
	ret->code = approval_keep(a->pamh, p);
	if (ret->code == PAM_SUCCESS)
		pam_syslog(a->pamh, LOG_INFO, "%s signed in, approved in a browser", a->user);
}

static void sign_in(const struct attempt *a, struct finding *ret)
{
	_cleanup_(login_end) struct login l = LOGIN_INIT;
	struct agent_approval approval;

	login_begin(&l, &a->o, a->user, a->service, a->origin, ret);
	if (ret->code != PAM_SUCCESS)
		return;
	finding_set(ret, ask(a, &l), "");
	if (ret->code == PAM_AUTH_ERR)
		finding_set(ret, PAM_AUTH_ERR, TEXT_TYPED);
	if (ret->code == PAM_SUCCESS)
		login_wait(&l, &approval, ret);
	if (ret->code == PAM_SUCCESS)
		conclude(a, &approval, ret);
}

/*
 * The service is looked at first: asking for the name may make the other services' programs show
 * a prompt. PAM_SILENT is not heeded: the prompt and the reason are all that the person gets.
 */
static int authenticate(pam_handle_t *pamh, int argc, const char **argv)
{
	struct attempt a = {.pamh = pamh};
	const char *user = NULL;
	struct finding f;

	approval_forget(pamh);
	options_parse(pamh, argc, argv, &a.o);
	a.service = item(pamh, PAM_SERVICE);
	a.origin = item(pamh, PAM_RHOST);
	if (!options_sso(&a.o, a.service))
		return PAM_IGNORE;
	if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || !user ||
	    strlen(user) >= sizeof(a.user))
		return PAM_IGNORE;
	snprintf(a.user, sizeof(a.user), "%s", user);
	auth_find(&a.o, a.user, &a.uid, &f);
	if (f.code == PAM_SUCCESS)
		sign_in(&a, &f);
	if (f.text[0]) {
		pam_syslog(pamh, LOG_NOTICE, "sign-in of %s: %s", a.user, f.text);
		conversation_refuse(pamh, f.text);
	}
	return f.code;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const int saved = errno;
	const int code = authenticate(pamh, argc, argv);

	errno = saved;
	return code;
}

/* There are no credentials to set: the other modules of the stack decide. */
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return PAM_IGNORE;
}
