/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"

int wait_limit(struct cli *c, int64_t *ret_seconds)
{
	const char *s = args_get(c->args, "timeout");

	*ret_seconds = WAIT_DEFAULT;
	if (!s || clock_parse_duration(s, ret_seconds) == 0)
		return STATUS_OK;
	return cli_fail(
	    c, STATUS_USAGE, "BAD_DURATION", "Give it as 30s or 2m.", "%s is not a duration.", s);
}

void wait_pause(int64_t since)
{
	int64_t ms = clock_mono_ms() - since < 2000 ? 50 : 250;
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static json_t *host_by_id(json_t *hosts, const char *id)
{
	json_t *h;
	size_t n;

	json_array_foreach(hosts, n, h)
	{
		if (strcmp(text_of(h, "id"), id) == 0)
			return h;
	}
	return NULL;
}

/* Note what one answer says; true when no host is behind any more. */
static bool note_round(
    struct cli *c, const json_t *answer, int64_t revision, double seconds, json_t *hosts)
{
	bool all = true;
	const json_t *h;
	size_t n;

	json_array_foreach(json_object_get(answer, "hosts"), n, h)
	{
		json_t *known = host_by_id(hosts, text_of(h, "id"));
		bool done = int_of(h, "applied") >= revision;

		if (!known) {
			known = json_pack("{s:s, s:s, s:n}", "id", text_of(h, "id"), "name",
			    text_of(h, "name"), "seconds");
			json_array_append_new(hosts, known);
		}
		json_object_set_new(known, "applied", json_integer(int_of(h, "applied")));
		if (done && json_is_null(json_object_get(known, "seconds"))) {
			json_object_set_new(known, "seconds", json_real(seconds));
			if (!c->json)
				out_printf(
				    "%-24s applied after %.2f s\n", text_of(h, "name"), seconds);
			fflush(stdout);
		}
		all = all && done;
	}
	return all;
}

int wait_hosts(struct cli *c, const char *project, int64_t revision, int64_t since, int64_t limit,
    json_t **ret_hosts, bool *ret_all)
{
	_cleanup_json_ json_t *hosts = json_array();

	for (;;) {
		_cleanup_json_ json_t *answer = NULL;
		int r = api_call(
		    c, "GET", api_path("/projects/", project, "/revision", NULL), NULL, &answer);
		int64_t ms = clock_mono_ms() - since;

		if (r)
			return r;
		*ret_all = note_round(c, answer, revision, (double)ms / 1000, hosts);
		if (*ret_all || ms > limit * 1000)
			break;
		wait_pause(since);
	}
	*ret_hosts = TAKE_PTR(hosts);
	return STATUS_OK;
}
