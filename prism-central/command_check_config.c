/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "tls.h"

int command_check_config(int argc, char **argv, struct config *cfg)
{
	const char *const files[] = {cfg->tls_cert, cfg->tls_key, cfg->signing_key};
	char pin[TLS_PIN_SIZE];
	int bad = 0;

	if (argc != 1)
		return command_usage("check-config");
	if (!store_path(cfg->database))
		bad += command_failed(
		    "[database] url: %s", "the database's address must be sqlite:/PATH");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i][0] && access(files[i], R_OK) < 0)
			bad += command_failed("%s: %m", files[i]);
	if (strncmp(cfg->url, "https://", 8) != 0)
		fprintf(
		    stderr, "prism-central: [server] url: %s is good for tests only\n", cfg->url);
	if (bad)
		return EXIT_FAILED;
	printf("url = %s\nlisten = %s\nlisten_plain = %s\ndatabase = %s\n", cfg->url,
	    cfg->listen[0] ? cfg->listen : "none",
	    cfg->listen_plain[0] ? cfg->listen_plain : "none", cfg->database);
	if (tls_pin(cfg, false, pin) == 0 && *pin)
		printf("pin = %s\n", pin);
	return EXIT_OK;
}
