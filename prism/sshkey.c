/* SPDX-License-Identifier: MIT */
#include "sshkey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/attr.h"
#include "base/clock.h"
#include "command.h"
#include "config.h"
#include "keyproof.h"
#include "output.h"
#include "wait.h"

#define GRACE_DEFAULT 86400

/* ---- what the service knows -------------------------------------------------------------------*/

int sshkey_fetch(struct cli *c, json_t **ret_list)
{
	return api_list(c, api_path("/me/ssh-keys", NULL), "keys", ret_list);
}

json_t *sshkey_find(const json_t *list, const char *fingerprint)
{
	json_t *k;
	size_t i;

	json_array_foreach(list, i, k)
	{
		if (*fingerprint && strcmp(text_of(k, "fingerprint"), fingerprint) == 0)
			return k;
	}
	return NULL;
}

int sshkey_local(struct cli *c, const char *name, char *out)
{
	_cleanup_free_ char *line = NULL;
	char path[CONFIG_PATH_MAX], pub[CONFIG_PATH_MAX];
	int r = config_path(c, name, path);

	out[0] = '\0';
	if (r || snprintf(pub, sizeof(pub), "%s.pub", path) >= (int)sizeof(pub))
		return STATUS_LOCAL;
	if (access(pub, F_OK) < 0)
		return STATUS_OK;
	r = key_public(c, path, &line);
	if (!r)
		key_fingerprint(line, out);
	return r;
}

int sshkey_register(struct cli *c, const char *path, const char *origin, json_t **ret)
{
	_cleanup_json_ json_t *challenge = NULL;
	json_t *proof = NULL;
	int r = api_call(
	    c, "POST", api_path("/me/ssh-keys/challenge", NULL), json_object(), &challenge);

	if (!r)
		r = key_proof(c, path, text_of(challenge, "nonce"), &proof);
	if (r)
		return r;
	json_object_set(proof, "nonce", json_object_get(challenge, "nonce"));
	json_object_set_new(proof, "origin", json_string(origin));
	return api_call(c, "POST", api_path("/me/ssh-keys", NULL), proof, ret);
}

/* ---- hosts ------------------------------------------------------------------------------------*/

static const char *host_name(const json_t *h)
{
	const char *name = text_of(h, "host");

	return *name ? name : text_of(h, "name");
}

static bool host_applied(const json_t *h)
{
	return json_is_true(json_object_get(h, "applied"));
}

/* "refusals": a host that refuses the person is told from those that have the key. */
static void hosts_table(const json_t *hosts, const char *applied, bool refusals)
{
	_cleanup_(out_table_free) struct out_table t = {0};
	const json_t *h;
	size_t i;

	json_array_foreach(hosts, i, h)
	{
		char revision[40];
		const char *why = refusals ? text_of(h, "reason") : "";
		const char *what = host_applied(h) ? applied : "Not yet";

		snprintf(revision, sizeof(revision), "revision %lld",
		    (long long)int_of(h, "revision_applied"));
		out_table_add(&t, (const char *[]){"  ", host_name(h), text_of(h, "project"),
				      *why ? "Refused" : what, revision, why, NULL});
	}
	out_table_print(&t);
}

void sshkey_hosts_print(const json_t *key)
{
	hosts_table(json_object_get(key, "hosts"), "Present", true);
}

void sshkey_hosts_told(const json_t *hosts)
{
	hosts_table(hosts, "Applied", false);
}

bool sshkey_everywhere(const json_t *key)
{
	const json_t *h;
	size_t i;

	json_array_foreach(json_object_get(key, "hosts"), i, h)
	{
		if (!host_applied(h))
			return false;
	}
	return true;
}

int sshkey_wait(struct cli *c, const char *fingerprint, int64_t limit, json_t **ret, bool *ret_all)
{
	int64_t since = clock_mono_ms();

	for (;;) {
		_cleanup_json_ json_t *list = NULL;
		int r = sshkey_fetch(c, &list);
		json_t *key = sshkey_find(list, fingerprint);

		if (r)
			return r;
		*ret_all = key && sshkey_everywhere(key);
		if (*ret_all || clock_mono_ms() - since > limit * 1000) {
			*ret = json_incref(key);
			return STATUS_OK;
		}
		wait_pause(since);
	}
}

