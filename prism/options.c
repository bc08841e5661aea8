/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"

static const struct option_spec common[] = {
    {"json", NULL, "print JSON"},
    {"server", "URL", "talk to this service instead of the current one"},
    {"help", NULL, "show this help"},
};

static bool word_is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

static const struct option_spec *common_by_name(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (word_is(word, len, common[i].name))
			return &common[i];
	return NULL;
}

const struct option_spec *common_option(const char *word)
{
	if (strcmp(word, "-h") == 0)
		word = "--help";
	return strncmp(word, "--", 2) ? NULL : common_by_name(word + 2, strcspn(word + 2, "="));
}

static const struct option_spec *option_find(const struct command *cmd, const char *word)
{
	size_t len = strcspn(word + 2, "=");

	if (strcmp(word, "-h") == 0 || strncmp(word, "--", 2) != 0)
		return common_option(word);
	for (const struct option_spec *o = cmd->options; o && o->name; o++)
		if (word_is(word + 2, len, o->name))
			return o;
	return common_by_name(word + 2, len);
}

static int args_store(
    struct args *a, const struct option_spec *o, const char *value, char *why, size_t size)
{
	if (strcmp(o->name, "help") == 0)
		a->help = true;
	for (int i = 0; i < a->ngiven; i++) {
		if (a->given[i] != o)
			continue;
		snprintf(why, size, "--%s is given twice.", o->name);
		return -EINVAL;
	}
	if (a->ngiven == OPTIONS_MAX) {
		snprintf(why, size, "There are too many options.");
		return -EINVAL;
	}
	a->given[a->ngiven] = o;
	a->value[a->ngiven++] = value ? value : "";
	return 0;
}

/* One option at argv[*i]; steps over a value that stands in a word of its own. */
static int args_option(struct args *a, int argc, char **argv, int *i, char *why, size_t size)
{
	const char *word = argv[*i], *value = strchr(word, '=');
	const struct option_spec *o = option_find(a->command, word);

	if (!o) {
		snprintf(why, size, "There is no option %.64s here.", word);
		return -EINVAL;
	}
	if (!o->arg && value) {
		snprintf(why, size, "--%s takes no value.", o->name);
		return -EINVAL;
	}
	if (o->arg && !value && *i + 1 >= argc) {
		snprintf(why, size, "--%s needs a value: %s.", o->name, o->arg);
		return -EINVAL;
	}
	if (o->arg)
		value = value ? value + 1 : argv[++*i];
	return args_store(a, o, value, why, size);
}

/* What must be there is there. Not asked when the person only wants help. */
static int args_complete(const struct args *a, char *why, size_t size)
{
	const struct command *cmd = a->command;

	if (a->help)
		return 0;
	if (a->npos < cmd->min) {
		snprintf(why, size, "Something is missing: %s.", cmd->positional);
		return -EINVAL;
	}
	for (const struct option_spec *o = cmd->options; o && o->name; o++) {
		if (!o->required || args_get(a, o->name))
			continue;
		snprintf(why, size, "--%s %s is needed.", o->name, o->arg);
		return -EINVAL;
	}
	return 0;
}

int args_parse(
    const struct command *cmd, int argc, char **argv, struct args *ret, char *why, size_t size)
{
	struct args a = {.command = cmd};
	int r;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0 && (cmd->flags & COMMAND_REST)) {
			a.rest = argv + i + 1;
			break;
		}
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			r = args_option(&a, argc, argv, &i, why, size);
			if (r)
				return r;
			continue;
		}
		if (a.npos == cmd->max) {
			snprintf(why, size, "There is one word too many: %.64s", argv[i]);
			return -EINVAL;
		}
		a.pos[a.npos++] = argv[i];
	}
	r = args_complete(&a, why, size);
	if (r)
		return r;
	*ret = a;
	return 0;
}

const char *args_get(const struct args *a, const char *name)
{
	for (int i = 0; i < a->ngiven; i++)
		if (strcmp(a->given[i]->name, name) == 0)
			return a->value[i];
	return NULL;
}

bool args_flag(const struct args *a, const char *name)
{
	return args_get(a, name) != NULL;
}

void command_synopsis(const struct command *cmd, FILE *f)
{
	fprintf(f, "prism %s", cmd->name);
	if (*cmd->positional)
		fprintf(f, " %s", cmd->positional);
	for (const struct option_spec *o = cmd->options; o && o->name; o++)
		fprintf(f, o->required ? " --%s%s%s" : " [--%s%s%s]", o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "");
	if (cmd->flags & COMMAND_REST)
		fprintf(f, " [-- SSH-ARGUMENT ...]");
	fprintf(f, "\n");
}

static void option_help(const struct option_spec *o, FILE *f)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	fprintf(f, "  %-24s %s\n", left, o->help);
}

void command_help(const struct command *cmd, FILE *f)
{
	fprintf(f, "usage: ");
	command_synopsis(cmd, f);
	fprintf(f, "\n%s\n\n", cmd->summary);
	for (const struct option_spec *o = cmd->options; o && o->name; o++)
		option_help(o, f);
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		option_help(&common[i], f);
}
