/* SPDX-License-Identifier: MIT */
/*
 * A session of ours needs nothing that account did not settle: the home is ready and systemd-logind
 * opens the runtime folder. Whatever must refuse stands in account.c, because sshd goes on after a
 * failing open_session.
 */
#include <errno.h>
#include <security/pam_modules.h>
#include "account.h"
#include "options.h"

static int session_answer(pam_handle_t *pamh, int argc, const char **argv)
{
	const int saved = errno;
	const char *user = NULL;
	struct options o;
	int r = PAM_IGNORE;

	if (pam_get_user(pamh, &user, NULL) == PAM_SUCCESS && user) {
		options_parse(pamh, argc, argv, &o);
		if (account_ours(&o, user))
			r = PAM_SUCCESS;
	}
	errno = saved;
	return r;
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return session_answer(pamh, argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return session_answer(pamh, argc, argv);
}
