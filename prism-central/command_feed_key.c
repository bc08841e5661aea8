/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "command.h"
#include "signing.h"

#define SYNOPSIS       "feed-key status [--json] | next [--in DURATION] | switch [--force]"
/* Beyond the validity, so that a host that comes back in time for its snapshots has heard of it. */
#define MARGIN_SECONDS (24 * 3600)
#define ID_HEX	       HEX_LEN(FEED_KEY_ID_LEN)

/* ---- what the hosts have --------------------------------------------------------------------- */

struct census {
	const struct config *config;
	int64_t now;
	char id[ID_HEX + 1]; /* of the key that is looked for */
	json_t *list;	     /* of all of them, where that is asked for */
	size_t hosts, confirmed;
	size_t waiting; /* seen within the validity, and without the key */
	char first[64]; /* one of those */
};

static const char sql_hosts[] =
    "SELECT name, last_seen, report FROM hosts WHERE state = 'enrolled' ORDER BY name";

static bool report_has(const char *report, const char *id)
{
	json_auto_t *told = report ? json_loads(report, 0, NULL) : NULL;
	const json_t *key;
	size_t i;

	json_array_foreach(json_object_get(told, "keys"), i, key)
	{
		const char *s = json_string_value(key);
		if (s && strcmp(s, id) == 0)
			return true;
	}
	return false;
}

static void census_add(struct census *c, const char *name, int64_t seen, const char *report)
{
	bool has = report_has(report, c->id), recent = seen > c->now - c->config->feed_validity;
	char at[CLOCK_TEXT];

	c->hosts++;
	c->confirmed += has;
	if (!has && recent) {
		if (c->waiting++ == 0)
			snprintf(c->first, sizeof(c->first), "%s", name);
	}
	clock_format(seen, at);
	json_array_append_new(
	    c->list, json_pack("{s:s, s:b, s:s, s:b}", "name", name, "confirmed", (int)has,
			 "last_seen", at, "must_enrol", (int)(!has && !recent)));
}

static int census_tx(struct tx *t, void *arg)
{
	struct census *c = arg;
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_hosts, "", &r);

	if (rc < 0)
		return rc;
	c->hosts = c->confirmed = c->waiting = 0;
	json_array_clear(c->list);
	while ((rc = rows_next(r)) > 0)
		census_add(c, row_text(r, 0) ? row_text(r, 0) : "", row_int(r, 1), row_text(r, 2));
	return rc;
}

static void id_of(const uint8_t key[static FEED_KEY_LEN], char out[static ID_HEX + 1])
{
	uint8_t id[FEED_KEY_ID_LEN];

	feed_key_id(key, id);
	hex_encode(id, sizeof(id), out);
}

/* Open the database, as its owner, and read the keys. 0, or EXIT_FAILED having said why. */
static int begin(const struct config *cfg, struct store **ret, struct signing_keys *keys)
{
	if (state_open_store(cfg, ret) != 0)
		return EXIT_FAILED;
	int r = signing_keys_read(cfg, keys);
	if (r == -ENOENT)
		return command_failed("there is no feed key yet: the service makes it when it "
				      "first starts");
	return r < 0 ? command_failed("the feed key cannot be read: %s", strerror(-r)) : EXIT_OK;
}

/* ---- status ---------------------------------------------------------------------------------- */

