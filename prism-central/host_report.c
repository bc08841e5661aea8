/* SPDX-License-Identifier: MIT */

/*
 * What a host says about itself: what it has published, what it refuses, which ids it uses. It is
 * kept as said (within bounds) and shown to the host's admins; nothing is granted because of it.
 */
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "audit.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/log.h"
#include "central.h"
#include "domain.h"
#include "feed/feed.h"
#include "host_feed.h"
#include "host_local.h"
#include "host_name.h"
#include "ratelimit.h"

#define REPORT_MAX (64u << 10)

struct applied {
	char feed_id[HEX_LEN(FEED_ID_LEN) + 1];
	int64_t epoch, revision;
};

struct report {
	struct act act;
	struct applied applied[FEED_MANIFEST_MAX];
	size_t napplied;
	char *text;	     /* as kept; owned */
	char *ssh_host_keys; /* owned; NULL: not told */
	const char *hostname, *address;
};

/* ---- what was sent --------------------------------------------------------------------------- */

/* What is kept of a report, and of which type it must be. */
static const struct {
	const char *name;
	json_type type;
} kept[] = {
    {"generation", JSON_INTEGER},
    {"clock", JSON_INTEGER},
    {"clock_skew", JSON_INTEGER},
    {"version", JSON_STRING},
    {"refused", JSON_ARRAY},
    {"held", JSON_ARRAY},
    {"homes", JSON_OBJECT},
    {"highest", JSON_OBJECT},
    {"keys", JSON_ARRAY},
};

static int report_text(const json_t *body, char **ret)
{
	json_auto_t *out = json_object();

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		json_t *v = json_object_get(body, kept[i].name);
		if (!v || json_is_null(v))
			continue;
		if (json_typeof(v) != kept[i].type)
			return -EINVAL;
		if (json_object_set(out, kept[i].name, v) < 0)
			return -ENOMEM;
	}
	char *text = json_dumps(out, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > REPORT_MAX) {
		free(text);
		return -EMSGSIZE;
	}
	*ret = text;
	return 0;
}

static int applied_read(const json_t *v, struct applied *ret)
{
	const char *id = json_string_value(json_object_get(v, "id"));
	const json_t *epoch = json_object_get(v, "epoch"), *rev = json_object_get(v, "revision");
	uint8_t raw[FEED_ID_LEN];

	if (!id || strlen(id) != HEX_LEN(FEED_ID_LEN) ||
	    hex_decode(id, strlen(id), raw, sizeof(raw)) != sizeof(raw))
		return -EINVAL;
	if (!json_is_integer(epoch) || !json_is_integer(rev) || json_integer_value(epoch) < 0 ||
	    json_integer_value(rev) < 0)
		return -EINVAL;
	memcpy(ret->feed_id, id, sizeof(ret->feed_id));
	ret->epoch = json_integer_value(epoch);
	ret->revision = json_integer_value(rev);
	return 0;
}

static int feeds_read(const json_t *feeds, struct report *p)
{
	size_t n = json_array_size(feeds);

	if (feeds && (!json_is_array(feeds) || n > FEED_MANIFEST_MAX))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int r = applied_read(json_array_get(feeds, i), &p->applied[i]);
		if (r < 0)
			return r;
	}
	p->napplied = n;
	return 0;
}

/* What is empty is not told. */
static bool reach_read(struct report *p)
{
	if (p->hostname && !*p->hostname)
		p->hostname = NULL;
	if (p->address && !*p->address)
		p->address = NULL;
	return (!p->hostname || address_valid(p->hostname)) &&
	       (!p->address || address_valid(p->address));
}

static const char *report_read(struct request *rq, struct report *p)
{
	const json_t *keys = json_object_get(rq->body, "ssh_host_keys");

	if (!rq->body)
		return "The report is not a JSON object.";
	if (feeds_read(json_object_get(rq->body, "feeds"), p) < 0)
		return "The list of feeds is not understood.";
	if (!body_string(rq, "hostname", &p->hostname) || !body_string(rq, "address", &p->address))
		return "The host name and the address are texts.";
	if (!reach_read(p))
		return "The host name or the address is not acceptable.";
	if (keys && !json_is_null(keys) && host_keys_check(keys, &p->ssh_host_keys) < 0)
		return "The SSH host keys are not acceptable.";
	if (!host_ids_valid(json_object_get(rq->body, "local_ids")))
		return "The local ids are not acceptable.";
	if (report_text(rq->body, &p->text) < 0)
		return "The report is too large or has a value of a wrong type.";
	return NULL;
}

/* ---- what was kept --------------------------------------------------------------------------- */

char *host_report_refusal(const char *report, const char *username, int64_t uid)
{
	json_auto_t *kept_report = report ? json_loads(report, 0, NULL) : NULL;
	const json_t *refusal;
	char number[24];
	size_t i;

	snprintf(number, sizeof(number), "%" PRId64, uid);
	json_array_foreach(json_object_get(kept_report, "refused"), i, refusal)
	{
		const char *subject = json_string_value(json_object_get(refusal, "subject"));
		const char *reason = json_string_value(json_object_get(refusal, "reason"));

		if (subject && (strcmp(subject, username) == 0 || strcmp(subject, number) == 0))
			return strdup(reason ? reason : "refused");
	}
	return NULL;
}

