/* SPDX-License-Identifier: MIT */
/*
 * This module vouches for nobody: it knows no password and no key. PAM_IGNORE leaves the answer to
 * the other modules of the stack, and a stack of this module alone authenticates nobody.
 */
#include <security/pam_modules.h>

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return PAM_IGNORE;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return PAM_IGNORE;
}
