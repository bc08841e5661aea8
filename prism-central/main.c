/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "command.h"

#define CONFIG_FILE "/etc/prism/central.conf"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv, struct config *cfg);
	bool configured;
	const char *summary;
} commands[] = {
    {"serve", command_serve, true, "run the service (the default)"},
    {"bootstrap", command_bootstrap, true, "make the first superadmin"},
    {"password", command_password, true, "set a person's password anew"},
    {"backup", command_backup, true, "copy the database, while the service runs"},
    {"restore", command_restore, true, "put a backup in the database's place"},
    {"audit", command_audit, true, "verify: check the chain of audit events"},
    {"feed-key", command_feed_key, true, "status, next, switch: the key that signs the feed"},
    {"secrets", command_secrets, true, "status, new-key, rotate: the keys of stored secrets"},
    {"migrate", command_migrate, true, "bring the database's schema up to date"},
    {"check-config", command_check_config, true, "read the configuration and say what is wrong"},
    {"version", command_version, false, "print the version"},
};

int command_version(int argc, char **argv, struct config *cfg)
{
	puts("prism-central " PRISM_VERSION);
	return EXIT_OK;
}

static void help(FILE *out)
{
	fputs("usage: prism-central [-c FILE] [COMMAND [ARGUMENT ...]]\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
	fputs("\n  -c FILE        configuration, instead of " CONFIG_FILE "\n", out);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int run(const struct command *c, int argc, char **argv, const char *file)
{
	struct config cfg;
	char why[512];

	config_defaults(&cfg);
	if (c->configured && config_load(file, &cfg, why, sizeof(why)) < 0)
		return command_failed("%s", why);
	log_init("prism-central", cfg.log_level);
	return c->run(argc, argv, &cfg);
}

int main(int argc, char **argv)
{
	static char serve[] = "serve";
	static const struct option longs[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	char *serve_argv[] = {serve, NULL};
	const char *file = CONFIG_FILE;

	for (int k; (k = getopt_long(argc, argv, "+c:hV", longs, NULL)) != -1;) {
		switch (k) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			help(stdout);
			return EXIT_OK;
		case 'V':
			return command_version(0, NULL, NULL);
		default:
			help(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return run(&commands[0], 1, serve_argv, file);
	if (strcmp(argv[optind], "help") == 0) {
		help(stdout);
		return EXIT_OK;
	}
	const struct command *c = find(argv[optind]);
	if (!c) {
		command_failed("there is no command %s", argv[optind]);
		help(stderr);
		return EXIT_USAGE;
	}
	return run(c, argc - optind, argv + optind, file);
}
