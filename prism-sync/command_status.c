/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "api/skew.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/name.h"
#include "commands.h"

enum { STATUS_MS = 5000, SYNC_MS = 60000 };

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

/* As far as the caller may see. */
static bool not_enrolled(const struct globals *g)
{
	char pins[PATHS_MAX + sizeof("/pins")];

	snprintf(pins, sizeof(pins), "%s/pins", g->paths.trust);
	return access(pins, F_OK) < 0 && errno == ENOENT;
}

static int no_agent(const struct globals *g, int rc)
{
	if ((rc == -ENOENT || rc == -ECONNREFUSED) && not_enrolled(g))
		fprintf(stderr, "The agent is not running, since this host is not enrolled.\n"
				"Enrol it: prism-sync enroll --token TOKEN\n"
				"The token comes from: prism host token --project PROJECT\n");
	else if (rc == -ENOENT || rc == -ECONNREFUSED)
		fprintf(stderr,
		    "The agent is not running (nobody answers on %s).\n"
		    "Logins go on from the snapshots that it published last, up to their "
		    "validity.\n"
		    "Start it: systemctl start prism-sync\n",
		    g->paths.socket);
	else if (rc == -EACCES || rc == -EPERM)
		fprintf(stderr, "Only root may ask the agent.\n");
	else
		fprintf(stderr, "The agent does not answer: %s\n", strerror(-rc));
	return 1;
}

static int ask(const struct globals *g, const struct agent_request *rq, int ms, uint8_t *storage,
    struct agent_reply *r)
{
	int rc = agent_call(g->paths.socket, rq, ms, storage, AGENT_PACKET_MAX, r);

	return rc < 0 ? no_agent(g, rc) : 0;
}

/* ---- status ---------------------------------------------------------------------------------- */

static void print_connection(const json_t *j)
{
	const json_t *c = json_object_get(j, "connection");
	char clock[SKEW_TEXT];

	printf("Central service  %s", text(c, "state"));
	if (text(c, "since")[0])
		printf(" since %s", text(c, "since"));
	printf("\n");
	if (text(c, "reason")[0])
		printf("                 %s\n", text(c, "reason"));
	skew_describe(number(c, "clock_skew"), clock);
	if (clock[0])
		printf("CLOCK            %s\n", clock);
}

static void print_generation(const json_t *j)
{
	printf("Published        generation %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
	       " people, %" JSON_INTEGER_FORMAT " of them may log in\n",
	    number(j, "generation"), number(j, "users"), number(j, "active"));
	if (text(j, "valid_until")[0])
		printf("Valid until      %s\n", text(j, "valid_until"));
	if (text(j, "publish_error")[0])
		printf("PUBLISHING FAILS %s\n", text(j, "publish_error"));
}

static void print_feeds(const json_t *j)
{
	size_t i;
	json_t *f;

	json_array_foreach(json_object_get(j, "feeds"), i, f)
	{
		printf("Project          %s: revision %" JSON_INTEGER_FORMAT
		       ", %" JSON_INTEGER_FORMAT " members, heard of %" JSON_INTEGER_FORMAT
		       " seconds ago, valid until %s\n",
		    text(f, "project"), number(f, "revision"), number(f, "members"),
		    number(f, "age_seconds"), text(f, "valid_until"));
		if (number(f, "held") > 0)
			printf("  HELD           %" JSON_INTEGER_FORMAT
			       " people vanished without a removal and are kept as they were\n",
			    number(f, "held"));
	}
	json_array_foreach(json_object_get(j, "held"), i, f)
	    printf("  HELD           %s (%" JSON_INTEGER_FORMAT ") in %s: prism-sync release %s\n",
		text(f, "subject"), number(f, "uid"), text(f, "project"), text(f, "subject"));
}

