/* SPDX-License-Identifier: MIT */

/*
 * prism(1): the command line of Prism. main() finds the row of the command's table whose words were
 * given, parses what follows them, and runs it.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "api/http_client.h"
#include "base/clock.h"
#include "cli.h"
#include "command.h"
#include "config.h"
#include "output.h"

static int version_run(struct cli *c);
static int help_run(struct cli *c);

static const struct command own_commands[] = {
    {"version", "", 0, 0, 0, "Tell the version.", NULL, version_run},
    {"help", "", 0, 0, 0, "List the commands.", NULL, help_run},
    {NULL},
};

static const struct command *const tables[] = {
    login_commands,
    project_commands,
    invitation_commands,
    member_commands,
    user_commands,
    password_commands,
    sshkey_commands,
    workspace_commands,
    host_commands,
    sso_commands,
    own_commands,
};

/* ---- finding the command ----------------------------------------------------------------------*/

/* How many words of argv spell the whole name; 0 if they do not. */
static int name_matches(const char *name, int argc, char **argv)
{
	int words = 0;

	while (*name) {
		size_t n = strcspn(name, " ");

		if (words >= argc || strlen(argv[words]) != n || memcmp(argv[words], name, n) != 0)
			return 0;
		words++;
		name += n + (name[n] == ' ');
	}
	return words;
}

static const struct command *command_find(int argc, char **argv, int *ret_words)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct command *cmd = tables[t]; cmd->name; cmd++) {
			*ret_words = name_matches(cmd->name, argc, argv);
			if (*ret_words)
				return cmd;
		}
	}
	return NULL;
}

/* Whether a name begins with these words, and goes on. */
static bool name_begins(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]);

		if (strncmp(name, argv[i], n) != 0 || name[n] != ' ')
			return false;
		name += n + 1;
	}
	return true;
}

/* The commands whose name begins with the words given; all of them without words. */
static size_t commands_list(int argc, char **argv, FILE *f)
{
	size_t found = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct command *cmd = tables[t]; cmd->name; cmd++) {
			if (!name_begins(cmd->name, argc, argv))
				continue;
			fprintf(f, "  prism %-24s %s\n", cmd->name, cmd->summary);
			found++;
		}
	}
	return found;
}

static int version_run(struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;

	if (!c->json) {
		out_printf("prism %s\n", PRISM_VERSION);
		return STATUS_OK;
	}
	j = json_pack("{s:s}", "version", PRISM_VERSION);
	out_json(j);
	return STATUS_OK;
}

static int help_run(struct cli *c)
{
	printf("usage: prism COMMAND [ARGUMENT ...]\n\n");
	commands_list(0, NULL, stdout);
	printf("\nEvery command takes --json, --server URL and --help. See prism(1).\n");
	return STATUS_OK;
}

/* How many of the words begin a command, but are none: "sso", "sso domain". */
static int noun_words(int argc, char **argv)
{
	int words = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct command *cmd = tables[t]; cmd->name; cmd++)
			while (words < argc && name_begins(cmd->name, words + 1, argv))
				words++;
	return words;
}

static int usage(int argc, char **argv)
{
	int nouns = noun_words(argc, argv);

	if (argc > 0) {
		err_printf(nouns < argc ? "prism: There is no command \"" : "prism: ");
		for (int i = 0; i < argc && i <= nouns; i++)
			err_printf("%s%s", i ? " " : "", argv[i]);
		err_printf(nouns < argc ? "\".\n" : " is said with another word:\n");
		if (!commands_list(nouns ? nouns : 1, argv, stderr))
			err_printf("To list them all: prism help\n");
		return STATUS_USAGE;
	}
	fprintf(stderr, "usage: prism COMMAND [ARGUMENT ...]\n\n");
	commands_list(0, NULL, stderr);
	return STATUS_USAGE;
}

/* ---- running it -------------------------------------------------------------------------------*/

static int command_run(const struct command *cmd, int argc, char **argv)
{
	struct args args;
	struct cli c = {.now = clock_now(), .args = &args};
	char why[160];
	int r;

	if (args_parse(cmd, argc, argv, &args, why, sizeof(why))) {
		err_printf("prism: %s\n", why);
		fprintf(stderr, "usage: ");
		command_synopsis(cmd, stderr);
		return STATUS_USAGE;
	}
	if (args.help) {
		command_help(cmd, stdout);
		return STATUS_OK;
	}
	c.json = args_flag(&args, "json");
	r = cmd->flags & COMMAND_LOGIN ? api_open_logged_in(&c) : STATUS_OK;
	if (!r)
		r = cmd->run(&c);
	fflush(stdout);
	if (r && *c.error.code)
		cli_report(&c);
	http_client_free(c.http);
	config_free(c.config);
	return r;
}

/* Options that every command takes may stand before its name: they move behind it. */
static int leading_options(int argc, char **argv)
{
	int n = 0;

	while (n < argc) {
		const struct option_spec *o = common_option(argv[n]);

		if (!o)
			break;
		n += o->arg && !strchr(argv[n], '=') ? 2 : 1;
	}
	return n < argc ? n : argc;
}

/* Every JSON value may hold a token or a password. */
static void wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static int noun_help(int argc, char **argv)
{
	const struct option_spec *last = argc > 1 ? common_option(argv[argc - 1]) : NULL;
	bool asked = last && strcmp(last->name, "help") == 0;

	return asked && commands_list(argc - 1, argv, stdout) ? STATUS_OK : usage(argc, argv);
}

/* "prism --help" and "prism --version" are the commands of that name. */
static const struct command *command_by_option(int argc, char **argv, int lead)
{
	const struct option_spec *o = argc > 1 ? common_option(argv[1]) : NULL;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return &own_commands[0];
	if (o && lead && lead == argc - 1 && strcmp(o->name, "help") == 0)
		return &own_commands[1];
	return NULL;
}

int main(int argc, char **argv)
{
	int lead = leading_options(argc - 1, argv + 1), words = 0, n = 0, r;
	const struct command *cmd = command_find(argc - 1 - lead, argv + 1 + lead, &words);
	char **rest = calloc((size_t)argc + 1, sizeof(*rest));

	json_set_alloc_funcs(malloc, wiping_free);
	out_init();
	if (!rest)
		return STATUS_LOCAL;
	if (!cmd) {
		cmd = command_by_option(argc, argv, lead);
	} else {
		for (int i = 1; i <= lead; i++)
			rest[n++] = argv[i];
		for (int i = 1 + lead + words; i < argc; i++)
			rest[n++] = argv[i];
	}
	r = cmd ? command_run(cmd, n, rest) : noun_help(argc - 1 - lead, argv + 1 + lead);
	free(rest);
	if (fflush(stdout) == EOF || ferror(stdout))
		return r ? r : STATUS_LOCAL;
	return r;
}
