/* SPDX-License-Identifier: MIT */
#include "sso.h"

#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"

#define ORGANIZATION_MAX 64

static int domains_path(struct cli *c, const char *domain, const char *verb, char **ret)
{
	char organization[ORGANIZATION_MAX];
	int r = sso_organization(c, organization, sizeof(organization));

	if (r)
		return r;
	*ret = domain
		   ? api_path("/organizations/", organization, "/sso-domains/", domain, verb, NULL)
		   : api_path("/organizations/", organization, "/sso-domains", NULL);
	return STATUS_OK;
}

static void domain_print(const json_t *d)
{
	bool proven = json_is_true(json_object_get(d, "proven"));

	out_fields((struct out_field[]){{"Domain", text_of(d, "domain")},
		       {"Connection", text_of(d, "connection")}, {"Proven", proven ? "Yes" : "No"}},
	    3);
	if (proven)
		return;
	out_printf("\nPublish this TXT record in the DNS, then run: prism sso domain verify %s\n"
		   "%s TXT \"%s\"\n",
	    text_of(d, "domain"), text_of(d, "record_name"), text_of(d, "record_value"));
}

static int domain_show(struct cli *c, const char *title, const json_t *d)
{
	if (c->json) {
		out_json(d);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "%s", title);
	domain_print(d);
	return STATUS_OK;
}

int sso_domain_add(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char *path = NULL;
	int r = domains_path(c, NULL, NULL, &path);

	if (!r)
		r = api_call(c, "POST", path,
		    json_pack("{s:s, s:s}", "domain", c->args->pos[0], "connection",
			args_get(c->args, "connection")),
		    &answer);
	return r ? r : domain_show(c, "Domain Claimed", answer);
}

int sso_domain_verify(struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char *path = NULL;
	int r = domains_path(c, c->args->pos[0], "/verify", &path);

	if (!r)
		r = api_call(c, "POST", path, json_object(), &answer);
	return r ? r : domain_show(c, "Domain Proven", answer);
}

int sso_domain_list(struct cli *c)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	_cleanup_json_ json_t *list = NULL;
	char *path = NULL;
	const json_t *d;
	size_t i;
	int r = domains_path(c, NULL, NULL, &path);

	if (!r)
		r = api_list(c, path, "domains", &list);
	if (r)
		return r;
	if (c->json) {
		out_json(list);
		return STATUS_OK;
	}
	out_title(NULL, "Domains");
	json_array_foreach(list, i, d)
	{
		out_table_add(
		    &t, (const char *[]){text_of(d, "domain"), text_of(d, "connection"),
			    json_is_true(json_object_get(d, "proven")) ? "Proven" : "Not proven",
			    NULL});
	}
	if (!t.rows)
		out_printf(
		    "None. Claim one: prism sso domain add DOMAIN --connection CONNECTION\n");
	out_table_print(&t);
	return STATUS_OK;
}

int sso_domain_remove(struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;
	char *path = NULL;
	int r = domains_path(c, c->args->pos[0], NULL, &path);

	if (!r)
		r = api_call(c, "DELETE", path, NULL, NULL);
	if (r)
		return r;
	if (c->json) {
		j = json_pack("{s:s, s:b}", "domain", c->args->pos[0], "removed", 1);
		out_json(j);
		return STATUS_OK;
	}
	out_printf("%s is claimed no longer.\n", c->args->pos[0]);
	return STATUS_OK;
}