static void print_logins(const json_t *j)
{
	const json_t *logins = json_object_get(j, "logins");
	const json_int_t n = number(logins, "waiting");

	if (json_is_false(json_object_get(logins, "offered")))
		printf(
		    "Logins           none through a browser: this host was enrolled before there "
		    "were any\n"
		    "                 Enrol it again: prism-sync enroll --force --token TOKEN\n"
		    "                 Then: systemctl restart prism-sync\n"
		    "                 The token comes from: prism host token --project PROJECT\n");
	if (n > 0)
		printf("Logins           %" JSON_INTEGER_FORMAT
		       " waiting for their approval in a browser\n",
		    n);
}

static void print_problems(const json_t *j)
{
	const json_t *homes = json_object_get(j, "homes");
	size_t i;
	json_t *r;

	json_array_foreach(json_object_get(j, "refused"), i, r)
	    printf("Refused here     %s (%" JSON_INTEGER_FORMAT ") %s\n", text(r, "subject"),
		number(r, "id"), text(r, "reason"));
	printf("Homes            %" JSON_INTEGER_FORMAT " ready, %" JSON_INTEGER_FORMAT
	       " waiting\n",
	    number(homes, "ready"), number(homes, "waiting"));
	if (text(homes, "trouble")[0])
		printf("  TROUBLE        %s\n", text(homes, "trouble"));
	json_array_foreach(json_object_get(homes, "failed"), i, r)
	    printf("  No home        %s: %s\n", text(r, "user"), text(r, "reason"));
}

int command_status(const struct globals *g, int argc, char **argv)
{
	static uint8_t storage[AGENT_PACKET_MAX];
	struct agent_reply r;
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 && !as_json) {
		fprintf(stderr, "usage: prism-sync status [--json]\n");
		return EXIT_USAGE;
	}
	int rc = ask(g, &(struct agent_request){.verb = AGENT_STATUS}, STATUS_MS, storage, &r);

	if (rc != 0)
		return rc;
	_cleanup_(json_freep) json_t *j =
	    r.json ? json_loadb(r.json, r.json_len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (j == NULL) {
		fprintf(
		    stderr, "The agent's answer is not understood; is it of another version?\n");
		return 1;
	}
	if (as_json) {
		json_dumpf(j, stdout, JSON_INDENT(2));
		printf("\n");
		return 0;
	}
	print_connection(j);
	print_generation(j);
	print_feeds(j);
	print_problems(j);
	print_logins(j);
	return 0;
}

/* ---- sync ------------------------------------------------------------------------------------ */

int command_sync(const struct globals *g, int argc, char **argv)
{
	static uint8_t storage[AGENT_PACKET_MAX];
	struct agent_reply r;

	if (argc > 1) {
		fprintf(stderr, "usage: prism-sync sync\n");
		return EXIT_USAGE;
	}
	int rc = ask(g, &(struct agent_request){.verb = AGENT_SYNC}, SYNC_MS, storage, &r);

	if (rc != 0)
		return rc;
	if (r.result < 0) {
		fprintf(stderr, "The central service could not be asked: %s\n",
		    r.text[0] ? r.text : strerror(-r.result));
		return 1;
	}
	printf("This host is up to date.\n");
	return 0;
}

/* ---- release --------------------------------------------------------------------------------- */

int command_release(const struct globals *g, int argc, char **argv)
{
	static uint8_t storage[AGENT_PACKET_MAX];
	struct agent_request rq = {.verb = AGENT_RELEASE};
	struct agent_reply r;
	bool all = argc == 2 && strcmp(argv[1], "--all") == 0;

	if (argc != 2 || (!all && !username_valid(argv[1]))) {
		fprintf(stderr, "usage: prism-sync release NAME | --all\n");
		return EXIT_USAGE;
	}
	if (!all)
		snprintf(rq.user, sizeof(rq.user), "%s", argv[1]);
	int rc = ask(g, &rq, STATUS_MS, storage, &r);

	if (rc != 0)
		return rc;
	if (r.result < 0) {
		fprintf(stderr, "Nobody was let go: %s.\n", r.text);
		return 1;
	}
	printf("%s\n", r.text);
	return 0;
}