static void status_text(const struct census *c, const json_t *status)
{
	const json_t *next = json_object_get(status, "next"), *h;
	size_t i;

	printf("current  %s\n", json_string_value(json_object_get(status, "current")));
	if (json_is_object(next))
		printf("next     %s  from %s\n", c->id,
		    json_string_value(json_object_get(next, "not_before")));
	else
		puts("next     none; make one: prism-central feed-key next");
	printf("\nHosts, and whether they have pinned the %s key:\n",
	    json_is_object(next) ? "next" : "current");
	json_array_foreach(c->list, i, h)
	{
		int64_t seen = 0;
		char ago[CLOCK_TEXT];

		clock_parse(json_string_value(json_object_get(h, "last_seen")), &seen);
		clock_format_ago(seen, c->now, ago);
		printf("  %-24s %-10s seen %s%s\n", json_string_value(json_object_get(h, "name")),
		    json_is_true(json_object_get(h, "confirmed")) ? "confirmed" : "not yet", ago,
		    json_is_true(json_object_get(h, "must_enrol"))
			? "; too long ago: it has to enrol again"
			: "");
	}
	printf("%zu of %zu have confirmed it.\n", c->confirmed, c->hosts);
}

static int status_show(const struct census *c, const char *current, const char *from, bool as_json)
{
	json_auto_t *status = json_pack("{s:s, s:n, s:O, s:I}", "current", current, "next", "hosts",
	    c->list, "confirmed", (json_int_t)c->confirmed);

	if (from)
		json_object_set_new(
		    status, "next", json_pack("{s:s, s:s}", "id", c->id, "not_before", from));
	if (!status)
		return command_failed("%s", strerror(ENOMEM));
	if (!as_json) {
		status_text(c, status);
	} else {
		json_dumpf(status, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return fflush(stdout) == 0 ? EXIT_OK
				   : command_failed("standard output: %s", strerror(errno));
}

static int feed_key_status(const struct config *cfg, bool as_json)
{
	_cleanup_store_ struct store *s = NULL;
	json_auto_t *list = json_array();
	struct signing_keys k;
	struct census c = {.config = cfg, .now = clock_now(), .list = list};
	char current[ID_HEX + 1], from[CLOCK_TEXT];

	if (begin(cfg, &s, &k) != EXIT_OK)
		return EXIT_FAILED;
	id_of(k.current, current);
	id_of(k.announced ? k.next.key : k.current, c.id);
	if (k.announced)
		clock_format(k.next.not_before, from);
	int r = store_tx(s, STORE_READ, census_tx, &c);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	return status_show(&c, current, k.announced ? from : NULL, as_json);
}

/* ---- next ------------------------------------------------------------------------------------ */

struct note {
	const char *action;
	json_t *detail;
	int64_t now;
	bool end_tokens;
};

static const char sql_tokens[] =
    "UPDATE enrol_tokens SET expires_at = $1 WHERE used_at = 0 AND expires_at > $1";

/* Enrolment tokens name the key that signs: those of the old one could only fail half way. */
static int note_tx(struct tx *t, void *arg)
{
	const struct note *n = arg;
	int r = n->end_tokens ? tx_exec(t, sql_tokens, "i", n->now) : 0;

	return r < 0 ? r : audit_append(t, NULL, n->action, "deployment", json_incref(n->detail));
}

static int note(struct store *s, struct note *n)
{
	int r = n->detail ? store_tx(s, STORE_WRITE, note_tx, n) : -ENOMEM;

	json_decref(n->detail);
	return r;
}

static int feed_key_next(const struct config *cfg, int64_t in)
{
	_cleanup_store_ struct store *s = NULL;
	struct signing_keys k;
	char id[ID_HEX + 1], from[CLOCK_TEXT];
	int64_t now = clock_now();

	if (begin(cfg, &s, &k) != EXIT_OK)
		return EXIT_FAILED;
	int r = signing_next_make(cfg, now + in);
	if (r == -EEXIST)
		return command_failed("a next key is announced already; see: prism-central "
				      "feed-key status. To begin anew, remove feed.next.key");
	if (r == 0)
		r = signing_keys_read(cfg, &k);
	if (r < 0)
		return command_failed("the next key could not be made: %s", strerror(-r));
	id_of(k.next.key, id);
	clock_format(k.next.not_before, from);
	struct note n = {.action = "feed-key.next",
	    .detail = json_pack("{s:s, s:s}", "next", id, "not_before", from)};
	r = note(s, &n);
	if (r < 0)
		return command_failed("the key is made, but not in the audit: %s", strerror(-r));
	printf("The next key is %s; it can sign from %s on.\n", id, from);
	if (in < cfg->feed_validity)
		puts("That is before a host that is away now would have to come back: such a host\n"
		     "would have to enrol again.");
	puts("Announce it to the hosts: systemctl reload prism-central\n"
	     "Then watch them confirm:  prism-central feed-key status");
	return EXIT_OK;
}

/* ---- switch ---------------------------------------------------------------------------------- */

/* 0 when nothing speaks against it. */
static int switch_check(
    struct store *s, const struct config *cfg, const struct signing_keys *k, bool force)
{
	struct census c = {.config = cfg, .now = clock_now()};
	char from[CLOCK_TEXT];

	if (!k->announced)
		return command_failed("there is no next key: prism-central feed-key next");
	clock_format(k->next.not_before, from);
	if (c.now < k->next.not_before)
		return command_failed(
		    "until %s every host refuses the next key: switch after that", from);
	id_of(k->next.key, c.id);
	int r = store_tx(s, STORE_READ, census_tx, &c);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	if (c.waiting == 0)
		return EXIT_OK;
	if (!force)
		return command_failed("%zu of %zu hosts have not confirmed the next key, among "
				      "them %s; see: prism-central feed-key status. With --force "
				      "they have to enrol again",
		    c.waiting, c.hosts, c.first);
	printf("%zu of %zu hosts have not confirmed the next key: they have to enrol again.\n",
	    c.waiting, c.hosts);
	return EXIT_OK;
}

static int feed_key_switch(const struct config *cfg, bool force)
{
	_cleanup_store_ struct store *s = NULL;
	struct signing_keys k;
	char old[ID_HEX + 1], new[ID_HEX + 1];

	if (begin(cfg, &s, &k) != EXIT_OK || switch_check(s, cfg, &k, force) != EXIT_OK)
		return EXIT_FAILED;
	id_of(k.current, old);
	id_of(k.next.key, new);
	struct note n = {.action = "feed-key.switch",
	    .detail = json_pack("{s:s, s:s, s:b}", "from", old, "to", new, "force", (int)force),
	    .now = clock_now(),
	    .end_tokens = true};
	int r = note(s, &n);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	r = signing_next_switch(cfg);
	if (r < 0)
		return command_failed(
		    "the key could not be switched: %s; run it again", strerror(-r));
	printf("The feed's key is %s now; the old one is kept beside it, in .old.\n"
	       "Sign with it: systemctl restart prism-central\n"
	       "Enrolment tokens that were not used have ended: make new ones after that.\n",
	    new);
	return EXIT_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

struct options {
	const char *in;
	bool force, json;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
	    {"in", required_argument, NULL, 'i'},
	    {"force", no_argument, NULL, 'f'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};

	optind = 0;
	for (int k; (k = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
		if (k == 'i')
			o->in = optarg;
		else if (k == 'f')
			o->force = true;
		else if (k == 'j')
			o->json = true;
		else
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

int command_feed_key(int argc, char **argv, struct config *cfg)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int64_t in = cfg->feed_validity + MARGIN_SECONDS;
	struct options o = {.in = NULL};

	if (argc < 2 || parse(argc - 1, argv + 1, &o) < 0)
		return command_usage(SYNOPSIS);
	if (strcmp(verb, "next") == 0 && !o.force && !o.json) {
		if (o.in && clock_parse_duration(o.in, &in) < 0)
			return command_failed("%s is not a duration: give it as 9d or 36h", o.in);
		return feed_key_next(cfg, in);
	}
	if (strcmp(verb, "switch") == 0 && !o.in && !o.json)
		return feed_key_switch(cfg, o.force);
	if (strcmp(verb, "status") == 0 && !o.in && !o.force)
		return feed_key_status(cfg, o.json);
	return command_usage(SYNOPSIS);
}