/* ---- the transaction ------------------------------------------------------------------------- */

static const char sql_host[] = "SELECT hostname, address, ssh_host_keys FROM hosts"
			       " WHERE id = $1 AND state = 'enrolled'";

/* 1: the host is now to be reached differently. */
static int host_differs(struct tx *t, const struct report *p)
{
	_cleanup_rows_ struct rows *r = NULL;
	const char *const now[] = {p->hostname, p->address, p->ssh_host_keys};
	int rc = tx_query(t, sql_host, "i", &r, p->act.rq->who.id);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EACCES;
	for (int i = 0; i < (int)ARRAY_SIZE(now); i++) {
		const char *old = row_text(r, i);
		if (now[i] && (!old || strcmp(old, now[i]) != 0))
			return 1;
	}
	return 0;
}

/*
 * The audit keeps each change of where a host is reached and by which keys, and none must happen
 * without: so there may not be many. A report after this one brings it again.
 */
static bool change_affords(const struct request *rq)
{
	char key[24];

	snprintf(key, sizeof(key), "%" PRId64, rq->who.id);
	unsigned wait = ratelimit_take(RATELIMIT_HOST_CHANGE, key);
	if (wait)
		log_event(LOG_LEVEL_WARN, "host-change-refused", "host", "%s", rq->who.name,
		    "again_s", "%u", wait, NULL);
	return wait == 0;
}

static const char sql_store[] =
    "UPDATE hosts SET report = $1, reported_at = $2, last_seen = $2 WHERE id = $3";
static const char sql_reach[] =
    "UPDATE hosts SET hostname = COALESCE($1, hostname), address = COALESCE($2, address),"
    " ssh_host_keys = COALESCE($3, ssh_host_keys) WHERE id = $4";

static int host_store(struct tx *t, const struct report *p)
{
	struct request *rq = p->act.rq;
	int differs = host_differs(t, p);

	if (differs < 0)
		return differs;
	int r = tx_exec(t, sql_store, "sii", p->text, rq->now, rq->who.id);
	if (r < 0 || !differs || !change_affords(rq))
		return r;
	r = tx_exec(t, sql_reach, "sssi", p->hostname, p->address, p->ssh_host_keys, rq->who.id);
	if (r < 0)
		return r;
	return audit_object(t, rq, "host.change", "host", rq->who.name,
	    json_pack("{s:s?, s:s?, s:s?}", "hostname", p->hostname, "address", p->address,
		"ssh_host_keys", p->ssh_host_keys));
}

/* Only feeds of its own projects, and only revisions that there are. */
static const char sql_applied[] =
    "INSERT INTO host_applied (host_id, project_id, epoch, revision)"
    " SELECT hp.host_id, hp.project_id, $3, $4 FROM host_projects hp"
    " JOIN feeds f ON f.project_id = hp.project_id"
    " WHERE hp.host_id = $1 AND f.feed_id = $2 AND (f.epoch <> $3 OR f.revision >= $4)"
    " ON CONFLICT (host_id, project_id) DO UPDATE SET"
    " epoch = excluded.epoch, revision = excluded.revision";

static int ids_store(struct tx *t, const struct report *p)
{
	struct request *rq = p->act.rq;
	struct host_ids ids = {.host = rq->who.id, .now = rq->now, .config = &rq->central->config};

	int r = host_ids_raise(t, &ids, json_object_get(rq->body, "highest"));
	if (r == 0)
		r = host_ids_burn(t, &ids, json_object_get(rq->body, "local_ids"));
	if (r < 0)
		return r;
	if (ids.clashes)
		log_event(LOG_LEVEL_WARN, "host-id-clash", "host", "%s", rq->who.name, "ids", "%lu",
		    (unsigned long)ids.clashes, NULL);
	if (!ids.burned)
		return 0;
	return audit_object(t, rq, "host.burn-ids", "host", rq->who.name,
	    json_pack("{s:i}", "count", (int)ids.burned));
}

static int report_tx(struct tx *t, struct act *a)
{
	struct report *p = (struct report *)a;

	int r = host_store(t, p);
	if (r == -EACCES)
		return act_fail(a, API_NOT_LOGGED_IN, "This host is not enrolled.");
	for (size_t i = 0; r == 0 && i < p->napplied; i++) {
		const struct applied *x = &p->applied[i];
		r = tx_exec(
		    t, sql_applied, "isii", a->rq->who.id, x->feed_id, x->epoch, x->revision);
	}
	return r < 0 ? r : ids_store(t, p);
}

void host_report_store(struct request *rq, struct reply *rp)
{
	struct report p = {.act = {.fn = report_tx, .rq = rq, .status = 204}};
	const char *fault = report_read(rq, &p);

	if (fault)
		reply_error(rp, API_INVALID_VALUE, "%s", fault);
	else
		act_run(&p.act, STORE_WRITE, rp);
	free(p.text);
	free(p.ssh_host_keys);
}
