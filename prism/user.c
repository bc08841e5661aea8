/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "config.h"
#include "keycheck.h"
#include "keyproof.h"
#include "output.h"
#include "sshkey.h"

static void ids_text(const json_t *o, char *out, size_t size)
{
	snprintf(out, size, "%lld/%lld", (long long)int_of(o, "uid"), (long long)int_of(o, "gid"));
}

/* ---- status -----------------------------------------------------------------------------------*/

/* One workspace: what it says about this person beside what the service says. */
static void workspace_row(
    struct out_table *t, const json_t *me, const json_t *w, int64_t now, bool *differs)
{
	const json_t *there = json_object_get(w, "identity");
	char ids[48] = "-", seen[CLOCK_TEXT] = "never", when[64];
	const char *state = "Waiting", *why = text_of(there, "reason");

	if (time_of(w, "last_seen"))
		clock_format_ago(time_of(w, "last_seen"), now, seen);
	snprintf(when, sizeof(when), "Seen %s", seen);
	if (json_is_integer(json_object_get(there, "uid")))
		ids_text(there, ids, sizeof(ids));
	if (*why) {
		state = "Refused";
		*differs = true;
	} else if (json_is_integer(json_object_get(there, "uid"))) {
		bool same = int_of(there, "uid") == int_of(me, "uid") &&
			    int_of(there, "gid") == int_of(me, "gid");

		state = same ? "Same" : "Different";
		*differs = *differs || !same;
	}
	out_table_add(t, (const char *[]){text_of(w, "name"), ids, state, when, why, NULL});
}

static void status_print(const json_t *me, const json_t *workspaces, int64_t now)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	char ids[48], state[32];
	bool differs = false;
	const json_t *w;
	size_t i;

	ids_text(me, ids, sizeof(ids));
	out_title(NULL, "User Status");
	out_fields((struct out_field[]){{"Username", text_of(me, "username")}, {"UID/GID", ids},
		       {"Status", out_capital(text_of(me, "state"), state, sizeof(state))},
		       {"Home Dir", text_of(me, "home")}},
	    4);
	json_array_foreach(workspaces, i, w)
	{
		workspace_row(&t, me, w, now, &differs);
	}
	out_printf("\n");
	out_title(NULL, "Workspaces");
	if (!t.rows)
		out_printf("None yet.\n");
	out_table_print(&t);
	if (differs)
		out_printf("\nUID/GID mismatch: ask the administrator of that workspace.\n");
}

static int user_status(struct cli *c)
{
	_cleanup_json_ json_t *me = NULL, *workspaces = NULL, *j = NULL;
	int r = api_call(c, "GET", api_path("/me", NULL), NULL, &me);

	if (!r)
		r = api_list(c, api_path("/workspaces", NULL), "workspaces", &workspaces);
	if (r)
		return r;
	if (c->json) {
		j = json_pack("{s:O, s:O}", "user", me, "workspaces", workspaces);
		out_json(j);
		return STATUS_OK;
	}
	status_print(me, workspaces, c->now);
	return STATUS_OK;
}

/* ---- provision --------------------------------------------------------------------------------*/

struct provision {
	bool fix, made, registered;
	json_t *repaired;	      /* owned: what was put right, as text */
	json_t *me;		      /* owned */
	json_t *key;		      /* owned: as the service knows it, with its hosts */
	char kept[256];		      /* where a key that no longer counts went */
	char broken[FINGERPRINT_MAX]; /* of a key that was set aside and still counts */
};

static void provision_clear(struct provision *p)
{
	json_decref(p->repaired);
	json_decref(p->me);
	json_decref(p->key);
}

static int public_repair(struct cli *c, struct provision *p)
{
	int r;

	if (!p->fix)
		return cli_fail(c, STATUS_LOCAL, "KEY_MISMATCH",
		    "Put the right one back, or make it anew: prism user provision --fix-keys",
		    "%s.pub does not belong to the private key beside it.", KEY_SHOWN);
	r = key_repair_public(c, KEY_NAME);
	if (!r)
		json_array_append_new(p->repaired,
		    json_sprintf("%s.pub did not belong to the private key", KEY_SHOWN));
	return r;
}

static int private_repair(struct cli *c, struct provision *p, const json_t *registered)
{
	char print[FINGERPRINT_MAX] = "";
	int r;

	if (!p->fix)
		return cli_fail(c, STATUS_LOCAL, "KEY_BROKEN",
		    "Put a good copy back, or have a new key made: "
		    "prism user provision --fix-keys",
		    "%s cannot be read as a private key.", KEY_SHOWN);
	/* A public half that is no better only means that there is nothing to tell about it. */
	sshkey_local(c, KEY_NAME, print);
	if (sshkey_find(registered, print))
		snprintf(p->broken, sizeof(p->broken), "%s", print);
	r = key_set_aside(c, KEY_NAME, p->kept, sizeof(p->kept));
	if (!r)
		json_array_append_new(p->repaired,
		    json_sprintf("%s could not be read and is %s now", KEY_SHOWN, p->kept));
	return r;
}

/* Two halves that do not belong together are noticed here, not by a login that fails. */
static int pair_repair(struct cli *c, struct provision *p, const json_t *registered)
{
	enum key_state state = KEY_FINE;
	int r = key_check(c, KEY_NAME, &state);

	if (r || state == KEY_FINE)
		return r;
	return state == KEY_BROKEN ? private_repair(c, p, registered) : public_repair(c, p);
}

