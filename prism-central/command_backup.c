/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"

int command_backup(int argc, char **argv, struct config *cfg)
{
	_cleanup_store_ struct store *s = NULL;

	if (argc != 2)
		return command_usage("backup FILE");
	const char *database = store_path(cfg->database);
	/* As whoever asks, so that the file can lie where only they may write; but never the one
	 * who creates a database. */
	if (database && access(database, R_OK | W_OK) < 0)
		return command_failed("%s: %s", database, strerror(errno));
	int r = store_open(cfg->database, &s);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, state_error(r));
	r = store_backup(s, argv[1]);
	if (r < 0)
		return command_failed("%s: %s", argv[1], strerror(-r));
	r = store_check(argv[1]);
	if (r < 0)
		return command_failed("%s: %s", argv[1], state_error(r));
	printf(
	    "The database is in %s. It does not hold the keys: keep %s, recovery.pub and tls.key "
	    "of %s with it.\n",
	    argv[1], cfg->signing_key[0] ? cfg->signing_key : "feed.key", cfg->state_dir);
	return EXIT_OK;
}
