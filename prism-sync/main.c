/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/attr.h"
#include "base/log.h"
#include "commands.h"
#include "config.h"
#include "daemon.h"

static const struct {
	const char *name;
	int (*run)(const struct globals *g, int argc, char **argv);
	const char *arguments, *summary;
} commands[] = {
    {"enroll", command_enroll, "--token TOKEN [--name NAME] [--ca-file FILE] [--force]",
	"join the central service"},
    {"run", command_run, "", "the agent itself, in the foreground"},
    {"status", command_status, "[--json]", "what the running agent holds and sees"},
    {"sync", command_sync, "", "ask the central service now, and wait for it"},
    {"release", command_release, "NAME | --all", "let go of people whom the shrink guard holds"},
    {"check-config", command_check_config, "", "read prism.conf and say what is wrong"},
    {"version", command_version, "", "print the version"},
};

static int usage(FILE *to)
{
	fprintf(to, "usage: prism-sync [--root DIR] [--no-drop] COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *arguments = commands[i].arguments;

		if (strlen(arguments) > 30) {
			fprintf(to, "  %-12s %s\n  %-12s %-30s %s\n", commands[i].name, arguments,
			    "", "", commands[i].summary);
			continue;
		}
		fprintf(to, "  %-12s %-30s %s\n", commands[i].name, arguments, commands[i].summary);
	}
	fprintf(to, "\nThe manual is prism-sync(8); the configuration is in prism.conf(5).\n");
	return to == stdout ? 0 : EXIT_USAGE;
}

static int no_arguments(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	fprintf(stderr, "prism-sync %s takes no argument \"%s\"\n", argv[0], argv[1]);
	return EXIT_USAGE;
}

int command_run(const struct globals *g, int argc, char **argv)
{
	struct run_options o = {.root = g->root, .no_drop = g->no_drop};

	return no_arguments(argc, argv) ? EXIT_USAGE : daemon_run(&o);
}

/* The network half reads it, as the user prism-sync. */
static bool ca_file_usable(const char *path)
{
	struct stat st;

	if (path[0] == '\0')
		return true;
	if (stat(path, &st) < 0) {
		fprintf(stderr, "ca_file: %s: %s\n", path, strerror(errno));
		return false;
	}
	if (!(st.st_mode & S_IROTH))
		fprintf(stderr,
		    "ca_file: the user prism-sync must be able to read %s (chmod 644)\n", path);
	return st.st_mode & S_IROTH;
}

int command_check_config(const struct globals *g, int argc, char **argv)
{
	char why[CONFIG_WHY_MAX];
	struct config c;

	if (no_arguments(argc, argv))
		return EXIT_USAGE;
	if (config_load(g->paths.conf, &c, why) < 0) {
		fprintf(stderr, "%s\n", why);
		return EXIT_CONFIG;
	}
	if (!ca_file_usable(c.ca_file))
		return EXIT_CONFIG;
	printf("%s: ok\n", g->paths.conf);
	return 0;
}

int command_version(const struct globals *g, int argc, char **argv)
{
	if (no_arguments(argc, argv))
		return EXIT_USAGE;
	printf("prism-sync " PRISM_VERSION "\n");
	return 0;
}

/* The options in front of the command. Returns the index of the command, or -1. */
static int read_globals(int argc, char **argv, struct globals *g)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-drop") == 0)
			g->no_drop = true;
		else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
			g->root = argv[++i];
		else
			return argv[i][0] == '-' ? -1 : i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct globals g = {.root = NULL};
	int at = read_globals(argc, argv, &g);

	if (argc > 1 &&
	    (strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0))
		return usage(stdout);
	if (at < 0)
		return usage(stderr);
	if (paths_init(&g.paths, g.root) < 0) {
		fprintf(stderr, "--root: the path is too long\n");
		return EXIT_USAGE;
	}
	log_init("prism-sync", LOG_LEVEL_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[at], commands[i].name) == 0)
			return commands[i].run(&g, argc - at, argv + at);
	fprintf(stderr, "prism-sync: there is no command \"%s\"\n", argv[at]);
	return usage(stderr);
}
