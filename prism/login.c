/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "config.h"
#include "keyproof.h"
#include "login_oauth.h"
#include "output.h"
#include "prompt.h"

/* ---- login ------------------------------------------------------------------------------------*/

/* The pin and the CA file of the command line; NULL where there is none. */
static const char *given_pin(const struct cli *c)
{
	const char *pin = args_get(c->args, "pin");

	return pin && strncmp(pin, "sha256//", 8) == 0 ? pin + 8 : pin;
}

/* --proxy, else what is kept for the server. NULL: the environment decides, "": none. */
static const char *chosen_proxy(const struct cli *c, const char *url)
{
	const char *given = args_get(c->args, "proxy");

	if (!given)
		return config_proxy(c, url);
	if (strcmp(given, "env") == 0)
		return NULL;
	return strcmp(given, "none") == 0 ? "" : given;
}

/* Where to log in: --server, else the current service. */
static int login_open(struct cli *c, char *url, size_t size)
{
	_cleanup_free_ char *ca_file = NULL;
	int r = api_chosen_url(c, url, size);

	if (r)
		return r;
	if (!url[0])
		return cli_fail(c, STATUS_USAGE, "NO_SERVER",
		    "Run: prism login --server https://HOST",
		    "No Prism service is known here yet.");
	r = api_given_ca_file(c, &ca_file);
	if (!r)
		r = api_open_by(c, url, chosen_proxy(c, url), given_pin(c), ca_file);
	return r ? r : api_use_token(c, NULL);
}

/* Only a service that let us in is remembered, with the pin that it was recognized by. */
static int login_keep(struct cli *c, const char *url, const json_t *session)
{
	const char *pin = given_pin(c);
	_cleanup_free_ char *ca = NULL;
	int r = api_given_ca_file(c, &ca);

	if (!r)
		r = config_set_server(
		    c, url, pin ? pin : config_pin(c, url), ca ? ca : config_ca_file(c, url), true);
	if (!r && args_get(c->args, "proxy"))
		r = config_set_proxy(c, url, chosen_proxy(c, url));
	if (r)
		return r;
	return config_set_session(c, url, text_of(session, "token"),
	    text_of(json_object_get(session, "user"), "username"), text_of(session, "expires_at"));
}

static int ask_user(struct cli *c, const char *url, char *out, size_t size)
{
	const char *given = args_get(c->args, "user"), *known = config_username(c, url);
	char question[128];

	if (given) {
		snprintf(out, size, "%s", given);
		return STATUS_OK;
	}
	snprintf(question, sizeof(question),
	    known ? "Username [%s]: " : "Username (empty: log in with a browser elsewhere): %s",
	    known ? known : "");
	return prompt_line(c, question, known ? known : "", out, size);
}

static int login_password(struct cli *c, const char *user, const char *password, json_t **ret)
{
	return api_call(c, "POST", api_path("/sessions", NULL),
	    json_pack("{s:s, s:s}", "login", user, "password", password), ret);
}

static int login_key(struct cli *c, const char *user, json_t **ret)
{
	_cleanup_json_ json_t *challenge = NULL;
	char path[CONFIG_PATH_MAX], public[CONFIG_PATH_MAX];
	json_t *proof = NULL;
	int r = config_path(c, KEY_NAME, path);

	if (!r)
		r = config_path(c, KEY_NAME ".pub", public);
	if (!r && access(path, F_OK) < 0 && access(public, F_OK) < 0)
		return cli_fail(c, STATUS_LOCAL, "NO_KEY",
		    "Log in with a password, or copy the key from where it is, with its .pub.",
		    "There is no SSH key on this machine: %s", KEY_SHOWN);
	if (!r)
		r = api_call(c, "POST", api_path("/sessions/key/challenge", NULL),
		    json_pack("{s:s}", "username", user), &challenge);
	if (!r)
		r = key_proof(c, path, text_of(challenge, "nonce"), &proof);
	if (r)
		return r;
	json_object_set_new(proof, "username", json_string(user));
	json_object_set(proof, "nonce", json_object_get(challenge, "nonce"));
	return api_call(c, "POST", api_path("/sessions/key", NULL), proof, ret);
}

/* By password, unless the key is asked for or no password is typed. */
static int login_session(struct cli *c, const char *user, json_t **ret)
{
	const char *file = args_get(c->args, "password-file");
	char password[PASSWORD_MAX];
	int r = STATUS_OK;

	if (args_flag(c->args, "key"))
		return login_key(c, user, ret);
	if (file)
		r = prompt_password_file(c, file, password, sizeof(password));
	else
		r = prompt_secret(c, "Password (empty: by SSH key): ", password, sizeof(password));
	if (!r)
		r = *password || file ? login_password(c, user, password, ret)
				      : login_key(c, user, ret);
	explicit_bzero(password, sizeof(password));
	return r;
}

