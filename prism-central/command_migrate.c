/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "command.h"

int command_migrate(int argc, char **argv, struct config *cfg)
{
	_cleanup_store_ struct store *s = NULL;

	if (argc != 1)
		return command_usage("migrate");
	if (state_open_store(cfg, &s) != 0)
		return EXIT_FAILED;
	puts("The database is up to date.");
	return EXIT_OK;
}
