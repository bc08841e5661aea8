/* SPDX-License-Identifier: MIT */
#include "sso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "command.h"
#include "output.h"
#include "prompt.h"

#define ORGANIZATION_MAX 64
#define CERTIFICATE_MAX	 65536
#define SECRET_MAX	 1024

int sso_organization(struct cli *c, char *out, size_t size)
{
	const char *given = args_get(c->args, "organization");
	_cleanup_json_ json_t *list = NULL;
	int r;

	if (given) {
		snprintf(out, size, "%s", given);
		return STATUS_OK;
	}
	r = api_list(c, api_path("/organizations", NULL), "organizations", &list);
	if (r)
		return r;
	if (json_array_size(list) != 1)
		return cli_fail(c, STATUS_USAGE, "WHICH_ORGANIZATION",
		    "Say which: --organization ORGANIZATION", "You belong to %s organization.",
		    json_array_size(list) ? "more than one" : "no");
	snprintf(out, size, "%s", text_of(json_array_get(list, 0), "slug"));
	return STATUS_OK;
}

static int connections_path(struct cli *c, const char *slug, char **ret)
{
	char organization[ORGANIZATION_MAX];
	int r = sso_organization(c, organization, sizeof(organization));

	if (r)
		return r;
	*ret = slug ? api_path("/organizations/", organization, "/sso-connections/", slug, NULL)
		    : api_path("/organizations/", organization, "/sso-connections", NULL);
	return STATUS_OK;
}

/* ---- what the options say ---------------------------------------------------------------------*/

static int option_yes_no(struct cli *c, json_t *body, const char *option, const char *member)
{
	const char *s = args_get(c->args, option);
	bool yes = s && strcmp(s, "yes") == 0;

	if (!s)
		return STATUS_OK;
	if (!yes && strcmp(s, "no") != 0)
		return cli_fail(c, STATUS_USAGE, "BAD_OPTION", "Give yes or no.",
		    "--%s is yes or no, not %s.", option, s);
	json_object_set_new(body, member, json_boolean(yes));
	return STATUS_OK;
}

static int option_secret(struct cli *c, json_t *body)
{
	const char *file = args_get(c->args, "client-secret-file");
	char secret[SECRET_MAX] = "";
	int r;

	if (!file)
		return STATUS_OK;
	r = prompt_password_file(c, file, secret, sizeof(secret));
	if (!r && !*secret)
		r = cli_fail(c, STATUS_LOCAL, "EMPTY_FILE",
		    "What is used is its first line: put the secret there.",
		    "The first line of %s is empty.", file);
	if (!r)
		json_object_set_new(body, "client_secret", json_string(secret));
	explicit_bzero(secret, sizeof(secret));
	return r;
}

static int option_certificate(struct cli *c, json_t *body)
{
	const char *file = args_get(c->args, "certificate-file");
	_cleanup_buf_ struct buf b = BUF_INIT(CERTIFICATE_MAX);
	int r = file ? io_read_file(file, &b) : 0;

	if (r < 0)
		return cli_fail_file(c, file, r);
	if (file)
		json_object_set_new(body, "certificate", json_string(buf_str(&b)));
	return STATUS_OK;
}

/* "email=mail,name=displayName": our word, the provider's. */
static int option_map(struct cli *c, json_t *body)
{
	const char *s = args_get(c->args, "map");
	json_t *mapping;

	if (!s)
		return STATUS_OK;
	mapping = json_object();
	while (mapping && *s) {
		size_t n = strcspn(s, ","), key = strcspn(s, "=,");
		char word[64];

		if (key == 0 || key + 1 >= n || key >= sizeof(word)) {
			json_decref(mapping);
			return cli_fail(c, STATUS_USAGE, "BAD_OPTION",
			    "Give it as email=mail,name=displayName.",
			    "--map takes WORD=CLAIM, separated by commas.");
		}
		snprintf(word, sizeof(word), "%.*s", (int)key, s);
		json_object_set_new(mapping, word, json_stringn(s + key + 1, n - key - 1));
		s += n + (s[n] == ',');
	}
	json_object_set_new(body, "mapping", mapping);
	return STATUS_OK;
}

static void option_roles(const struct cli *c, json_t *body)
{
	const char *s = args_get(c->args, "allowed-roles");
	json_t *roles = s ? json_array() : NULL;

	while (s && *s) {
		size_t n = strcspn(s, ",");

		json_array_append_new(roles, json_stringn(s, n));
		s += n + (s[n] == ',');
	}
	if (roles)
		json_object_set_new(body, "allowed_roles", roles);
}

