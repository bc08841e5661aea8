/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "secrets.h"
#include "tls.h"

static int check_files(const struct config *cfg)
{
	const char *const files[] = {cfg->tls_cert, cfg->tls_key, cfg->signing_key};
	int bad = 0;

	if (!store_path(cfg->database))
		bad += command_failed(
		    "[database] url: %s", "the database's address must be sqlite:/PATH");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i][0] && access(files[i], R_OK) < 0)
			bad += command_failed("%s: %m", files[i]);
	return bad;
}

/* Only where there is a database: it is not made, nor brought up to date, by looking at it. */
static int check_sealed(const struct config *cfg, const struct secrets *keys)
{
	const char *path = store_path(cfg->database);
	_cleanup_store_ struct store *s = NULL;
	char why[512];

	if (!path || access(path, F_OK) < 0)
		return 0;
	int r = state_become_owner(cfg);
	if (r == 0)
		r = store_open(cfg->database, &s);
	if (r == 0)
		r = migrate_pending(s);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, state_error(r));
	if (r == 0 && secrets_check(s, keys, why, sizeof(why)) < 0)
		return command_failed("%s", why);
	return 0;
}

static int check_secrets(const struct config *cfg)
{
	_cleanup_secrets_ struct secrets keys = {.keys = NULL};
	char why[512];

	if (secrets_open(cfg, &keys, why, sizeof(why)) < 0)
		return command_failed("%s", why);
	return check_sealed(cfg, &keys);
}

/* What works, but less than somebody may expect. */
static void warn(const struct config *cfg)
{
	if (strncmp(cfg->url, "https://", 8) != 0)
		fprintf(
		    stderr, "prism-central: [server] url: %s is good for tests only\n", cfg->url);
	if (access(cfg->saml_helper, X_OK) < 0)
		fprintf(stderr,
		    "prism-central: [sso] saml_helper: %s: %m. Nobody logs in by SAML: install the "
		    "package prism-saml\n",
		    cfg->saml_helper);
}

int command_check_config(int argc, char **argv, struct config *cfg)
{
	char pin[TLS_PIN_SIZE] = "";

	if (argc != 1)
		return command_usage("check-config");
	warn(cfg);
	int bad = check_files(cfg);
	/* Before the keys are looked at, which ends with the rights of the state folder's owner. */
	if (tls_pin(cfg, false, pin) < 0)
		pin[0] = '\0';
	bad += check_secrets(cfg);
	if (bad)
		return EXIT_FAILED;
	printf("url = %s\nlisten = %s\nlisten_plain = %s\ndatabase = %s\n", cfg->url,
	    cfg->listen[0] ? cfg->listen : "none",
	    cfg->listen_plain[0] ? cfg->listen_plain : "none", cfg->database);
	if (*pin)
		printf("pin = %s\n", pin);
	return EXIT_OK;
}
