/* SPDX-License-Identifier: MIT */
#ifndef PRISM_COMMAND_H
#define PRISM_COMMAND_H

/*
 * A command is one row of a table: its words, its arguments and its options. Parsing, --help, the
 * usage shown for a mistake and the manual's synopsis all come from the same row.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ARGS_MAX    4  /* positional arguments */
#define OPTIONS_MAX 24 /* of one command, the common ones included */

struct cli;

struct option_spec {
	const char *name; /* without the dashes; NULL ends the table */
	const char *arg;  /* what it takes, "PROJECT"; NULL: a flag */
	const char *help;
	bool required;
};

enum {
	COMMAND_LOGIN = 1, /* needs a login */
	COMMAND_REST = 2,  /* what follows "--" is handed on */
};

struct command {
	const char *name;	/* "invitation send" */
	const char *positional; /* "EMAIL"; "" if none */
	int min, max;		/* how many of them */
	unsigned flags;
	const char *summary;
	const struct option_spec *options; /* NULL: none */
	int (*run)(struct cli *c);
};

struct args {
	const struct command *command;
	const char *pos[ARGS_MAX];
	int npos;
	const struct option_spec *given[OPTIONS_MAX];
	const char *value[OPTIONS_MAX];
	int ngiven;
	char **rest; /* after "--", NULL-terminated; NULL: none */
	bool help;
};

/* The tables, one for each noun, each ended by a row without a name. */
extern const struct command login_commands[], project_commands[], invitation_commands[],
    member_commands[], user_commands[], password_commands[], sshkey_commands[],
    workspace_commands[], host_commands[], sso_commands[];

/*
 * Parse the words behind the command's name. On a mistake returns -EINVAL with a sentence in "why".
 */
int args_parse(
    const struct command *cmd, int argc, char **argv, struct args *ret, char *why, size_t size);

/* One word of an option that every command takes (--json, --server); NULL if it is none. */
const struct option_spec *common_option(const char *word);

/* The value of an option, or NULL when it was not given. A flag that was given has "". */
const char *args_get(const struct args *a, const char *name);
bool args_flag(const struct args *a, const char *name);

/* "prism invitation send EMAIL --project PROJECT [--role ROLE] ..." and a newline. */
void command_synopsis(const struct command *cmd, FILE *f);
/* The whole of --help. */
void command_help(const struct command *cmd, FILE *f);

#endif