static int options_take(struct cli *c, json_t *body)
{
	static const char *const texts[][2] = {{"name", "name"}, {"type", "type"},
	    {"issuer", "issuer"}, {"client-id", "client_id"}, {"scopes", "scopes"},
	    {"entry-point", "entry_point"}, {"default-role", "default_role"}};
	static const char *const flags[][2] = {{"enabled", "enabled"}, {"enforce", "enforce_sso"},
	    {"auto-provision", "auto_provision"}};
	int r = STATUS_OK;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (args_get(c->args, texts[i][0]))
			json_object_set_new(
			    body, texts[i][1], json_string(args_get(c->args, texts[i][0])));
	for (size_t i = 0; !r && i < ARRAY_SIZE(flags); i++)
		r = option_yes_no(c, body, flags[i][0], flags[i][1]);
	option_roles(c, body);
	if (!r)
		r = option_map(c, body);
	if (!r)
		r = option_certificate(c, body);
	return r ? r : option_secret(c, body);
}

/* ---- connections ------------------------------------------------------------------------------*/

static int sso_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	char *path = NULL;
	const json_t *o;
	size_t i;
	int r = connections_path(c, NULL, &path);

	if (!r)
		r = api_list(c, path, "connections", &list);
	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Login Connections");
	json_array_foreach(list, i, o)
	{
		out_table_add(
		    &t, (const char *[]){text_of(o, "slug"), text_of(o, "name"), text_of(o, "type"),
			    json_is_true(json_object_get(o, "enabled")) ? "Enabled" : "Disabled",
			    text_of(o, "issuer"), sso_certificates_text(o), NULL});
	}
	if (!t.rows)
		out_printf("None. Make one: prism sso add NAME --type oidc --issuer URL ...\n");
	out_table_print(&t);
	return STATUS_OK;
}

static int sso_show(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL;
	char *path = NULL;
	int r = connections_path(c, c->args->pos[0], &path);

	if (!r)
		r = api_call(c, "GET", path, NULL, &o);
	return r ? r : sso_connection_show(c, NULL, o);
}

static int sso_add(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL, *body = json_pack("{s:s}", "slug", c->args->pos[0]);
	char *path = NULL;
	int r = options_take(c, body);

	if (!r)
		r = connections_path(c, NULL, &path);
	if (!r)
		r = api_call(c, "POST", path, json_incref(body), &o);
	if (!r)
		r = sso_connection_show(c, "Connection Made", o);
	if (!r && !c->json && !json_is_true(json_object_get(o, "enabled")))
		out_printf("\nThen prove the mail domain of its people, and enable it:\n"
			   "prism sso domain add DOMAIN --connection %s\n"
			   "prism sso edit %s --enabled yes\n",
		    text_of(o, "slug"), text_of(o, "slug"));
	return r;
}

static int sso_edit(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL, *body = json_object();
	char *path = NULL;
	int r = options_take(c, body);

	if (!r && json_object_size(body) == 0)
		return cli_fail(c, STATUS_USAGE, "NOTHING_TO_DO", "See: prism sso edit --help",
		    "Nothing is said to be changed.");
	if (args_flag(c->args, "force"))
		json_object_set_new(body, "force", json_true());
	if (!r)
		r = connections_path(c, c->args->pos[0], &path);
	if (!r)
		r = api_call(c, "PATCH", path, json_incref(body), &o);
	return r ? r : sso_connection_show(c, "Connection Changed", o);
}

/* The service's words are for programs. */
static void remove_explain(struct cli *c, const char *slug)
{
	char *rest = strstr(c->error.message, ": disable it");

	if (strcmp(c->error.code, "CONFLICT") != 0 || !rest)
		return;
	snprintf(rest, 2, ".");
	snprintf(c->error.hint, sizeof(c->error.hint),
	    "Disable it: prism sso edit %.64s --enabled no; or remove it with their links to it, "
	    "they "
	    "keep their accounts: prism sso remove %.64s --force",
	    slug, slug);
}

static int sso_remove(struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;
	char *path = NULL;
	int r = connections_path(c, c->args->pos[0], &path);

	if (!r && args_flag(c->args, "force") && path) {
		_cleanup_free_ char *plain = path;

		if (asprintf(&path, "%s?force=1", plain) < 0)
			path = NULL;
	}
	if (!r)
		r = api_call(c, "DELETE", path, NULL, NULL);
	if (r) {
		remove_explain(c, c->args->pos[0]);
		return r;
	}
	if (c->json) {
		j = json_pack("{s:s, s:b}", "slug", c->args->pos[0], "removed", 1);
		out_json(j);
		return STATUS_OK;
	}
	out_printf(
	    "Nobody logs in by %s any more. Its links to accounts and its claims of domains are\n"
	    "gone; people keep their accounts.\n",
	    c->args->pos[0]);
	return STATUS_OK;
}

