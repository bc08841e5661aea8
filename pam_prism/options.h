/* SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H

/* The module's arguments in a PAM configuration file. Nothing is ever taken from the environment.
 */
#include <stdbool.h>
#include <security/pam_modules.h>

#define OPTION_HOME_TIMEOUT_MAX	 10000 /* ms: no configuration makes a login wait longer */
#define OPTION_LOGIN_TIMEOUT_MAX 110   /* s: under sshd's LoginGraceTime, which is 120 */

enum option_qr {
	QR_AUTO, /* for sshd, whose protocol is UTF-8; what other terminals can show is unknown */
	QR_YES,
	QR_NO,
};

struct options {
	const char *dir;	  /* of the snapshots */
	const char *socket;	  /* of the agent */
	const char *ready;	  /* the agent's memory of ready homes, AGENT_READY_DIR */
	const char *passwd;	  /* who is listed here is local */
	const char *nohome;	  /* services that need no home, separated by commas */
	int home_timeout;	  /* ms */
	const char *sso_services; /* where auth asks for a login through SSO */
	int login_timeout;	  /* s: how long that may take */
	enum option_qr qr;
};

/*
 * The defaults, changed by the arguments. One that is unknown or has a bad value is logged and
 * otherwise as if it were absent. The strings point into argv.
 */
void options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret);

/* Whether "service" is named in the comma-separated list. */
bool options_listed(const char *list, const char *service);

/*
 * Whether auth asks for a login through SSO here. It never does where nobody can be asked: cron,
 * atd and their like, whatever the list says.
 */
bool options_sso(const struct options *o, const char *service);

bool options_qr(const struct options *o, const char *service);

#endif