/* ---- status -----------------------------------------------------------------------------------*/

static void status_print(const json_t *list, const char *local, int64_t now)
{
	const json_t *k;
	size_t i;

	out_title(NULL, "SSH Keys");
	out_fields(
	    (struct out_field[]){{"Here", *local ? KEY_SHOWN : "no key yet"},
		{"Fingerprint", local}, {"Registered", sshkey_find(list, local) ? "Yes" : "No"}},
	    3);
	json_array_foreach(list, i, k)
	{
		char state[32], until[64] = "", ago[CLOCK_TEXT] = "";

		if (time_of(k, "created_at"))
			clock_format_ago(time_of(k, "created_at"), now, ago);
		if (time_of(k, "not_after"))
			clock_format_remaining(time_of(k, "not_after"), now, until);
		out_printf("\n%s  %s  %s%s%s\n", text_of(k, "fingerprint"),
		    out_capital(text_of(k, "state"), state, sizeof(state)), ago, *until ? "  " : "",
		    until);
		sshkey_hosts_print(k);
	}
	if (!sshkey_find(list, local))
		out_printf("\nRun: prism user provision\n");
}

static int sshkey_status(struct cli *c)
{
	_cleanup_json_ json_t *list = NULL;
	char local[FINGERPRINT_MAX];
	int r = sshkey_local(c, KEY_NAME, local);

	if (!r)
		r = sshkey_fetch(c, &list);
	if (r)
		return r;
	if (c->json)
		out_json(list);
	else
		status_print(list, local, c->now);
	return STATUS_OK;
}

/* ---- add --------------------------------------------------------------------------------------*/

static int sshkey_add(struct cli *c)
{
	const char *path = c->args->npos ? c->args->pos[0] : NULL;
	_cleanup_json_ json_t *key = NULL;
	char own[CONFIG_PATH_MAX];
	bool made = false;
	int r = STATUS_OK;

	if (!path) {
		r = key_ensure(c, KEY_NAME, "prism", &made);
		if (r || config_path(c, KEY_NAME, own))
			return r ? r : STATUS_LOCAL;
		path = own;
	}
	r = sshkey_register(c, path, made ? "generated" : "imported", &key);
	if (r)
		return r;
	if (c->json) {
		out_json(key);
		return STATUS_OK;
	}
	out_title(ICON_DONE, "SSH Key Added");
	out_fields((struct out_field[]){{"Fingerprint", text_of(key, "fingerprint")}}, 1);
	return STATUS_OK;
}

/* ---- rotate -----------------------------------------------------------------------------------*/

struct rotation {
	int64_t grace, limit;
	char old[FINGERPRINT_MAX], next[FINGERPRINT_MAX];
	char kept[256]; /* where the old key went */
	json_t *key;	/* the new one; owned */
	json_t *list;	/* what was registered before; owned */
	bool everywhere;
};

static void rotation_clear(struct rotation *r)
{
	json_decref(r->key);
	json_decref(r->list);
}

int sshkey_grace(struct cli *c, int64_t *grace)
{
	const char *given = args_get(c->args, "grace");

	if (given && strcmp(given, "0") == 0)
		*grace = 0;
	else if (given && clock_parse_duration(given, grace))
		return cli_fail(c, STATUS_USAGE, "BAD_DURATION", "Give it as 24h, or 0.",
		    "%s is not a duration.", given);
	return STATUS_OK;
}

static int rotation_options(struct cli *c, struct rotation *o)
{
	int r;

	o->grace = GRACE_DEFAULT;
	r = sshkey_grace(c, &o->grace);
	return r ? r : wait_limit(c, &o->limit);
}