static int login_print(struct cli *c, const json_t *session)
{
	const json_t *user = json_object_get(session, "user");
	_cleanup_json_ json_t *j = NULL;
	char until[64];

	if (c->json) {
		j = json_pack("{s:s, s:O?, s:O?}", "server", c->server, "user",
		    json_object_get(session, "user"), "expires_at",
		    json_object_get(session, "expires_at"));
		out_json(j);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Logged In");
	out_fields((struct out_field[]){{"Server", c->server},
		       {"Username", text_of(user, "username")}, {"Name", text_of(user, "name")},
		       {"Until", out_deadline(time_of(session, "expires_at"), c->now, until,
				     sizeof(until))}},
	    4);
	return STATUS_OK;
}

/* By name; whoever has none to say, or may not log in by it, goes through a browser. */
static int login_by_name(struct cli *c, const char *url, json_t **ret)
{
	char user[256] = "";
	int r = ask_user(c, url, user, sizeof(user));

	if (!r && !*user)
		return login_device(c, ret);
	if (!r)
		r = login_session(c, user, ret);
	if (r && strcmp(c->error.code, "NOBODY_TO_ASK") == 0)
		snprintf(c->error.hint, sizeof(c->error.hint),
		    "To log in with a browser elsewhere: prism login --device; else give --user "
		    "and --password-file or --key.");
	if (!r || strcmp(c->error.code, "SSO_REQUIRED") != 0 || !prompt_possible() ||
	    args_get(c->args, "password-file"))
		return r;
	err_printf("%s\n\n", c->error.message);
	c->error.code[0] = '\0';
	return login_device(c, ret);
}

static int login_any(struct cli *c, const char *url, json_t **ret)
{
	bool named = args_get(c->args, "user") || args_get(c->args, "password-file") ||
		     args_flag(c->args, "key");
	bool browser = args_flag(c->args, "browser"), device = args_flag(c->args, "device");

	if (named + browser + device > 1)
		return cli_fail(c, STATUS_USAGE, "BAD_OPTIONS", "Leave out one of them.",
		    "--browser, --device and a login by name exclude each other.");
	if (device)
		return login_device(c, ret);
	if (browser || (!named && login_browser_possible()))
		return login_browser(c, ret);
	return login_by_name(c, url, ret);
}

static int login_run(struct cli *c)
{
	_cleanup_json_ json_t *session = NULL;
	char url[512];
	int r = login_open(c, url, sizeof(url));

	if (!r)
		r = login_any(c, url, &session);
	if (!r)
		r = login_keep(c, url, session);
	return r ? r : login_print(c, session);
}

/* ---- logout, whoami ---------------------------------------------------------------------------*/

static int logout_run(struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;
	int r = api_open(c);

	if (r)
		return r;
	/* The local half goes whatever the service says: nobody stays logged in by its absence. */
	if (c->logged_in)
		r = api_call(c, "DELETE", api_path("/sessions/current", NULL), NULL, NULL);
	if (config_drop_session(c, c->server))
		return STATUS_LOCAL;
	if (r && r != STATUS_NO_LOGIN)
		return r;
	if (c->json) {
		j = json_pack("{s:s, s:b}", "server", c->server, "logged_out", 1);
		out_json(j);
		return STATUS_OK;
	}
	out_printf("Logged out of %s.\n", c->server);
	return STATUS_OK;
}

static int whoami_run(struct cli *c)
{
	_cleanup_json_ json_t *me = NULL;
	char ids[64];
	int r = api_call(c, "GET", api_path("/me", NULL), NULL, &me);

	if (r)
		return r;
	if (c->json) {
		json_object_set_new(me, "server", json_string(c->server));
		out_json(me);
		return STATUS_OK;
	}
	snprintf(ids, sizeof(ids), "%lld/%lld", (long long)int_of(me, "uid"),
	    (long long)int_of(me, "gid"));
	out_fields((struct out_field[]){{"Username", text_of(me, "username")},
		       {"Name", text_of(me, "name")}, {"Email", text_of(me, "email")},
		       {"UID/GID", ids}, {"Server", c->server}},
	    5);
	return STATUS_OK;
}

/* ---- the table --------------------------------------------------------------------------------*/

static const struct option_spec login_options[] = {
    {"pin", "PIN", "recognize the service by its key: base64 of the SHA-256"},
    {"ca-file", "FILE", "verify the service's certificate by this file"},
    {"proxy", "URL", "reach it through this proxy; none: without, env: as the environment says"},
    {"user", "USERNAME", "who you are: username or email"},
    {"password-file", "FILE", "read the password from the first line; - is standard input"},
    {"browser", NULL, "log in with a browser on this machine, as your institution asks"},
    {"device", NULL, "log in with a browser anywhere: shows an address and a code"},
    {"key", NULL, "log in with ~/.prism/ssh_keys/id_ed25519 instead of a password"},
    {NULL},
};

const struct command login_commands[] = {
    {"login", "", 0, 0, 0, "Log in to a service and make it the current one.", login_options,
	login_run},
    {"logout", "", 0, 0, 0, "Log out.", NULL, logout_run},
    {"whoami", "", 0, 0, COMMAND_LOGIN, "Show who is logged in.", NULL, whoami_run},
    {NULL},
};
