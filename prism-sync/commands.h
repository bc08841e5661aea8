/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

/* The commands of prism-sync: each takes its own arguments (argv[0] is its name), returns an exit
 * status: 0 done, 1 failed (said why), 2 wrong usage, 78 not enrolled or wrong configuration. */
#include <stdbool.h>
#include "paths.h"

struct globals {
	const char *root; /* --root DIR, or NULL */
	bool no_drop;	  /* --no-drop */
	struct paths paths;
};

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

int command_enroll(const struct globals *g, int argc, char **argv);
int command_run(const struct globals *g, int argc, char **argv);
int command_status(const struct globals *g, int argc, char **argv);
int command_release(const struct globals *g, int argc, char **argv);
int command_sync(const struct globals *g, int argc, char **argv);
int command_check_config(const struct globals *g, int argc, char **argv);
int command_version(const struct globals *g, int argc, char **argv);

#endif
