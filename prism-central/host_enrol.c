/* SPDX-License-Identifier: MIT */

/*
 * Threat model: whoever holds an enrolment token may add one host, once. The token MUST be used up
 * in the transaction that adds the host, so that two that race cannot both win, and a failure
 * leaves it usable; it MUST die with its maker's right to make one; a key that was ever enrolled
 * MUST NOT come back; what the host says of itself MUST be checked before anybody's command line or
 * screen sees it.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/token.h"
#include "audit.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/name.h"
#include "central.h"
#include "domain.h"
#include "host_feed.h"
#include "host_local.h"
#include "host_name.h"
#include "ratelimit.h"

struct enrol {
	struct act act;
	char secret_hash[65];
	char key[65];
	const char *name, *hostname, *address;
	char *ssh_host_keys; /* owned */
	/* of the transaction */
	int64_t token, project, org;
	char slug[SLUG_MAX + 1];
	char token_name[HOST_NAME_MAX_ + 1];
	struct feed_state feed;
};

/* ---- what was sent --------------------------------------------------------------------------- */

/* base64url of exactly 32 bytes, as hex in out; hashed first where "hash". */
static bool bytes32(const struct request *rq, const char *name, bool hash, char out[65])
{
	const char *text = request_str(rq, name);
	uint8_t raw[32], digest[32];

	if (!text || base64url_decode(text, strlen(text), raw, sizeof(raw)) != sizeof(raw))
		return false;
	if (hash)
		token_hash(raw, digest);
	hex_encode(hash ? digest : raw, 32, out);
	explicit_bzero(raw, sizeof(raw));
	return true;
}

/*
 * Where people reach the host, when it does not say: by its full name, or else by where it called
 * from, since a short name means something on its own network at best.
 */
static const char *address_guess(const struct request *rq, const char *hostname)
{
	const char *peer = rq->peer ? rq->peer : "";
	bool remote = strcmp(peer, "unix") != 0 && strncmp(peer, "127.", 4) != 0 &&
		      strcmp(peer, "::1") != 0 && address_valid(peer);

	return remote && !strchr(hostname, '.') ? peer : hostname;
}

static const char *names_read(struct request *rq, struct enrol *e)
{
	if (!body_string(rq, "name", &e->name) || !body_string(rq, "hostname", &e->hostname) ||
	    !body_string(rq, "address", &e->address))
		return "The name, host name and address are texts.";
	if (e->name && *e->name && !hostname_valid(e->name))
		return HOSTNAME_RULE;
	if (!e->hostname || !address_valid(e->hostname))
		return "The host name is not acceptable.";
	if (!e->address || !*e->address)
		e->address = address_guess(rq, e->hostname);
	return address_valid(e->address) ? NULL : "The address is not acceptable.";
}

static const char *enrol_read(struct request *rq, struct enrol *e)
{
	if (!bytes32(rq, "secret", true, e->secret_hash))
		return "The secret is not 32 bytes in base64url.";
	if (!bytes32(rq, "public_key", false, e->key))
		return "The public key is not 32 bytes in base64url.";
	const char *fault = names_read(rq, e);
	if (fault)
		return fault;
	if (host_keys_check(json_object_get(rq->body, "ssh_host_keys"), &e->ssh_host_keys) < 0)
		return "The SSH host keys are not acceptable.";
	if (!host_ids_valid(json_object_get(rq->body, "local_ids")))
		return "The local ids are not acceptable.";
	return NULL;
}

/* ---- the transaction ------------------------------------------------------------------------- */

static const char sql_use[] = "UPDATE enrol_tokens SET used_at = $1"
			      " WHERE secret_hash = $2 AND used_at = 0 AND expires_at > $1";
/* The last column: whether the person who made the token could make it now. */
static const char sql_used[] =
    "SELECT e.id, e.project_id, e.name, p.organization_id, p.slug, p.state,"
    " CASE WHEN u.state = 'active' AND (u.superadmin = 1 OR EXISTS (SELECT 1 FROM memberships m"
    " JOIN role_permissions rp ON rp.role_id = m.role_id WHERE m.project_id = e.project_id"
    " AND m.user_id = u.id AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $2)"
    " AND rp.permission IN ('*', 'hosts:*', 'hosts:enrol'))) THEN 1 ELSE 0 END"
    " FROM enrol_tokens e JOIN projects p ON p.id = e.project_id"
    " JOIN users u ON u.id = e.created_by WHERE e.secret_hash = $1";

static int token_use(struct tx *t, struct enrol *e)
{
	int rc = tx_exec(t, sql_use, "is", e->act.rq->now, e->secret_hash);
	if (rc < 0)
		return rc;
	if (tx_changes(t) != 1)
		return act_fail(&e->act, API_ENROL_TOKEN, NULL);

	_cleanup_rows_ struct rows *r = NULL;
	rc = tx_query(t, sql_used, "si", &r, e->secret_hash, e->act.rq->now);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EIO;
	const char *state = row_text(r, 5);
	if (!row_int(r, 6))
		return act_fail(&e->act, API_ENROL_TOKEN, NULL);
	if (!state || strcmp(state, "archived") == 0)
		return act_fail(&e->act, API_ENROL_TOKEN, "This token's project is archived.");
	e->token = row_int(r, 0);
	e->project = row_int(r, 1);
	e->org = row_int(r, 3);
	snprintf(e->token_name, sizeof(e->token_name), "%s", row_text(r, 2));
	snprintf(e->slug, sizeof(e->slug), "%s", row_text(r, 4));
	return 0;
}