/* A key that was revoked never comes back, so a new one takes its place; the old file stays. */
static int renew(struct cli *c, struct provision *p, const char *comment)
{
	bool made;
	int r;

	if (!p->fix)
		return cli_fail(c, STATUS_REFUSED, "KEY_ENDED",
		    "Run: prism user provision --fix-keys",
		    "The key in ~/.prism was retired or revoked.");
	r = key_ensure(c, KEY_NEXT, comment, &made);
	if (!r)
		r = key_replace(c, KEY_NAME, KEY_NEXT, p->kept, sizeof(p->kept));
	p->made = true;
	return r;
}

/* A revoked key is not listed any more; only the attempt to register it tells. */
static int provision_register(struct cli *c, struct provision *p, const char *comment)
{
	char path[CONFIG_PATH_MAX];
	int r = config_path(c, KEY_NAME, path);

	if (!r)
		r = sshkey_register(c, path, p->made ? "generated" : "imported", NULL);
	if (r == STATUS_REFUSED && strcmp(c->error.code, "KEY_TAKEN") == 0) {
		r = renew(c, p, comment);
		if (!r)
			r = sshkey_register(c, path, "generated", NULL);
	}
	p->registered = true;
	return r;
}

/* Have the local key registered and active. */
static int provision_key(struct cli *c, struct provision *p)
{
	_cleanup_json_ json_t *before = NULL, *after = NULL;
	char local[FINGERPRINT_MAX], comment[128];
	const json_t *known;
	int r = sshkey_fetch(c, &before);

	snprintf(comment, sizeof(comment), "%.64s@prism", text_of(p->me, "username"));
	if (!r)
		r = pair_repair(c, p, before);
	if (!r)
		r = key_ensure(c, KEY_NAME, comment, &p->made);
	if (!r)
		r = sshkey_local(c, KEY_NAME, local);
	if (r)
		return r;
	known = sshkey_find(before, local);
	if (known && strcmp(text_of(known, "state"), "active") != 0) {
		r = renew(c, p, comment);
		known = NULL;
	}
	if (!r && !known)
		r = provision_register(c, p, comment);
	if (!r)
		r = sshkey_local(c, KEY_NAME, local);
	if (!r)
		r = sshkey_fetch(c, &after);
	if (!r)
		p->key = json_incref(sshkey_find(after, local));
	return r;
}

static void provision_print(struct cli *c, const struct provision *p)
{
	_cleanup_json_ json_t *j = NULL;
	const json_t *line;
	char ids[48];
	size_t i;

	if (c->json) {
		j = json_pack("{s:O, s:O?, s:b, s:b, s:O}", "user", p->me, "key", p->key, "made",
		    (int)p->made, "registered", (int)p->registered, "repaired", p->repaired);
		out_json(j);
		return;
	}
	ids_text(p->me, ids, sizeof(ids));
	out_title(ICON_USER, "Research User Provisioned");
	out_fields((struct out_field[]){{"Username", text_of(p->me, "username")}, {"UID/GID", ids},
		       {"SSH Key", KEY_SHOWN}, {"Fingerprint", text_of(p->key, "fingerprint")},
		       {"Home Dir", text_of(p->me, "home")},
		       {"Key", p->made	       ? "Made and registered"
			       : p->registered ? "Registered"
					       : "Was registered already"},
		       {"Old key", p->kept}},
	    7);
	json_array_foreach(p->repaired, i, line)
	{
		out_printf("Repaired: %s\n", json_string_value(line));
	}
	if (*p->broken)
		out_printf("\nThe old key still counts for whoever has a copy of it. To end it:\n"
			   "prism user ssh-key revoke %s\n",
		    p->broken);
	if (json_array_size(json_object_get(p->key, "hosts")))
		out_printf("\nOn the workstations:\n");
	sshkey_hosts_print(p->key);
}

static int user_provision(struct cli *c)
{
	_cleanup_(provision_clear) struct provision p = {.repaired = json_array()};
	int r = STATUS_OK;

	p.fix = args_flag(c->args, "fix-keys");
	/* Before anything is read: wrong modes are a reason to refuse to read. */
	if (p.fix)
		r = config_repair(c, p.repaired);
	if (!r)
		r = api_open_logged_in(c);
	if (!r)
		r = api_call(c, "GET", api_path("/me", NULL), NULL, &p.me);
	if (!r)
		r = provision_key(c, &p);
	if (!r)
		provision_print(c, &p);
	return r;
}

/* ---- release-email ----------------------------------------------------------------------------*/

static int user_release_email(struct cli *c)
{
	_cleanup_json_ json_t *user = NULL;
	const char *email = c->args->pos[0];
	int r =
	    api_call(c, "DELETE", api_path("/users/", email, "/emails/", email, NULL), NULL, &user);

	if (r)
		return r;
	if (c->json) {
		out_json(user);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "Address Released");
	out_fields(
	    (struct out_field[]){{"Email", email}, {"Username", text_of(user, "username")}}, 2);
	out_printf("\n%s stays a member of what they are a member of, without this address.\n"
		   "Its owner can be invited now: prism invitation send EMAIL --project PROJECT\n",
	    text_of(user, "username"));
	return STATUS_OK;
}

/* ---- the table --------------------------------------------------------------------------------*/

static const struct option_spec provision_options[] = {
    {"fix-keys", NULL,
	"repair the modes in ~/.prism and replace a key that is broken or no longer counts"},
    {NULL},
};

const struct command user_commands[] = {
    {"user status", "", 0, 0, COMMAND_LOGIN,
	"Show your UID and GID, here and on every workstation.", NULL, user_status},
    {"user provision", "", 0, 0, 0, "Make or register your SSH key.", provision_options,
	user_provision},
    {"user release-email", "EMAIL", 1, 1, COMMAND_LOGIN,
	"Take an address from its account, for superadmins.", NULL, user_release_email},
    {NULL},
};
