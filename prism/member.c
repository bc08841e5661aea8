/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"
#include "wait.h"

/* ---- list -------------------------------------------------------------------------------------*/

static const char *until_text(const json_t *m, int64_t now, char *out, size_t size)
{
	int64_t t = time_of(m, "not_after");
	char text[CLOCK_TEXT];

	out[0] = '\0';
	if (!t)
		return out;
	if (t <= now) {
		clock_format_ago(t, now, text);
		snprintf(out, size, "Ended %s", text);
		return out;
	}
	clock_format_remaining(t, now, text);
	snprintf(out, size, "%s", text);
	return out;
}

static const char *joined_text(const json_t *m, int64_t now, char *out, size_t size)
{
	char text[CLOCK_TEXT];

	out[0] = '\0';
	if (!time_of(m, "joined_at"))
		return out;
	clock_format_ago(time_of(m, "joined_at"), now, text);
	snprintf(out, size, "Joined %s", text);
	return out;
}

static int member_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	const char *project = args_get(c->args, "project");
	const json_t *m;
	size_t i;
	int r = api_list(c, api_path("/projects/", project, "/members", NULL), "members", &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Members of %s", project);
	json_array_foreach(list, i, m)
	{
		char role[32], state[32], joined[64], until[64], uid[24];

		snprintf(uid, sizeof(uid), "%lld", (long long)int_of(m, "uid"));
		out_table_add(&t, (const char *[]){text_of(m, "username"), uid, text_of(m, "email"),
				      out_capital(text_of(m, "role"), role, sizeof(role)),
				      out_capital(text_of(m, "state"), state, sizeof(state)),
				      joined_text(m, c->now, joined, sizeof(joined)),
				      until_text(m, c->now, until, sizeof(until)), NULL});
	}
	out_table_print(&t);
	return STATUS_OK;
}

/* ---- changes ----------------------------------------------------------------------------------*/

static void change_print(const json_t *m, const char *project, int64_t now, const char *title)
{
	char role[32], state[32], until[64];

	out_title(ICON_DONE, "%s", title);
	out_fields((struct out_field[]){{"Member", text_of(m, "username")}, {"Project", project},
		       {"Role", out_capital(text_of(m, "role"), role, sizeof(role))},
		       {"Status", out_capital(text_of(m, "state"), state, sizeof(state))},
		       {"Until", out_deadline(time_of(m, "not_after"), now, until, sizeof(until))}},
	    5);
	out_printf("\n");
}

static int change_wait(struct cli *c, json_t *answer, int64_t since, int64_t limit, bool *ret_all)
{
	const char *project = args_get(c->args, "project");
	_cleanup_json_ json_t *hosts = NULL;
	int r;

	r = wait_hosts(c, project, int_of(answer, "revision"), since, limit, &hosts, ret_all);
	if (r)
		return r;
	if (!c->json && !json_array_size(hosts))
		out_printf("No workstation serves this project.\n");
	else if (!c->json && *ret_all)
		out_printf("Every workstation has applied it.\n");
	json_object_set(answer, "hosts", hosts);
	return STATUS_OK;
}

/* What every change has in common. Takes over "path" and "body". */
static int change_run(
    struct cli *c, const char *method, char *path, json_t *body, const char *title)
{
	_cleanup_json_ json_t *answer = NULL;
	int64_t since = clock_mono_ms(), limit = 0;
	bool all = true;
	int r = wait_limit(c, &limit);

	if (r) {
		free(path);
		json_decref(body);
		return r;
	}
	r = api_call(c, method, path, body, &answer);
	if (r)
		return r;
	if (!c->json)
		change_print(
		    json_object_get(answer, "member"), args_get(c->args, "project"), c->now, title);
	fflush(stdout);
	if (args_flag(c->args, "wait"))
		r = change_wait(c, answer, since, limit, &all);
	else if (!c->json)
		out_printf("Workstations follow within moments; --wait shows when.\n");
	if (!r && c->json)
		out_json(answer);
	if (r || all)
		return r;
	return cli_fail(c, STATUS_UNREACHABLE, "HOSTS_PENDING",
	    "See who is behind: prism host list --project PROJECT",
	    "The change is made, but not every workstation has confirmed it in time.");
}

