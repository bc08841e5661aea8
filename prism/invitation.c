/* SPDX-License-Identifier: MIT */
#include "invitation.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api.h"
#include "api/error.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/num.h"
#include "command.h"
#include "output.h"

/* ---- sending ----------------------------------------------------------------------------------*/

static int sent_print(struct cli *c, const char *title, const json_t *answer)
{
	const json_t *i = json_object_get(answer, "invitation");
	char role[32], until[64];

	if (c->json) {
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "%s", title);
	out_fields(
	    (struct out_field[]){{"Email", text_of(i, "email")},
		{"Project", text_of(i, "project_name")},
		{"Role", out_capital(text_of(i, "role"), role, sizeof(role))},
		{"Expires", out_deadline(time_of(i, "expires_at"), c->now, until, sizeof(until))},
		{"Message", text_of(i, "message")}, {"ID", text_of(i, "id")}},
	    6);
	out_printf("\nGive them this command; its token works once and is not shown again:\n"
		   "prism invitation accept %s\n",
	    text_of(answer, "token"));
	return STATUS_OK;
}

static int invitation_send(struct cli *c)
{
	const char *project = args_get(c->args, "project"), *role = args_get(c->args, "role");
	const char *message = args_get(c->args, "message"), *in = args_get(c->args, "expires");
	_cleanup_json_ json_t *answer = NULL;
	int64_t seconds = 0;
	json_t *body;
	int r;

	if (in && clock_parse_duration(in, &seconds))
		return cli_fail(c, STATUS_USAGE, "BAD_DURATION", "Give it as 7d, 12h or 2w.",
		    "%s is not a duration.", in);
	body = json_pack(
	    "{s:s, s:s*, s:s*}", "email", c->args->pos[0], "role", role, "message", message);
	if (in)
		json_object_set_new(body, "expires_in", json_integer(seconds));
	r = api_call(
	    c, "POST", api_path("/projects/", project, "/invitations", NULL), body, &answer);
	return r ? r : sent_print(c, "Invitation Sent", answer);
}

/* ---- by id, or by address in a project --------------------------------------------------------*/

/* The newest invitation to that address that may still be revoked or sent again. */
static const char *find_by_email(const json_t *list, const char *email)
{
	const json_t *i, *best = NULL;
	size_t n;

	json_array_foreach(list, n, i)
	{
		if (strcasecmp(text_of(i, "email"), email) != 0 ||
		    strcmp(text_of(i, "state"), "accepted") == 0 ||
		    strcmp(text_of(i, "state"), "revoked") == 0)
			continue;
		if (!best || time_of(i, "created_at") >= time_of(best, "created_at"))
			best = i;
	}
	return text_of(best, "id");
}

/* The path of the invitation that the argument means, with "after" behind it. */
static int invitation_path(struct cli *c, const char *after, char **ret)
{
	const char *what = c->args->pos[0], *project = args_get(c->args, "project"), *id = what;
	_cleanup_json_ json_t *list = NULL;
	int r;

	if (strchr(what, '@')) {
		if (!project)
			return cli_fail(c, STATUS_USAGE, "BAD_ARGUMENTS",
			    "Add --project PROJECT, or give the invitation's ID.",
			    "An address alone does not say which invitation.");
		r = api_list(
		    c, api_path("/projects/", project, "/invitations", NULL), "invitations", &list);
		if (r)
			return r;
		id = find_by_email(list, what);
		if (!*id)
			return cli_fail(c, STATUS_REFUSED, "INVITATION_NOT_FOUND",
			    "Run: prism invitation sent --project PROJECT",
			    "There is no open invitation to %s in this project.", what);
	}
	*ret = api_path("/invitations/", id, after, NULL);
	return STATUS_OK;
}

/* The service's hint for an invitation that it does not know is about tokens. */
static int unknown_id(struct cli *c, int r)
{
	if (!r || strchr(c->args->pos[0], '@') ||
	    strcmp(c->error.code, "INVITATION_NOT_FOUND") != 0)
		return r;
	return cli_fail(c, r, "INVITATION_NOT_FOUND",
	    "Check the ID: prism invitation sent --project PROJECT --ids", "Invitation not found");
}

static int invitation_revoke(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char *path = NULL;
	int r = invitation_path(c, NULL, &path);

	if (!r)
		r = unknown_id(c, api_call(c, "DELETE", path, NULL, &answer));
	if (r)
		return r;
	if (c->json) {
		if (!answer)
			answer = json_pack(
			    "{s:s, s:s}", "invitation", c->args->pos[0], "state", "revoked");
		out_json(answer);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Invitation Revoked");
	out_printf("The token of %s no longer works.\n", c->args->pos[0]);
	return STATUS_OK;
}

static int invitation_resend(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char *path = NULL;
	int r = invitation_path(c, "/resend", &path);

	if (!r)
		r = unknown_id(c, api_call(c, "POST", path, json_object(), &answer));
	return r ? r : sent_print(c, "Invitation Sent Again", answer);
}

/* ---- lists ------------------------------------------------------------------------------------*/

/* How each state is said: what stands before the relative time, for the invited and the sender. */
static const struct state_words {
	const char *state, *mine, *sent, *time;
} state_words[] = {
    {"accepted", "Joined ", "", "answered_at"},
    {"declined", "Declined ", "Declined ", "answered_at"},
    {"expired", "Expired ", "Expired ", "expires_at"},
    {"revoked", "Revoked ", "Revoked ", "answered_at"},
};

static const char *state_time(
    const json_t *i, const char *state, bool mine, int64_t now, char *out, size_t size)
{
	char text[CLOCK_TEXT];

	out[0] = '\0';
	if (strcmp(state, "pending") == 0) {
		clock_format_remaining(time_of(i, "expires_at"), now, text);
		snprintf(out, size, "%s", text);
	}
	for (size_t n = 0; n < ARRAY_SIZE(state_words); n++) {
		const struct state_words *w = &state_words[n];

		if (strcmp(w->state, state) != 0 || !time_of(i, w->time))
			continue;
		clock_format_ago(time_of(i, w->time), now, text);
		snprintf(out, size, "%s%s", mine ? w->mine : w->sent, text);
	}
	return out;
}

static void invitations_print(const json_t *list, bool mine, bool ids, int64_t now)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	const json_t *i;
	size_t n;

	json_array_foreach(list, n, i)
	{
		char role[32], state[32], when[64];
		const char *project = text_of(i, "project_name");

		if (!*project)
			project = text_of(i, "project");
		out_table_add(
		    &t, (const char *[]){mine ? project : text_of(i, "email"),
			    out_capital(text_of(i, "role"), role, sizeof(role)),
			    out_capital(text_of(i, "state"), state, sizeof(state)),
			    state_time(i, text_of(i, "state"), mine, now, when, sizeof(when)),
			    ids ? text_of(i, "id") : NULL, NULL});
	}
	if (!t.rows)
		out_printf("None.\n");
	out_table_print(&t);
}

