/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "command.h"
#include "output.h"
#include "prompt.h"

struct passwords {
	char old[PASSWORD_MAX], new[PASSWORD_MAX];
};

static void passwords_clear(struct passwords *p)
{
	explicit_bzero(p, sizeof(*p));
}

static int ask_new(struct cli *c, struct passwords *p)
{
	char again[PASSWORD_MAX] = "";
	int r = prompt_secret(c, "New password: ", p->new, sizeof(p->new));

	if (!r)
		r = prompt_secret(c, "The same again: ", again, sizeof(again));
	if (!r && strcmp(p->new, again) != 0)
		r = cli_fail(
		    c, STATUS_USAGE, "PASSWORDS_DIFFER", "Try again.", "The two passwords differ.");
	explicit_bzero(again, sizeof(again));
	return r;
}

/* The old one comes first, so that one standard input can hold both. */
static int passwords_get(struct cli *c, struct passwords *p)
{
	const char *old = args_get(c->args, "password-file");
	const char *new = args_get(c->args, "new-password-file");
	int r =
	    old ? prompt_password_file(c, old, p->old, sizeof(p->old))
		: prompt_secret(c, "Old password (empty: there is none): ", p->old, sizeof(p->old));

	if (r)
		return r;
	return new ? prompt_password_file(c, new, p->new, sizeof(p->new)) : ask_new(c, p);
}

static int password_run(struct cli *c)
{
	_cleanup_(passwords_clear) struct passwords p = {0};
	_cleanup_json_ json_t *j = NULL;
	int r = passwords_get(c, &p);

	if (!r)
		r = api_call(c, "POST", api_path("/me/password", NULL),
		    json_pack("{s:s*, s:s}", "old", *p.old ? p.old : NULL, "new", p.new), NULL);
	if (r)
		return r;
	if (c->json) {
		j = json_pack("{s:s, s:b}", "server", c->server, "changed", 1);
		out_json(j);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Password Changed");
	out_printf("Your other sessions have ended; this one goes on.\n");
	return STATUS_OK;
}

static const struct option_spec options[] = {
    {"password-file", "FILE", "read the old one from the first line; - is standard input"},
    {"new-password-file", "FILE", "read the new one from the first line; - is standard input"},
    {NULL},
};

const struct command password_commands[] = {
    {"user password", "", 0, 0, COMMAND_LOGIN, "Change or set your password.", options,
	password_run},
    {NULL},
};