static int sso_metadata(struct cli *c)
{
	_cleanup_buf_ struct buf b = BUF_INIT(CERTIFICATE_MAX);
	_cleanup_free_ char *path = api_path("/", c->args->pos[0], NULL), *where = NULL;
	_cleanup_json_ json_t *j = NULL;
	const char *piece = path ? strrchr(path, '/') : NULL;
	int r;

	if (!piece || asprintf(&where, "/sso%s/metadata", piece) < 0)
		return cli_fail_memory(c);
	r = api_text(c, where, &b);
	if (r && strcmp(c->error.code, API_PAGE) == 0)
		snprintf(c->error.hint, sizeof(c->error.hint),
		    "Metadata are of SAML connections, and need the package prism-saml beside the "
		    "service. See: prism sso show %.64s",
		    c->args->pos[0]);
	if (r)
		return r;
	if (c->json) {
		j = json_pack("{s:s}", "metadata", buf_str(&b));
		out_json(j);
	} else {
		fputs(buf_str(&b), stdout);
	}
	return STATUS_OK;
}

/* ---- our certificate --------------------------------------------------------------------------*/

static int certificate_step(struct cli *c, const char *step, const char *title, json_t **ret)
{
	char organization[ORGANIZATION_MAX];
	int r = sso_organization(c, organization, sizeof(organization));
	json_t *body = r ? NULL : json_pack("{s:s}", "step", step);

	if (!r && args_flag(c->args, "force"))
		json_object_set_new(body, "force", json_true());
	if (!r)
		r = api_call(c, "POST",
		    api_path("/organizations/", organization, "/sso-connections/", c->args->pos[0],
			"/certificate", NULL),
		    body, ret);
	return r ? r : sso_connection_show(c, title, *ret);
}

static int sso_certificate_next(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL;
	int r = certificate_step(c, "next", "Certificate Made", &o);

	if (!r && !c->json)
		out_printf(
		    "\nOur metadata have both now: %s\nOnce the provider has read them: prism "
		    "sso certificate switch %s\n",
		    text_of(o, "metadata_url"), c->args->pos[0]);
	return r;
}

static int sso_certificate_switch(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL;
	int r = certificate_step(c, "switch", "Certificate Changed", &o);

	if (!r && !c->json)
		out_printf(
		    "\nThe way back, should logins fail now: the same command again.\nOnce all "
		    "is well, in a day: prism sso certificate drop %s\n",
		    c->args->pos[0]);
	return r;
}

static int sso_certificate_drop(struct cli *c)
{
	_cleanup_json_ json_t *o = NULL;

	return certificate_step(c, "drop", "Certificate Dropped", &o);
}

/* ---- the person's own logins ------------------------------------------------------------------*/

static int sso_link(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = api_call(c, "POST", api_path("/me/identities", NULL),
	    json_pack("{s:s}", "connection", c->args->pos[0]), &answer);

	/* The list is for those who manage connections. */
	if (r && strcmp(c->error.code, "SSO_NOT_FOUND") == 0)
		snprintf(c->error.hint, sizeof(c->error.hint),
		    "Ask whoever manages your organization for its name.");
	if (r)
		return r;
	if (c->json) {
		out_json(answer);
		return STATUS_OK;
	}
	out_printf(
	    "Open this address in your browser within ten minutes, log in there, and agree;\n"
	    "it works once, and is for you alone:\n\n  %s\n\n",
	    text_of(answer, "url"));
	fflush(stdout);
	err_qr(text_of(answer, "url"));
	return STATUS_OK;
}

static int sso_identities(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	const json_t *o;
	size_t i;
	int r = api_list(c, api_path("/me/identities", NULL), "identities", &list);

	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Your Logins");
	json_array_foreach(list, i, o)
	{
		char seen[CLOCK_TEXT] = "never";

		if (time_of(o, "last_login_at"))
			clock_format_ago(time_of(o, "last_login_at"), c->now, seen);
		out_table_add(&t, (const char *[]){text_of(o, "id"), text_of(o, "connection"),
				      text_of(o, "email"), seen, NULL});
	}
	if (!t.rows)
		out_printf("None. Link one: prism sso link CONNECTION\n");
	out_table_print(&t);
	return STATUS_OK;
}

static int sso_unlink(struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;
	int r =
	    api_call(c, "DELETE", api_path("/me/identities/", c->args->pos[0], NULL), NULL, NULL);

	if (r)
		return r;
	if (c->json) {
		j = json_pack("{s:s, s:b}", "id", c->args->pos[0], "removed", 1);
		out_json(j);
		return STATUS_OK;
	}
	out_printf("That login opens your account no longer.\n");
	return STATUS_OK;
}

