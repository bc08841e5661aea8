/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"

static int host_token(struct cli *c)
{
	const char *in = args_get(c->args, "expires"), *name = args_get(c->args, "name");
	_cleanup_json_ json_t *answer = NULL;
	char until[64];
	int64_t seconds = 0;
	json_t *body;
	int r;

	if (in && clock_parse_duration(in, &seconds))
		return cli_fail(c, STATUS_USAGE, "BAD_DURATION", "Give it as 1h or 30m.",
		    "%s is not a duration.", in);
	body = json_pack("{s:s*}", "name", name);
	if (in)
		json_object_set_new(body, "expires_in", json_integer(seconds));
	r = api_call(c, "POST",
	    api_path("/projects/", args_get(c->args, "project"), "/host-tokens", NULL), body,
	    &answer);
	if (r)
		return r;
	json_object_set_new(answer, "command",
	    json_sprintf("sudo prism-sync enroll --token %s", text_of(answer, "token")));
	if (c->json) {
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Enrolment Token Created");
	out_fields((struct out_field[]){{"Project", args_get(c->args, "project")}, {"Host", name},
		       {"Expires", out_deadline(time_of(answer, "expires_at"), c->now, until,
				       sizeof(until))}},
	    3);
	out_printf("\nRun this on the workstation; the token works once:\n%s\n",
	    text_of(answer, "command"));
	return STATUS_OK;
}

static int hosts_fetch(struct cli *c, const char *project, json_t **ret)
{
	return api_list(c, api_path("/projects/", project, "/hosts", NULL), "hosts", ret);
}

/* The revision of this project that the host says it has published. */
static int64_t host_applied(const json_t *h, const char *project)
{
	return int_of(json_object_get(h, "applied"), project);
}

static int host_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	const char *project = args_get(c->args, "project");
	const json_t *h;
	size_t i;
	int r = hosts_fetch(c, project, &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Workstations of %s", project);
	json_array_foreach(list, i, h)
	{
		char state[32], seen[CLOCK_TEXT] = "never", revision[40];

		if (time_of(h, "last_seen"))
			clock_format_ago(time_of(h, "last_seen"), c->now, seen);
		snprintf(revision, sizeof(revision), "revision %lld",
		    (long long)host_applied(h, project));
		out_table_add(&t, (const char *[]){text_of(h, "name"), text_of(h, "address"),
				      out_capital(text_of(h, "state"), state, sizeof(state)), seen,
				      revision, text_of(h, "id"), NULL});
	}
	if (!t.rows)
		out_printf("None. Enrol one: prism host token --project %s\n", project);
	out_table_print(&t);
	return STATUS_OK;
}

/* A name becomes an id by way of the project's list. */
static int host_id(struct cli *c, char *out, size_t size)
{
	const char *what = c->args->pos[0], *project = args_get(c->args, "project");
	_cleanup_json_ json_t *list = NULL;
	const json_t *h;
	size_t i;
	int r;

	snprintf(out, size, "%s", what);
	if (!project)
		return STATUS_OK;
	r = hosts_fetch(c, project, &list);
	if (r)
		return r;
	json_array_foreach(list, i, h)
	{
		if (strcmp(text_of(h, "name"), what) != 0 && strcmp(text_of(h, "id"), what) != 0)
			continue;
		snprintf(out, size, "%s", text_of(h, "id"));
		return STATUS_OK;
	}
	return cli_fail(c, STATUS_REFUSED, "HOST_NOT_FOUND",
	    "Run: prism host list --project PROJECT", "There is no host %s in this project.", what);
}

static int host_remove(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char id[128];
	int r = host_id(c, id, sizeof(id));

	if (!r)
		r = api_call(c, "DELETE", api_path("/hosts/", id, NULL), NULL, &answer);
	if (r && !args_get(c->args, "project") && strcmp(c->error.code, "HOST_NOT_FOUND") == 0)
		return cli_fail(c, r, "HOST_NOT_FOUND",
		    "With its name, add --project PROJECT; IDs: prism host list --project PROJECT",
		    "There is no host with the ID %s.", id);
	if (r)
		return r;
	if (c->json) {
		if (!answer)
			answer = json_pack("{s:s, s:s}", "id", id, "state", "removed");
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Host Removed");
	out_printf(
	    "%s gets no more changes. What it published stays valid until it expires there;\n"
	    "run on it: apt purge libnss-prism libpam-prism prism-sync\n",
	    c->args->pos[0]);
	return STATUS_OK;
}

static char *serving_path(const struct cli *c)
{
	return api_path(
	    "/projects/", args_get(c->args, "project"), "/hosts/", c->args->pos[0], NULL);
}

static int host_add(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = api_call(c, "PUT", serving_path(c), NULL, &answer);

	if (r)
		return r;
	if (c->json) {
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Host Added");
	out_fields((struct out_field[]){{"Host", text_of(answer, "name")},
		       {"Project", text_of(answer, "project")}},
	    2);
	out_printf("\nThe members of %s get onto it as soon as it has applied revision %lld:\n"
		   "prism host list --project %s\n",
	    text_of(answer, "project"), (long long)int_of(answer, "revision"),
	    text_of(answer, "project"));
	return STATUS_OK;
}

static int host_drop(struct cli *c)
{
	const char *project = args_get(c->args, "project"), *name = c->args->pos[0];
	_cleanup_json_ json_t *answer = NULL;
	int r = api_call(c, "DELETE", serving_path(c), NULL, &answer);

	if (r)
		return r;
	if (c->json) {
		if (!answer)
			answer = json_pack(
			    "{s:s, s:s, s:b}", "host", name, "project", project, "dropped", 1);
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Host Dropped");
	out_printf("%s no longer serves %s. Whoever is a member of nothing else there is refused,\n"
		   "and their sessions end, as soon as it hears of it.\n",
	    name, project);
	return STATUS_OK;
}

static const struct option_spec token_options[] = {
    {"project", "PROJECT", "the project that the workstation serves", true},
    {"name", "NAME", "the name that it must take; default: free"},
    {"expires", "DURATION", "how long the token works; default: 1h"},
    {NULL},
};
static const struct option_spec list_options[] = {
    {"project", "PROJECT", "the project", true},
    {NULL},
};
static const struct option_spec remove_options[] = {
    {"project", "PROJECT", "its project, where NAME is given instead of ID"},
    {NULL},
};

static const struct option_spec serve_options[] = {
    {"project", "PROJECT", "the project that it serves as well, or no longer", true},
    {NULL},
};

const struct command host_commands[] = {
    {"host token", "", 0, 0, COMMAND_LOGIN, "Make a token that enrols one workstation.",
	token_options, host_token},
    {"host list", "", 0, 0, COMMAND_LOGIN, "List the workstations of a project.", list_options,
	host_list},
    {"host add", "ID|NAME", 1, 1, COMMAND_LOGIN, "Have a workstation serve a project as well.",
	serve_options, host_add},
    {"host drop", "ID|NAME", 1, 1, COMMAND_LOGIN, "Have a workstation no longer serve a project.",
	serve_options, host_drop},
    {"host remove", "ID|NAME", 1, 1, COMMAND_LOGIN, "Remove a workstation from Prism.",
	remove_options, host_remove},
    {NULL},
};
