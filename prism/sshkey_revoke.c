/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "command.h"
#include "keyproof.h"
#include "output.h"
#include "prompt.h"
#include "sshkey.h"

struct revocation {
	int64_t grace;
	char fingerprint[FINGERPRINT_MAX];
	bool here, last; /* the key of this machine; no other one is active */
	json_t *key;	 /* as it is after that; owned */
	json_t *hosts;	 /* owned */
};

static void revocation_clear(struct revocation *o)
{
	json_decref(o->key);
	json_decref(o->hosts);
}

/* By ID, or by fingerprint with or without what ssh-keygen puts before it. */
static json_t *key_named(const json_t *list, const char *name)
{
	const char *prefix = "SHA256:";
	json_t *k;
	size_t i;

	json_array_foreach(list, i, k)
	{
		const char *print = text_of(k, "fingerprint");

		if (*print && strcmp(print, name) == 0)
			return k;
		if (strncmp(print, prefix, strlen(prefix)) == 0 &&
		    strcmp(print + strlen(prefix), name) == 0)
			return k;
		if (strcmp(text_of(k, "id"), name) == 0)
			return k;
	}
	return NULL;
}

static bool other_active(const json_t *list, const json_t *key)
{
	const json_t *k;
	size_t i;

	json_array_foreach(list, i, k)
	{
		if (k != key && strcmp(text_of(k, "state"), "active") == 0)
			return true;
	}
	return false;
}

/* What would lock the person out of this machine, or out of everything, is asked about. */
static int revocation_confirm(struct cli *c, const struct revocation *o)
{
	const char *what = o->last ? "This is your last active key" : "This machine uses this key";
	bool yes = false;
	int r;

	if ((!o->here && !o->last) || args_flag(c->args, "yes"))
		return STATUS_OK;
	if (c->json || !prompt_possible())
		return cli_fail(c, STATUS_USAGE, "CONFIRM", "To end it all the same, add --yes.",
		    "%s: %s", what, o->fingerprint);
	err_printf("%s: %s\n", what, o->fingerprint);
	r = prompt_yes(c, "Revoke it? [y/N] ", &yes);
	if (r || yes)
		return r;
	return cli_fail(c, STATUS_LOCAL, "NOT_CONFIRMED", "Your keys: prism user ssh-key status",
	    "Nothing was revoked.");
}

/* The hosts of any key that is left tell which of them have heard of the change. */
static int revocation_send(struct cli *c, struct revocation *o, const char *id)
{
	_cleanup_json_ json_t *after = NULL;
	char grace[32];
	int r;

	snprintf(grace, sizeof(grace), "%lld", (long long)o->grace);
	r = api_call(
	    c, "DELETE", api_path("/me/ssh-keys/", id, "?grace=", grace, NULL), NULL, &o->key);
	if (!r)
		r = sshkey_fetch(c, &after);
	if (!r)
		o->hosts = json_incref(json_object_get(json_array_get(after, 0), "hosts"));
	return r;
}

static void revocation_print(struct cli *c, const struct revocation *o)
{
	_cleanup_json_ json_t *j = NULL;
	char until[64] = "now";

	if (c->json) {
		j = json_pack("{s:O?, s:O?}", "key", o->key, "hosts", o->hosts);
		out_json(j);
		return;
	}
	if (o->grace)
		out_deadline(c->now + o->grace, c->now, until, sizeof(until));
	out_title(ICON_DONE, o->grace ? "SSH Key Retired" : "SSH Key Revoked");
	out_fields((struct out_field[]){{"Fingerprint", o->fingerprint}, {"Ends", until}}, 2);
	sshkey_hosts_told(o->hosts);
	if (o->here)
		out_printf("\nFor a new key on this machine: prism user provision --fix-keys\n");
}

int sshkey_revoke(struct cli *c)
{
	_cleanup_(revocation_clear) struct revocation o = {0};
	_cleanup_json_ json_t *list = NULL;
	char local[FINGERPRINT_MAX] = "";
	const json_t *key;
	int r = sshkey_grace(c, &o.grace);

	if (!r)
		r = sshkey_fetch(c, &list);
	if (r)
		return r;
	key = key_named(list, c->args->pos[0]);
	if (!key)
		return cli_fail(c, STATUS_REFUSED, "NOT_FOUND",
		    "Your keys: prism user ssh-key status", "You have no key %s that still counts.",
		    c->args->pos[0]);
	snprintf(o.fingerprint, sizeof(o.fingerprint), "%s", text_of(key, "fingerprint"));
	/* A key here that cannot be read is no reason to keep a lost one. */
	sshkey_local(c, KEY_NAME, local);
	o.here = strcmp(local, o.fingerprint) == 0;
	o.last = !other_active(list, key);
	r = revocation_confirm(c, &o);
	if (!r)
		r = revocation_send(c, &o, text_of(key, "id"));
	if (!r)
		revocation_print(c, &o);
	return r;
}
