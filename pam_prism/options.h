/* SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H

/* The module's arguments in a PAM configuration file. Nothing is ever taken from the environment.
 */
#include <stdbool.h>
#include <security/pam_modules.h>

#define OPTION_HOME_TIMEOUT_MAX 10000 /* ms: no configuration makes a login wait longer */

struct options {
	const char *dir;    /* of the snapshots */
	const char *socket; /* of the agent */
	const char *ready;  /* the agent's memory of ready homes, AGENT_READY_DIR */
	const char *passwd; /* who is listed here is local */
	const char *nohome; /* services that need no home, separated by commas */
	int home_timeout;   /* ms */
};

/*
 * The defaults, changed by the arguments. One that is unknown or has a bad value is logged and
 * otherwise as if it were absent. The strings point into argv.
 */
void options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret);

/* Whether "service" is named in the comma-separated list. */
bool options_listed(const char *list, const char *service);

#endif
