/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"
#include "sso.h"

/* ---- the settings -----------------------------------------------------------------------------*/

static const char *yes_no(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name)) ? "Yes" : "No";
}

static const char *domains_text(const json_t *o, char *out, size_t size)
{
	const json_t *d;
	size_t i, n = 0;

	out[0] = '\0';
	json_array_foreach(json_object_get(o, "domains"), i, d)
	{
		int len = snprintf(out + n, size - n, "%s%s%s", n ? ", " : "", text_of(d, "domain"),
		    json_is_true(json_object_get(d, "proven")) ? "" : " (not proven)");

		if (len < 0 || (size_t)len >= size - n)
			break;
		n += (size_t)len;
	}
	return out;
}

/* "2 minutes ago, discovery_issuer: the document says ..."; "": never. */
static const char *refusal_text(const json_t *o, int64_t now, char *out, size_t size)
{
	const json_t *last = json_object_get(o, "last_refusal");
	const char *detail = text_of(last, "detail");
	char ago[CLOCK_TEXT] = "";

	out[0] = '\0';
	if (!json_is_object(last))
		return out;
	clock_format_ago(time_of(last, "at"), now, ago);
	snprintf(out, size, "%s, %s%s%s", ago, text_of(last, "fault"), *detail ? ": " : "", detail);
	return out;
}

static void connection_print(const json_t *o, int64_t now)
{
	bool saml = strcmp(text_of(o, "type"), "saml") == 0;
	char type[16], domains[512], role[32], refusal[512];

	out_fields(
	    (struct out_field[]){{"Connection", text_of(o, "slug")}, {"Name", text_of(o, "name")},
		{"Organization", text_of(o, "organization")},
		{"Type", saml ? "SAML" : out_capital("OIDC", type, sizeof(type))},
		{"Enabled", yes_no(o, "enabled")}, {"Issuer", text_of(o, "issuer")},
		{"Client ID", text_of(o, "client_id")},
		{"Client secret", saml ? NULL : yes_no(o, "has_client_secret")},
		{"Scopes", text_of(o, "scopes")}, {"Entry point", text_of(o, "entry_point")},
		{"Enforced", yes_no(o, "enforce_sso")},
		{"Makes accounts", yes_no(o, "auto_provision")},
		{"Default role", out_capital(text_of(o, "default_role"), role, sizeof(role))},
		{"Domains", domains_text(o, domains, sizeof(domains))},
		{"Last refused", refusal_text(o, now, refusal, sizeof(refusal))}},
	    15);
}

/* What the provider's administrator has to enter there. */
static void provider_print(const json_t *o)
{
	out_printf("\nEnter this at the provider:\n");
	if (strcmp(text_of(o, "type"), "saml") == 0)
		out_fields((struct out_field[]){{"Entity ID", text_of(o, "entity_id")},
			       {"Consumer (ACS)", text_of(o, "acs_url")},
			       {"Metadata", text_of(o, "metadata_url")}},
		    3);
	else
		out_fields((struct out_field[]){{"Redirect URI", text_of(o, "redirect_uri")},
			       {"Logout (back-channel)", text_of(o, "logout_url")}},
		    2);
}

static void warnings_print(const json_t *o)
{
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(o, "warnings"), i, w)
	{
		out_printf("\n%s\n", json_string_value(w) ? json_string_value(w) : "");
	}
}

/* ---- certificates -----------------------------------------------------------------------------*/

/* "Next, published since 20 Nov 2026"; the provider's have none. */
static const char *use_text(const json_t *o, char *out, size_t size)
{
	const char *use = text_of(o, "use");
	char day[CLOCK_TEXT], capital[16];

	snprintf(out, size, "%s", *use ? out_capital(use, capital, sizeof(capital)) : "");
	if (!time_of(o, "since"))
		return out;
	clock_format_day(time_of(o, "since"), day);
	snprintf(out, size, "%s %s",
	    strcmp(use, "next") == 0 ? "Next, published since" : "Former, since", day);
	return out;
}

static void certificate_print(const json_t *o, int64_t now)
{
	char use[64], ends[64];

	out_fields(
	    (struct out_field[]){{"Certificate", text_of(o, "subject")},
		{"Use", use_text(o, use, sizeof(use))}, {"SHA-256", text_of(o, "fingerprint")},
		{"Ends", out_deadline(time_of(o, "not_after"), now, ends, sizeof(ends))}},
	    4);
}

static void certificates_print(const json_t *o, int64_t now)
{
	static const struct {
		const char *member, *title;
	} lists[] = {
	    {"certificates", "The provider signs with:"}, {"sp_certificates", "Prism signs with:"}};
	const json_t *x;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach(json_object_get(o, lists[k].member), i, x)
		{
			out_printf("\n%s\n", i == 0 ? lists[k].title : "and:");
			certificate_print(x, now);
		}
}

const char *sso_certificates_text(const json_t *o)
{
	const char *worst = "";
	const json_t *x;
	size_t i;

	json_array_foreach(json_object_get(o, "certificates"), i, x)
	{
		const char *state = text_of(x, "state");

		if (strcmp(state, "expired") == 0)
			return "Certificate expired";
		if (strcmp(state, "ends_soon") == 0)
			worst = "Certificate ends soon";
	}
	return worst;
}

/* ---- the whole --------------------------------------------------------------------------------*/

/* Whom enforcing spares: said when it is asked for. */
static void unlinked_print(const struct cli *c, const json_t *o)
{
	long long n = int_of(o, "unlinked_members");

	if (!args_get(c->args, "enforce") || !json_is_true(json_object_get(o, "enforce_sso")))
		return;
	if (n == 0)
		out_printf("\nEvery member of the organization can log in there.\n");
	else
		out_printf(
		    "\nEnforcing closes nothing to %lld %s of the organization who cannot log in\n"
		    "there yet: passwords and keys stay open to them.\n",
		    n, n == 1 ? "member" : "members");
}

/* Accounts would be made twice: said while it can still be mended. */
static void unproven_print(const json_t *o)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(o, "domains"), i, d)
	{
		if (json_is_true(json_object_get(d, "proven")))
			return;
	}
	if (json_is_true(json_object_get(o, "enabled")) &&
	    json_is_true(json_object_get(o, "auto_provision")))
		out_printf(
		    "\nIt makes accounts, and no domain is proven: a first login does not find\n"
		    "the account that somebody has already. See: prism sso domain list\n");
}

int sso_connection_show(struct cli *c, const char *title, const json_t *o)
{
	if (c->json) {
		out_json(o);
		return STATUS_OK;
	}
	if (title)
		out_title(ICON_DONE, "%s", title);
	connection_print(o, c->now);
	provider_print(o);
	certificates_print(o, c->now);
	unlinked_print(c, o);
	unproven_print(o);
	warnings_print(o);
	return STATUS_OK;
}