/* Make (or, after a rotation that broke off, take up) the next key and have it registered. */
static int rotation_begin(struct cli *c, struct rotation *o)
{
	char path[CONFIG_PATH_MAX], comment[128];
	bool made;
	int r = sshkey_local(c, KEY_NAME, o->old);

	snprintf(comment, sizeof(comment), "%.64s@prism",
	    config_username(c, c->server) ? config_username(c, c->server) : "");
	if (!r)
		r = sshkey_fetch(c, &o->list);
	if (!r)
		r = key_ensure(c, KEY_NEXT, comment, &made);
	if (!r)
		r = sshkey_local(c, KEY_NEXT, o->next);
	if (!r)
		r = config_path(c, KEY_NEXT, path);
	if (!r && !sshkey_find(o->list, o->next))
		r = sshkey_register(c, path, "generated", NULL);
	return r;
}

static int rotation_retire(struct cli *c, const struct rotation *o)
{
	const json_t *old = sshkey_find(o->list, o->old);
	char grace[32];

	if (!old)
		return STATUS_OK;
	snprintf(grace, sizeof(grace), "%lld", (long long)o->grace);
	return api_call(c, "DELETE",
	    api_path("/me/ssh-keys/", text_of(old, "id"), "?grace=", grace, NULL), NULL, NULL);
}

static int rotation_print(struct cli *c, const struct rotation *o)
{
	char grace[64];
	json_t *j;

	if (c->json) {
		j = json_pack("{s:O?, s:s, s:I, s:s, s:b}", "key", o->key, "old_fingerprint",
		    o->old, "grace", (json_int_t)o->grace, "old_key", o->kept, "everywhere",
		    (int)o->everywhere);
		out_json(j);
		json_decref(j);
		return STATUS_OK;
	}
	out_deadline(c->now + o->grace, c->now, grace, sizeof(grace));
	out_title(ICON_DONE, "SSH Key Rotated");
	out_fields((struct out_field[]){{"SSH Key", KEY_SHOWN}, {"Fingerprint", o->next},
		       {"Old key", o->kept}, {"Old key ends", o->grace ? grace : "now"}},
	    4);
	sshkey_hosts_print(o->key);
	return STATUS_OK;
}

/*
 * The old key is retired only once the new one is where it must be, or while the old one stays good
 * for a while: nobody locks themselves out.
 */
static int sshkey_rotate(struct cli *c)
{
	_cleanup_(rotation_clear) struct rotation o = {0};
	int r = rotation_options(c, &o);

	if (!r)
		r = rotation_begin(c, &o);
	if (!r)
		r = sshkey_wait(c, o.next, o.limit, &o.key, &o.everywhere);
	if (r)
		return r;
	if (!o.everywhere && !o.grace)
		return cli_fail(c, STATUS_UNREACHABLE, "HOSTS_PENDING",
		    "Run it again, or give the old key a grace: --grace 24h",
		    "Not every workstation has the new key yet, so the old one stays.");
	r = key_replace(c, KEY_NAME, KEY_NEXT, o.kept, sizeof(o.kept));
	if (!r)
		r = rotation_retire(c, &o);
	return r ? r : rotation_print(c, &o);
}

/* ---- the table --------------------------------------------------------------------------------*/

static const struct option_spec rotate_options[] = {
    {"grace", "DURATION", "how long the old key stays good; default: 24h; 0: not at all"},
    {"timeout", "DURATION", "how long to wait for the workstations; default: 60s"},
    {NULL},
};

static const struct option_spec revoke_options[] = {
    {"grace", "DURATION", "how long the key stays good; default: 0, not at all"},
    {"yes", NULL, "do not ask, even if it is your last key or the one of this machine"},
    {NULL},
};

const struct command sshkey_commands[] = {
    {"user ssh-key status", "", 0, 0, COMMAND_LOGIN,
	"Show your SSH keys and which workstations have them.", NULL, sshkey_status},
    {"user ssh-key add", "[FILE]", 0, 1, COMMAND_LOGIN,
	"Register a key that you have; default: the one of ~/.prism.", NULL, sshkey_add},
    {"user ssh-key rotate", "", 0, 0, COMMAND_LOGIN,
	"Make a new SSH key, spread it, then retire the old one.", rotate_options, sshkey_rotate},
    {"user ssh-key revoke", "FINGERPRINT|ID", 1, 1, COMMAND_LOGIN,
	"End a key, such as that of a lost laptop.", revoke_options, sshkey_revoke},
    {NULL},
};