/* ---- the table --------------------------------------------------------------------------------*/

#define ORGANIZATION                                                                  \
	{                                                                             \
		"organization", "ORGANIZATION", "whose it is; default: your only one" \
	}

#define SETTINGS                                                                                  \
	{"name", "TEXT", "as the login page shows it"},                                           \
	    {"client-id", "ID", "OIDC: how the provider knows Prism"},                            \
	    {"client-secret-file", "FILE", "OIDC: read the secret from it; - is standard input"}, \
	    {"scopes", "SCOPES", "OIDC: what to ask for; default: openid profile email"},         \
	    {"entry-point", "URL", "SAML: where logins begin"},                                   \
	    {"certificate-file", "FILE", "SAML: the provider's certificates, PEM"},               \
	    {"map", "WORD=CLAIM,...", "where the provider puts email, name, username, role"},     \
	    {"enforce", "yes|no", "close passwords and keys to the organization's people"},       \
	    {"auto-provision", "yes|no", "make an account at the first login"},                   \
	    {"default-role", "ROLE", "in the organization, of who gets one; default: member"},    \
	    {"allowed-roles", "ROLE,...", "those that a claim may give"},                         \
	    {"enabled", "yes|no", "whether people can log in by it"}, ORGANIZATION

static const struct option_spec add_options[] = {
    {"type", "oidc|saml", "what the provider speaks", true},
    {"issuer", "URL", "the provider's issuer, or entity id", true},
    SETTINGS,
    {NULL},
};
static const struct option_spec edit_options[] = {
    {"issuer", "URL", "the provider's issuer, or entity id"},
    {"force", NULL, "disable it although projects ask for fresh logins"},
    SETTINGS,
    {NULL},
};
static const struct option_spec organization_options[] = {ORGANIZATION, {NULL}};
static const struct option_spec remove_options[] = {
    {"force", NULL, "also where people log in by it: they keep their accounts"},
    ORGANIZATION,
    {NULL},
};
static const struct option_spec certificate_options[] = {
    {"force", NULL, "although the provider may not be ready for it"},
    ORGANIZATION,
    {NULL},
};
static const struct option_spec domain_options[] = {
    {"connection", "CONNECTION", "the connection that its people use", true},
    ORGANIZATION,
    {NULL},
};

const struct command sso_commands[] = {
    {"sso list", "", 0, 0, COMMAND_LOGIN, "List the login connections of an organization.",
	organization_options, sso_list},
    {"sso show", "CONNECTION", 1, 1, COMMAND_LOGIN, "Show a login connection.",
	organization_options, sso_show},
    {"sso add", "CONNECTION", 1, 1, COMMAND_LOGIN, "Connect an organization to its login provider.",
	add_options, sso_add},
    {"sso edit", "CONNECTION", 1, 1, COMMAND_LOGIN, "Change a login connection.", edit_options,
	sso_edit},
    {"sso remove", "CONNECTION", 1, 1, COMMAND_LOGIN, "Remove a login connection.", remove_options,
	sso_remove},
    {"sso metadata", "CONNECTION", 1, 1, COMMAND_LOGIN, "Print our SAML metadata for the provider.",
	NULL, sso_metadata},
    {"sso certificate next", "CONNECTION", 1, 1, COMMAND_LOGIN,
	"Publish the next certificate of our own.", organization_options, sso_certificate_next},
    {"sso certificate switch", "CONNECTION", 1, 1, COMMAND_LOGIN,
	"Sign with the other certificate.", certificate_options, sso_certificate_switch},
    {"sso certificate drop", "CONNECTION", 1, 1, COMMAND_LOGIN, "Forget the other certificate.",
	certificate_options, sso_certificate_drop},
    {"sso domain add", "DOMAIN", 1, 1, COMMAND_LOGIN, "Claim a domain for a login connection.",
	domain_options, sso_domain_add},
    {"sso domain verify", "DOMAIN", 1, 1, COMMAND_LOGIN, "Prove a domain by its TXT record.",
	organization_options, sso_domain_verify},
    {"sso domain list", "", 0, 0, COMMAND_LOGIN, "List the domains of an organization.",
	organization_options, sso_domain_list},
    {"sso domain remove", "DOMAIN", 1, 1, COMMAND_LOGIN, "Give up a domain.", organization_options,
	sso_domain_remove},
    {"sso link", "CONNECTION", 1, 1, COMMAND_LOGIN, "Link your institution's login.", NULL,
	sso_link},
    {"sso identities", "", 0, 0, COMMAND_LOGIN, "List your linked logins.", NULL, sso_identities},
    {"sso unlink", "ID", 1, 1, COMMAND_LOGIN, "Unlink one of them.", NULL, sso_unlink},
    {NULL},
};