/* The state as a query; S2 calls declined ones rejected. NULL: not a state. */
static const char *state_query(const char *s)
{
	static const char *const names[] = {
	    "pending", "accepted", "declined", "expired", "revoked"};

	if (strcasecmp(s, "rejected") == 0)
		return "declined";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(s, names[i]) == 0)
			return names[i];
	return NULL;
}

static int list_fetch(struct cli *c, const char *project, json_t **ret)
{
	const char *given = args_get(c->args, "state"), *state = NULL;
	char *path;

	if (given && !(state = state_query(given)))
		return cli_fail(c, STATUS_USAGE, "BAD_STATE",
		    "Use pending, accepted, declined, expired or revoked.",
		    "%s is not a state of an invitation.", given);
	if (project)
		path = state ? api_path("/projects/", project, "/invitations?state=", state, NULL)
			     : api_path("/projects/", project, "/invitations", NULL);
	else
		path = state ? api_path("/invitations/my?state=", state, NULL)
			     : api_path("/invitations/my", NULL);
	return api_list(c, path, "invitations", ret);
}

static int invitation_list(struct cli *c)
{
	_cleanup_json_ json_t *list = NULL;
	int r = list_fetch(c, NULL, &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "My Invitations");
	invitations_print(list, true, args_flag(c->args, "ids"), c->now);
	return STATUS_OK;
}

static int invitation_sent(struct cli *c)
{
	const char *project = args_get(c->args, "project");
	_cleanup_json_ json_t *list = NULL, *details = NULL;
	int r = list_fetch(c, project, &list);

	if (!r)
		r = api_call(c, "GET", api_path("/projects/", project, NULL), NULL, &details);
	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Sent Invitations for \"%s\"",
	    *text_of(details, "name") ? text_of(details, "name") : project);
	invitations_print(list, false, args_flag(c->args, "ids"), c->now);
	return STATUS_OK;
}

/* ---- the table --------------------------------------------------------------------------------*/

static const struct option_spec send_options[] = {
    {"project", "PROJECT", "the project to invite to", true},
    {"role", "ROLE", "owner, admin, member or viewer; default: member"},
    {"message", "TEXT", "a word to the invited person"},
    {"expires", "DURATION", "how long it can be accepted, such as 14d; default: 7d"},
    {NULL},
};
static const struct option_spec accept_options[] = {
    {"username", "USERNAME", "the name of a new account; default: from the address"},
    {"name", "TEXT", "your name, for a new account"},
    {"password-file", "FILE", "set a password from the first line; - is standard input"},
    {"ca-file", "FILE", "verify the service's certificate by this file"},
    {"yes", NULL, "do not ask anything"},
    {NULL},
};
static const struct option_spec decline_options[] = {
    {"reason", "TEXT", "a word to the person who invited you"},
    {"yes", NULL, "do not ask anything"},
    {NULL},
};
static const struct option_spec which_options[] = {
    {"project", "PROJECT", "the project, where EMAIL is given instead of ID"},
    {NULL},
};
static const struct option_spec list_options[] = {
    {"state", "STATE", "only pending, accepted, declined, expired or revoked ones"},
    {"ids", NULL, "show their IDs"},
    {NULL},
};
static const struct option_spec sent_options[] = {
    {"project", "PROJECT", "the project", true},
    {"state", "STATE", "only pending, accepted, declined, expired or revoked ones"},
    {"ids", NULL, "show their IDs"},
    {NULL},
};

const struct command invitation_commands[] = {
    {"invitation send", "EMAIL", 1, 1, COMMAND_LOGIN, "Invite a person to a project.", send_options,
	invitation_send},
    {"invitation accept", "TOKEN", 1, 1, 0,
	"Accept an invitation: become a member and get your SSH key.", accept_options,
	invitation_accept},
    {"invitation decline", "TOKEN", 1, 1, 0, "Decline an invitation.", decline_options,
	invitation_decline},
    {"invitation revoke", "ID|EMAIL", 1, 1, COMMAND_LOGIN, "Take back an invitation that you sent.",
	which_options, invitation_revoke},
    {"invitation resend", "ID|EMAIL", 1, 1, COMMAND_LOGIN,
	"Send an invitation again, with a new token.", which_options, invitation_resend},
    {"invitation list", "", 0, 0, COMMAND_LOGIN, "List the invitations that you got.", list_options,
	invitation_list},
    {"invitation sent", "", 0, 0, COMMAND_LOGIN, "List the invitations of a project.", sent_options,
	invitation_sent},
    {NULL},
};
