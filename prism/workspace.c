/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "connect.h"
#include "output.h"

static int workspace_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	const char *project = args_get(c->args, "project");
	const json_t *w;
	size_t i;
	int r = api_list(c,
	    project ? api_path("/workspaces?project=", project, NULL)
		    : api_path("/workspaces", NULL),
	    "workspaces", &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Workspaces");
	json_array_foreach(list, i, w)
	{
		char seen[CLOCK_TEXT] = "never", text[64];
		bool can = json_is_true(json_object_get(w, "can_login"));

		if (time_of(w, "last_seen"))
			clock_format_ago(time_of(w, "last_seen"), c->now, seen);
		snprintf(text, sizeof(text), "Seen %s", seen);
		out_table_add(
		    &t, (const char *[]){text_of(w, "name"), text_of(w, "project"),
			    *text_of(w, "address") ? text_of(w, "address") : text_of(w, "hostname"),
			    can ? "Ready" : "No login", text, NULL});
	}
	if (!t.rows)
		out_printf("None yet.\n");
	out_table_print(&t);
	if (t.rows)
		out_printf("\nConnect: prism workspace connect NAME\n");
	return STATUS_OK;
}

static const struct option_spec list_options[] = {
    {"project", "PROJECT", "only those of this project"},
    {NULL},
};
static const struct option_spec connect_options[] = {
    {"print", NULL, "print the ssh command instead of running it"},
    {NULL},
};

const struct command workspace_commands[] = {
    {"workspace list", "", 0, 0, COMMAND_LOGIN, "List the workspaces that you can use.",
	list_options, workspace_list},
    {"workspace connect", "NAME", 1, 1, COMMAND_LOGIN | COMMAND_REST,
	"Log in to a workspace by SSH; what follows -- goes to ssh.", connect_options,
	workspace_connect},
    {NULL},
};