static const char sql_clash[] = "SELECT 1 FROM hosts WHERE name = $1 AND state = 'enrolled'";

static int name_choose(struct tx *t, struct enrol *e)
{
	if (*e->token_name) {
		if (e->name && *e->name && strcmp(e->name, e->token_name) != 0)
			return act_fail(&e->act, API_INVALID_VALUE,
			    "This token is for a host named %s.", e->token_name);
		e->name = e->token_name;
	}
	if (!e->name || !*e->name)
		e->name = e->hostname;
	if (!hostname_valid(e->name))
		return act_fail(&e->act, API_INVALID_VALUE, "%s", HOSTNAME_RULE);

	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_clash, "s", &r, e->name);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc > 0)
		return act_fail(&e->act, API_NAME_TAKEN,
		    "A host named %s is enrolled already; remove it or choose another name.",
		    e->name);
	return rc;
}

static const char sql_host[] =
    "INSERT INTO hosts (id, organization_id, name, public_key, hostname, address, ssh_host_keys,"
    " state, manifest, enrolled_at, last_seen)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, 'enrolled', 1, $8, $8)";
static const char sql_host_project[] =
    "INSERT INTO host_projects (host_id, project_id) VALUES ($1, $2)";

static int host_insert(struct tx *t, struct enrol *e, int64_t id)
{
	struct request *rq = e->act.rq;
	int r = tx_exec(t, sql_host, "iisssssi", id, e->org, e->name, e->key, e->hostname,
	    e->address, e->ssh_host_keys, rq->now);

	if (r == -EEXIST)
		return act_fail(&e->act, API_KEY_TAKEN, NULL);
	if (r == 0)
		r = tx_exec(t, sql_host_project, "ii", id, e->project);
	if (r < 0)
		return r;
	struct host_ids ids = {.host = id, .now = rq->now, .config = &rq->central->config};
	r = host_ids_burn(t, &ids, json_object_get(rq->body, "local_ids"));
	if (r < 0)
		return r;
	rq->who = (struct principal){.kind = PRINCIPAL_HOST, .id = id};
	snprintf(rq->who.name, sizeof(rq->who.name), "%s", e->name);
	rq->project = e->project;
	return audit_object(t, rq, "host.enrol", "host", e->name,
	    json_pack("{s:o, s:s, s:o, s:s, s:s, s:s, s:i}", "id", json_id(id), "project", e->slug,
		"token", json_id(e->token), "public_key", e->key, "hostname", e->hostname,
		"address", e->address, "burned_ids", (int)ids.burned));
}

static json_t *range_text(uint32_t first, uint32_t last)
{
	return json_sprintf("%u-%u", first, last);
}

static json_t *enrol_json(const struct enrol *e, int64_t id)
{
	const struct central *c = e->act.rq->central;
	char host[HOST_ID_HEX + 1], feed[HEX_LEN(16) + 1];
	char key[BASE64URL_LEN(32) + 1], recovery[BASE64URL_LEN(16) + 1];

	host_id_hex(id, host);
	hex_encode(e->feed.id, sizeof(e->feed.id), feed);
	base64url_encode(feed_signer_public(c->signer), FEED_KEY_LEN, key);
	base64url_encode(c->recovery_key_id, sizeof(c->recovery_key_id), recovery);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:[{s:s, s:s}]}", "host_id", host,
	    "name", e->name, "url", c->config.url, "feed_key", key, "recovery_key_id", recovery,
	    "uid_range", range_text(c->config.uid_first, c->config.uid_last), "gid_range",
	    range_text(c->config.gid_first, c->config.gid_last), "projects", "id", feed, "slug",
	    e->slug);
}

static int enrol_tx(struct tx *t, struct act *a)
{
	struct enrol *e = (struct enrol *)a;
	int64_t id = store_new_id();

	int r = token_use(t, e);
	if (r == 0)
		r = name_choose(t, e);
	if (r == 0)
		r = host_insert(t, e, id);
	if (r == 0)
		r = feed_touch_project(t, e->project);
	if (r == 0)
		r = feed_state_load(t, e->project, &e->feed);
	if (r < 0)
		return r;
	a->json = enrol_json(e, id);
	return a->json ? 0 : -ENOMEM;
}

void host_enrol(struct request *rq, struct reply *rp)
{
	struct enrol e = {.act = {.fn = enrol_tx, .rq = rq, .status = 201}};
	char peer[RATELIMIT_KEY_MAX];

	ratelimit_peer(rq->peer ? rq->peer : "", peer);
	unsigned wait = ratelimit_take(RATELIMIT_ENROL_PEER, peer);
	if (wait) {
		rp->retry_after = wait;
		reply_error(rp, API_TOO_MANY_REQUESTS, NULL);
		return;
	}
	const char *fault = enrol_read(rq, &e);
	if (fault) {
		reply_error(rp, API_INVALID_VALUE, "%s", fault);
	} else {
		int r = act_do(&e.act, STORE_WRITE);
		if (r == 0)
			ratelimit_return(RATELIMIT_ENROL_PEER, peer);
		act_reply(&e.act, r, rp);
	}
	free(e.ssh_host_keys);
}
