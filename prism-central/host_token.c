/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "api/token.h"
#include "audit.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "central.h"
#include "domain.h"
#include "host_name.h"

#define ENROL_SECONDS_MAX (30 * 24 * 3600)
#define ENROL_SECONDS	  3600

struct token_act {
	struct act act;
	const char *name; /* "" : the host chooses */
	int64_t expires;
	uint8_t secret[TOKEN_SECRET_LEN];
	struct token token;
};

static const char sql_project[] = "SELECT slug, state FROM projects WHERE id = $1";
static const char sql_insert[] =
    "INSERT INTO enrol_tokens (id, project_id, name, secret_hash, created_by, created_at,"
    " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

static int project_read(struct tx *t, struct token_act *ta, int64_t project)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_project, "i", &r, project);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc < 0)
		return rc;
	const char *slug = rc ? row_text(r, 0) : NULL, *state = rc ? row_text(r, 1) : NULL;
	if (!slug || !state || strlen(slug) >= sizeof(ta->token.project))
		return act_fail(&ta->act, API_PROJECT_NOT_FOUND, NULL);
	if (strcmp(state, "archived") == 0)
		return act_fail(&ta->act, API_CONFLICT, "This project is archived.");
	memcpy(ta->token.project, slug, strlen(slug) + 1);
	return 0;
}

static int token_tx(struct tx *t, struct act *a)
{
	struct token_act *ta = (struct token_act *)a;
	const struct request *rq = a->rq;
	uint8_t hash[32];
	char hex[HEX_LEN(32) + 1];

	int r = project_read(t, ta, a->authz.project);
	if (r < 0)
		return r;
	token_hash(ta->secret, hash);
	hex_encode(hash, sizeof(hash), hex);
	int64_t id = store_new_id();
	r = tx_exec(t, sql_insert, "iissiii", id, a->authz.project, ta->name, hex, rq->who.id,
	    rq->now, ta->expires);
	if (r < 0)
		return r;
	return audit_object(t, rq, "host-token.create", "project", ta->token.project,
	    json_pack("{s:o, s:s, s:o}", "id", json_id(id), "name", ta->name, "expires_at",
		json_time(ta->expires)));
}

/* The token's other claims: where the host finds this service, and what it trusts from then on. */
static int token_text(struct token_act *ta, struct central *c, struct buf *out)
{
	struct token *t = &ta->token;

	t->kind = TOKEN_ENROLMENT;
	t->expires = ta->expires;
	memcpy(t->secret, ta->secret, sizeof(t->secret));
	memcpy(t->feed_key, feed_signer_public(c->signer), sizeof(t->feed_key));
	memcpy(t->recovery_key_id, c->recovery_key_id, sizeof(t->recovery_key_id));
	snprintf(t->host, sizeof(t->host), "%s", ta->name);
	snprintf(t->pin, sizeof(t->pin), "%s", c->tls_pin);
	snprintf(t->url, sizeof(t->url), "%s", c->config.url);
	return token_make(t, feed_signer_sign_raw, c->signer, out);
}

static bool token_arguments(struct request *rq, struct token_act *ta, struct reply *rp)
{
	const json_t *seconds = json_object_get(rq->body, "expires_in");
	int64_t lasts = ENROL_SECONDS;

	if (!body_string(rq, "name", &ta->name)) {
		reply_error(rp, API_INVALID_VALUE, "The name is not a text.");
		return false;
	}
	if (!ta->name)
		ta->name = "";
	if (*ta->name && !hostname_valid(ta->name)) {
		reply_error(rp, API_INVALID_VALUE, "%s", HOSTNAME_RULE);
		return false;
	}
	if (seconds && !json_is_null(seconds)) {
		lasts = json_integer_value(seconds);
		if (!json_is_integer(seconds) || lasts < 1 || lasts > ENROL_SECONDS_MAX) {
			reply_error(rp, API_INVALID_VALUE,
			    "An enrolment token lasts between 1 second and 30 days.");
			return false;
		}
	}
	ta->expires = rq->now + lasts;
	return true;
}

void host_token_create(struct request *rq, struct reply *rp)
{
	struct token_act ta = {.act = {.fn = token_tx, .rq = rq, .status = 201}};
	_cleanup_buf_ struct buf text = BUF_INIT(TOKEN_MAX);

	if (!token_arguments(rq, &ta, rp))
		return;
	int r = secret_random(ta.secret, sizeof(ta.secret));
	if (r == 0)
		r = act_do(&ta.act, STORE_WRITE);
	if (r == 0)
		r = token_text(&ta, rq->central, &text);
	if (r == 0)
		ta.act.json =
		    json_pack("{s:s, s:o, s:s, s:s}", "token", buf_str(&text), "expires_at",
			json_time(ta.expires), "project", ta.token.project, "name", ta.name);
	explicit_bzero(ta.secret, sizeof(ta.secret));
	explicit_bzero(&ta.token, sizeof(ta.token));
	act_reply(&ta.act, r, rp);
}
