/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/num.h"
#include "command.h"
#include "output.h"

/* "500" or "499.50": what the service takes as a number. NULL if it is none. */
static json_t *budget_json(const char *s)
{
	const char *dot = strchr(s, '.');
	uint64_t whole = 0, cents = 0;
	char head[24];

	if ((size_t)snprintf(head, sizeof(head), "%.*s", dot ? (int)(dot - s) : (int)strlen(s),
		s) >= sizeof(head) ||
	    num_parse_u64(head, 1000000000000, &whole))
		return NULL;
	if (!dot)
		return json_integer((json_int_t)whole);
	if (strlen(dot + 1) != 2 || strspn(dot + 1, "0123456789") != 2)
		return NULL;
	cents = (uint64_t)(dot[1] - '0') * 10 + (uint64_t)(dot[2] - '0');
	return json_real((double)whole + (double)cents / 100);
}

static const char *budget_text(const json_t *project, char *out, size_t size)
{
	const json_t *b = json_object_get(project, "budget");

	out[0] = '\0';
	if (json_is_integer(b))
		snprintf(out, size, "%lld", (long long)json_integer_value(b));
	else if (json_is_real(b))
		snprintf(out, size, "%.2f", json_real_value(b));
	return out;
}

/* "8h", "1d12h": as clock_parse_duration() reads it. */
static const char *age_text(const json_t *project, char *out, size_t size)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t age = int_of(project, "sso_max_age");
	char text[32] = "";

	out[0] = '\0';
	if (age <= 0)
		return out;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = strlen(text);

		if (age / units[i].seconds == 0)
			continue;
		snprintf(text + n, sizeof(text) - n, "%lld%c", (long long)(age / units[i].seconds),
		    units[i].unit);
		age %= units[i].seconds;
	}
	snprintf(out, size, "no older than %s", text);
	return out;
}

static void project_print(const json_t *p)
{
	char budget[32], role[32], state[32], members[24] = "", age[48];

	if (json_is_integer(json_object_get(p, "members")))
		snprintf(members, sizeof(members), "%lld", (long long)int_of(p, "members"));
	out_fields(
	    (struct out_field[]){{"Project", text_of(p, "slug")}, {"Name", text_of(p, "name")},
		{"Organization", text_of(p, "organization")},
		{"State", out_capital(text_of(p, "state"), state, sizeof(state))},
		{"Your role", out_capital(text_of(p, "role"), role, sizeof(role))},
		{"Members", members}, {"Budget", budget_text(p, budget, sizeof(budget))},
		{"Contact", text_of(p, "contact")}, {"SSO login", age_text(p, age, sizeof(age))}},
	    9);
}

/* What the options say, into "body". */
static int options_take(struct cli *c, json_t *body)
{
	static const char *const texts[] = {"name", "organization", "contact", "state"};
	const char *budget = args_get(c->args, "budget"), *age = args_get(c->args, "sso-max-age");
	int64_t seconds = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (args_get(c->args, texts[i]))
			json_object_set_new(
			    body, texts[i], json_string(args_get(c->args, texts[i])));
	if (budget) {
		json_t *number = budget_json(budget);

		if (!number)
			return cli_fail(c, STATUS_USAGE, "BAD_BUDGET", "Give it as 500 or 499.50.",
			    "The budget %s is not an amount.", budget);
		json_object_set_new(body, "budget", number);
	}
	if (age && strcmp(age, "none") != 0 && clock_parse_duration(age, &seconds))
		return cli_fail(c, STATUS_USAGE, "BAD_DURATION", "Give it as 8h or 7d, or none.",
		    "%s is not a duration.", age);
	if (age)
		json_object_set_new(body, "sso_max_age", json_integer(seconds));
	return STATUS_OK;
}

static int project_create(struct cli *c)
{
	_cleanup_json_ json_t *project = NULL, *body = json_pack("{s:s}", "slug", c->args->pos[0]);
	int r = options_take(c, body);

	if (!r)
		r = api_call(c, "POST", api_path("/projects", NULL), json_incref(body), &project);
	if (r)
		return r;
	if (c->json) {
		out_json(project);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Project Created");
	project_print(project);
	out_printf("\nInvite people: prism invitation send EMAIL --project %s\n",
	    text_of(project, "slug"));
	return STATUS_OK;
}

static int project_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	const json_t *p;
	size_t i;
	int r = api_list(c, api_path("/projects", NULL), "projects", &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Projects");
	json_array_foreach(list, i, p)
	{
		char role[32], state[32];

		out_table_add(&t,
		    (const char *[]){text_of(p, "slug"), text_of(p, "name"),
			*text_of(p, "role") ? out_capital(text_of(p, "role"), role, sizeof(role))
					    : "-",
			out_capital(text_of(p, "state"), state, sizeof(state)), NULL});
	}
	if (!t.rows)
		out_printf("None. Make one: prism project create NAME\n");
	out_table_print(&t);
	return STATUS_OK;
}

static int project_show(struct cli *c)
{
	_cleanup_json_ json_t *project = NULL;
	int r = api_call(c, "GET", api_path("/projects/", c->args->pos[0], NULL), NULL, &project);

	if (r)
		return r;
	if (c->json)
		out_json(project);
	else
		project_print(project);
	return STATUS_OK;
}

static int project_edit(struct cli *c)
{
	_cleanup_json_ json_t *project = NULL, *body = json_object();
	int r = options_take(c, body);

	if (!r && json_object_size(body) == 0)
		return cli_fail(c, STATUS_USAGE, "NOTHING_TO_DO", "See: prism project edit --help",
		    "Nothing is said to be changed.");
	if (!r)
		r = api_call(c, "PATCH", api_path("/projects/", c->args->pos[0], NULL),
		    json_incref(body), &project);
	if (r)
		return r;
	if (c->json) {
		out_json(project);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Project Changed");
	project_print(project);
	return STATUS_OK;
}

static const struct option_spec create_options[] = {
    {"name", "TEXT", "its name for people; default: PROJECT"},
    {"budget", "AMOUNT", "the budget, 500 or 499.50"},
    {"organization", "ORGANIZATION", "where it belongs; default: your only one"},
    {"contact", "TEXT", "whom a person who is refused should ask"},
    {"sso-max-age", "DURATION", "how old the last login through the institution may be; none"},
    {NULL},
};

static const struct option_spec edit_options[] = {
    {"name", "TEXT", "its name for people"},
    {"budget", "AMOUNT", "the budget, 500 or 499.50"},
    {"contact", "TEXT", "whom a person who is refused should ask"},
    {"state", "STATE", "active or paused"},
    {"sso-max-age", "DURATION", "how old the last login through the institution may be; none"},
    {NULL},
};

const struct command project_commands[] = {
    {"project create", "PROJECT", 1, 1, COMMAND_LOGIN, "Create a project; you become its owner.",
	create_options, project_create},
    {"project edit", "PROJECT", 1, 1, COMMAND_LOGIN, "Change a project.", edit_options,
	project_edit},
    {"project list", "", 0, 0, COMMAND_LOGIN, "List your projects.", NULL, project_list},
    {"project show", "PROJECT", 1, 1, COMMAND_LOGIN, "Show a project.", NULL, project_show},
    {NULL},
};