static char *member_path(const struct cli *c, const char *after)
{
	return api_path(
	    "/projects/", args_get(c->args, "project"), "/members/", c->args->pos[0], after, NULL);
}

static json_t *reason_json(const struct cli *c)
{
	return json_pack("{s:s*}", "reason", args_get(c->args, "reason"));
}

static int member_remove(struct cli *c)
{
	return change_run(c, "DELETE", member_path(c, NULL), reason_json(c), "Member Removed");
}

static int member_suspend(struct cli *c)
{
	return change_run(
	    c, "POST", member_path(c, "/suspend"), reason_json(c), "Member Suspended");
}

static int member_resume(struct cli *c)
{
	return change_run(c, "POST", member_path(c, "/resume"), json_object(), "Member Resumed");
}

/* A date, a time, a duration from now, or "never". */
static json_t *until_json(const char *s, int64_t now)
{
	char text[CLOCK_TEXT];
	int64_t t;

	if (strcmp(s, "never") == 0)
		return json_null();
	if (clock_parse_duration(s, &t) == 0)
		t += now;
	else if (clock_parse(s, &t))
		return NULL;
	clock_format(t, text);
	return json_string(text);
}

static int member_role(struct cli *c)
{
	const char *until = args_get(c->args, "until");
	const char *role = c->args->npos > 1 ? c->args->pos[1] : NULL;
	json_t *body, *when = NULL;

	if (!role && !until)
		return cli_fail(c, STATUS_USAGE, "BAD_ARGUMENTS", "Give a ROLE, or --until WHEN.",
		    "There is nothing to change.");
	if (until && !(when = until_json(until, c->now)))
		return cli_fail(c, STATUS_USAGE, "BAD_TIME",
		    "Use 2026-12-31, 2026-12-31T12:00:00Z, 30d or never.", "%s is not a time.",
		    until);
	body = json_pack("{s:s*}", "role", role);
	if (when)
		json_object_set_new(body, "not_after", when);
	return change_run(c, "PATCH", member_path(c, NULL), body, "Member Changed");
}

/* ---- the table --------------------------------------------------------------------------------*/

#define PROJECT_OPTION                                    \
	{                                                 \
		"project", "PROJECT", "the project", true \
	}
#define WAIT_OPTIONS                                                                       \
	{"wait", NULL, "wait until every workstation has applied it, and show the times"}, \
	{                                                                                  \
		"timeout", "DURATION", "how long to wait; default: 60s"                    \
	}

static const struct option_spec list_options[] = {PROJECT_OPTION, {NULL}};
static const struct option_spec reason_options[] = {
    PROJECT_OPTION, {"reason", "TEXT", "why; kept in the audit log"}, WAIT_OPTIONS, {NULL}};
static const struct option_spec resume_options[] = {PROJECT_OPTION, WAIT_OPTIONS, {NULL}};
static const struct option_spec role_options[] = {PROJECT_OPTION,
    {"until", "WHEN", "end of the membership: a date, a time, a duration, or never"}, WAIT_OPTIONS,
    {NULL}};

const struct command member_commands[] = {
    {"member list", "", 0, 0, COMMAND_LOGIN, "List the members of a project.", list_options,
	member_list},
    {"member role", "USERNAME [ROLE]", 1, 2, COMMAND_LOGIN,
	"Change a member's role, or when the membership ends.", role_options, member_role},
    {"member remove", "USERNAME", 1, 1, COMMAND_LOGIN, "Remove a member from a project.",
	reason_options, member_remove},
    {"member suspend", "USERNAME", 1, 1, COMMAND_LOGIN,
	"Suspend a member: the membership stays, access ends.", reason_options, member_suspend},
    {"member resume", "USERNAME", 1, 1, COMMAND_LOGIN, "Let a suspended member in again.",
	resume_options, member_resume},
    {NULL},
};
