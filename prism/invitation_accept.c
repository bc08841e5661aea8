/* SPDX-License-Identifier: MIT */
#include "invitation.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "api/error.h"
#include "api/token.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/name.h"
#include "base/secret.h"
#include "command.h"
#include "config.h"
#include "keyproof.h"
#include "output.h"
#include "prompt.h"

/* One answer to one token. */
struct answer {
	struct token token;
	char text[TOKEN_MAX + 1]; /* the token itself, a secret */
	char url[512];		  /* its server, as the configuration spells it */
	bool asked;		  /* the person has agreed already */
};

static void answer_clear(struct answer *a)
{
	explicit_bzero(a, sizeof(*a));
}

/* ---- the token and its server -----------------------------------------------------------------*/

/* Of "https://host/invite/TOKEN" or "...#TOKEN" only the last part is the token. */
static const char *token_part(const char *s)
{
	const char *slash = strstr(s, "://") ? strrchr(s, '/') : NULL;
	const char *hash = strstr(s, "://") ? strrchr(s, '#') : NULL;

	if (hash && (!slash || hash > slash))
		slash = hash;
	return slash ? slash + 1 : s;
}

static int token_load(struct cli *c, struct answer *a)
{
	const char *s = c->args->pos[0];
	char line[TOKEN_MAX + 1] = "";
	size_t n = 0;
	int r = STATUS_OK;

	if (strcmp(s, "-") == 0)
		r = prompt_password_file(c, "-", line, sizeof(line));
	if (r)
		return r;
	s = token_part(strcmp(s, "-") == 0 ? line : s);
	for (; *s && n < TOKEN_MAX; s++)
		if (!isspace((unsigned char)*s))
			a->text[n++] = *s;
	a->text[n] = '\0';
	explicit_bzero(line, sizeof(line));
	if (*s || token_parse(a->text, &a->token) || a->token.kind != TOKEN_INVITATION ||
	    config_url(a->token.url, a->url, sizeof(a->url)))
		return cli_fail_api(c, STATUS_REFUSED, API_INVITATION_NOT_FOUND);
	return STATUS_OK;
}

static void offer_print(const struct answer *a, int64_t now)
{
	char until[64], role[32];

	out_fields((struct out_field[]){{"Server", a->url},
		       {"Key", *a->token.pin ? a->token.pin : "(by its certificate)"},
		       {"Project", a->token.project_name},
		       {"Role", out_capital(a->token.role, role, sizeof(role))},
		       {"Expires", out_deadline(a->token.expires, now, until, sizeof(until))}},
	    5);
}

/*
 * A server that we have not met is named and agreed to before a single byte goes there: anybody can
 * write a token that names their own.
 */
static int server_agree(struct cli *c, struct answer *a)
{
	bool yes = args_flag(c->args, "yes");
	int r = STATUS_OK;

	if (config_knows(c, a->url))
		return STATUS_OK;
	if (!c->json) {
		out_printf("This invitation names a service that is new on this machine:\n\n");
		offer_print(a, c->now);
		out_printf("\n");
		fflush(stdout);
	}
	if (!yes) {
		/* Where the offer is not shown, nobody can agree to it. */
		r = c->json
			? STATUS_USAGE
			: prompt_yes(c, "Do you know this service and want to go on? [y/N] ", &yes);
		if (r == STATUS_USAGE)
			return cli_fail(c, STATUS_USAGE, "NOBODY_TO_ASK",
			    "Check that address; then add --yes.",
			    "The invitation names a new service, %s.", a->url);
		a->asked = true;
	}
	if (!r && !yes)
		return cli_fail(c, STATUS_LOCAL, "NOT_AGREED",
		    "Ask the person who invited you which address is the right one.",
		    "Nothing was sent to %s.", a->url);
	return r;
}

/* Only once the service has shown that it knows the token is it kept. */
static int server_keep(struct cli *c, const struct answer *a, const char *ca_file)
{
	bool known = config_knows(c, a->url);

	if (known && !ca_file)
		return STATUS_OK;
	return config_set_server(
	    c, a->url, known ? config_pin(c, a->url) : a->token.pin, ca_file, false);
}

static int look_up(struct cli *c, const struct answer *a, json_t **ret_lookup)
{
	return api_call(c, "POST", api_path("/invitations/lookup", NULL),
	    json_pack("{s:s}", "token", a->text), ret_lookup);
}

static int answer_open(struct cli *c, struct answer *a, json_t **ret_lookup)
{
	_cleanup_free_ char *ca_file = NULL;
	int r = config_open(c);

	if (!r)
		r = token_load(c, a);
	if (!r)
		r = server_agree(c, a);
	if (!r)
		r = api_given_ca_file(c, &ca_file);
	if (!r)
		r = api_open_server(
		    c, a->url, config_knows(c, a->url) ? NULL : a->token.pin, ca_file);
	if (!r)
		r = look_up(c, a, ret_lookup);
	/* A session that has ended is no reason to refuse what needs none. */
	if (r == STATUS_NO_LOGIN && c->logged_in) {
		r = api_use_token(c, NULL);
		if (!r)
			r = look_up(c, a, ret_lookup);
	}
	return r ? r : server_keep(c, a, ca_file);
}

/* ---- a new account ----------------------------------------------------------------------------*/

/* "Alice.Smith@uni.edu" suggests "alice-smith"; "" when nothing acceptable remains. */
static void suggest_username(const char *email, char out[static USERNAME_MAX + 1])
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char later[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
	size_t n = 0;

	for (; *email && *email != '@' && n < USERNAME_MAX; email++) {
		char ch = (char)tolower((unsigned char)*email);

		if (strchr(n ? later : first, ch))
			out[n++] = ch;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (!username_valid(out))
		out[0] = '\0';
}

static int choose_username(struct cli *c, const char *email, bool ask, char *out, size_t size)
{
	const char *given = args_get(c->args, "username");
	char suggestion[USERNAME_MAX + 1], question[80];
	int r = STATUS_OK;

	suggest_username(email, suggestion);
	if (given) {
		snprintf(out, size, "%s", given);
	} else if (ask) {
		snprintf(question, sizeof(question),
		    *suggestion ? "Username [%s]: " : "Username%s: ", suggestion);
		r = prompt_line(c, question, suggestion, out, size);
	} else {
		snprintf(out, size, "%s", suggestion);
	}
	if (r || username_valid(out))
		return r;
	if (name_reserved(out) || strncmp(out, "p-", 2) == 0 || strncmp(out, "g-", 2) == 0)
		return cli_fail(c, STATUS_USAGE, "BAD_USERNAME",
		    "Choose another one: --username USERNAME",
		    "The username %s is reserved for the system.", out);
	return cli_fail(c, STATUS_USAGE, "BAD_USERNAME",
	    "Give --username: 2 to 32 of a-z, 0-9, - and _, beginning with a letter.",
	    *out ? "The username %s is not acceptable." : "A username is needed.%s", out);
}

static int choose_password(struct cli *c, bool ask, char *out, size_t size)
{
	const char *file = args_get(c->args, "password-file");
	char again[PASSWORD_MAX];
	int r;

	out[0] = '\0';
	if (file)
		return prompt_password_file(c, file, out, size);
	if (!ask)
		return STATUS_OK;
	r = prompt_secret(c, "Password (empty: none, log in by SSH key): ", out, size);
	if (r || !*out)
		return r;
	r = prompt_secret(c, "The same again: ", again, sizeof(again));
	if (!r && strcmp(out, again) != 0)
		r = cli_fail(
		    c, STATUS_USAGE, "PASSWORDS_DIFFER", "Try again.", "The two passwords differ.");
	explicit_bzero(again, sizeof(again));
	return r;
}

/* The members of the request that only a new account needs. */
static int account_fill(struct cli *c, const json_t *invitation, json_t *body)
{
	bool ask = !args_flag(c->args, "yes") && !c->json && prompt_possible();
	const char *name = args_get(c->args, "name");
	char username[128], password[PASSWORD_MAX];
	int r = choose_username(c, text_of(invitation, "email"), ask, username, sizeof(username));

	if (!r)
		r = choose_password(c, ask, password, sizeof(password));
	if (r)
		return r;
	json_object_set_new(body, "username", json_string(username));
	if (name)
		json_object_set_new(body, "name", json_string(name));
	if (*password)
		json_object_set_new(body, "password", json_string(password));
	explicit_bzero(password, sizeof(password));
	return STATUS_OK;
}

/* ---- accepting --------------------------------------------------------------------------------*/

static int review(struct cli *c, const struct answer *a, const json_t *invitation)
{
	bool yes = true;
	char role[32];
	int r;

	if (args_flag(c->args, "yes") || c->json || a->asked || !prompt_possible())
		return STATUS_OK;
	out_fields((struct out_field[]){{"Project", text_of(invitation, "project_name")},
		       {"Role", out_capital(text_of(invitation, "role"), role, sizeof(role))},
		       {"Invited by", text_of(invitation, "invited_by")},
		       {"Message", text_of(invitation, "message")}},
	    4);
	fflush(stdout);
	r = prompt_yes(c, "Accept? [y/N] ", &yes);
	if (r || yes)
		return r;
	return cli_fail(c, STATUS_LOCAL, "NOT_AGREED",
	    "It stays pending; to turn it down: prism invitation decline TOKEN",
	    "The invitation was not accepted.");
}

/* The key and the proof that we hold it, over the token's own hash. */
static int key_fill(struct cli *c, const struct answer *a, const char *username, json_t *body)
{
	char path[CONFIG_PATH_MAX], comment[USERNAME_MAX + 16], nonce[HEX_LEN(32) + 1];
	json_t *proof = NULL;
	uint8_t hash[32];
	bool made = false;
	int r;

	snprintf(comment, sizeof(comment), "%.*s@prism", USERNAME_MAX, username);
	r = key_ensure(c, KEY_NAME, comment, &made);
	if (r || config_path(c, KEY_NAME, path))
		return r ? r : STATUS_LOCAL;
	token_hash(a->token.secret, hash);
	hex_encode(hash, sizeof(hash), nonce);
	r = key_proof(c, path, nonce, &proof);
	if (r)
		return r;
	json_object_set_new(proof, "origin", json_string(made ? "generated" : "imported"));
	json_object_set_new(body, "ssh_key", proof);
	return STATUS_OK;
}

/* From here on this is the current service, so that "prism workspace list" shows what was gained.
 */
static int session_keep(struct cli *c, const struct answer *a, const json_t *done)
{
	const json_t *session = json_object_get(done, "session");
	int r =
	    config_set_server(c, a->url, config_pin(c, a->url), config_ca_file(c, a->url), true);

	if (r || !json_is_object(session))
		return r;
	return config_set_session(c, a->url, text_of(session, "token"),
	    text_of(json_object_get(done, "research_user"), "username"),
	    text_of(session, "expires_at"));
}

static int accepted_print(struct cli *c, const json_t *done)
{
	const json_t *i = json_object_get(done, "invitation");
	const json_t *u = json_object_get(done, "research_user");
	char role[32], ids[48];

	if (c->json) {
		_cleanup_json_ json_t *shown = json_copy((json_t *)(uintptr_t)done);

		json_object_del(shown, "session");
		json_object_set_new(shown, "server", json_string(c->server));
		out_json(shown);
		return STATUS_OK;
	}
	snprintf(ids, sizeof(ids), "%lld/%lld", (long long)int_of(u, "uid"),
	    (long long)int_of(u, "gid"));
	out_title(ICON_DONE, "Invitation Accepted");
	out_fields((struct out_field[]){{"Project", text_of(i, "project_name")},
		       {"Role", out_capital(text_of(i, "role"), role, sizeof(role))},
		       {"Status", "Active"}},
	    3);
	out_printf("\n");
	out_title(ICON_USER, "Research User Provisioned");
	out_fields((struct out_field[]){{"Username", text_of(u, "username")}, {"UID/GID", ids},
		       {"SSH Key", KEY_SHOWN}, {"Home Dir", text_of(u, "home")}},
	    4);
	out_printf("\nYou now have access to all project workspaces!\n"
		   "Try: prism workspace list\n");
	return STATUS_OK;
}

static int accept_send(
    struct cli *c, const struct answer *a, const json_t *lookup, json_t **ret_done)
{
	const json_t *invitation = json_object_get(lookup, "invitation");
	json_t *body = json_pack("{s:s}", "token", a->text);
	int r = STATUS_OK;

	if (!body)
		return cli_fail_memory(c);
	if (!json_is_true(json_object_get(lookup, "account_exists")))
		r = account_fill(c, invitation, body);
	if (!r)
		r = key_fill(c, a,
		    json_object_get(body, "username") ? text_of(body, "username")
						      : config_username(c, a->url),
		    body);
	if (r) {
		json_decref(body);
		return r;
	}
	return api_call(c, "POST", api_path("/invitations/accept", NULL), body, ret_done);
}

static int login_first(struct cli *c, const struct answer *a)
{
	char hint[sizeof(a->url) + 80];

	snprintf(hint, sizeof(hint),
	    "Run prism login --server %s, then accept the invitation again.", a->url);
	return cli_fail(c, STATUS_NO_LOGIN, "LOGIN_REQUIRED", hint,
	    "The invited address has an account already.");
}

int invitation_accept(struct cli *c)
{
	_cleanup_(answer_clear) struct answer a = {0};
	_cleanup_json_ json_t *lookup = NULL, *done = NULL;
	int r = answer_open(c, &a, &lookup);

	if (!r)
		r = review(c, &a, json_object_get(lookup, "invitation"));
	if (!r && json_is_true(json_object_get(lookup, "account_exists")) && !c->logged_in)
		return login_first(c, &a);
	if (!r)
		r = accept_send(c, &a, lookup, &done);
	if (!r)
		r = session_keep(c, &a, done);
	return r ? r : accepted_print(c, done);
}

int invitation_decline(struct cli *c)
{
	_cleanup_(answer_clear) struct answer a = {0};
	_cleanup_json_ json_t *lookup = NULL, *done = NULL;
	int r = answer_open(c, &a, &lookup);

	if (!r)
		r = api_call(c, "POST", api_path("/invitations/decline", NULL),
		    json_pack(
			"{s:s, s:s*}", "token", a.text, "reason", args_get(c->args, "reason")),
		    &done);
	if (r)
		return r;
	if (c->json) {
		out_json(done ? done : lookup);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Invitation Declined");
	out_fields((struct out_field[]){{"Project", text_of(json_object_get(lookup, "invitation"),
							"project_name")},
		       {"Status", "Declined"}},
	    2);
	return STATUS_OK;
}
