/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/secret.h"
#include "sso_internal.h"

static const char sql_list[] =
    "SELECT i.id, c.slug, c.name, i.issuer, i.subject, i.email, i.last_login_at"
    " FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id"
    " WHERE i.user_id = $1 ORDER BY c.slug, i.id";
static const char sql_get[] =
    "SELECT i.organization_id, c.slug, i.issuer, i.subject, c.id FROM sso_identities i"
    " JOIN sso_connections c ON c.id = i.connection_id WHERE i.id = $1 AND i.user_id = $2";
/* A login at this connection, where the session's own login is another's. */
static const char sql_foreign[] =
    "SELECT 1 FROM sso_identities i WHERE i.user_id = $1 AND i.connection_id = $2 AND NOT EXISTS"
    " (SELECT 1 FROM sso_identities s WHERE s.id = $3 AND s.connection_id = $2)";
static const char sql_delete[] = "DELETE FROM sso_identities WHERE id = $1";
/* Ways into the account beside this identity: a password, a key, another provider. */
static const char sql_other_way[] =
    "SELECT 1 FROM users u WHERE u.id = $1 AND (u.password IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM ssh_keys k WHERE k.user_id = u.id AND k.state = 'active')"
    " OR EXISTS (SELECT 1 FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id"
    " WHERE i.user_id = u.id AND i.id <> $2 AND c.enabled = 1))";
static const char sql_ticket_sweep[] =
    "DELETE FROM sso_link_tickets WHERE expires_at <= $1 OR (user_id = $2 AND connection_id = $3)";
static const char sql_ticket_insert[] =
    "INSERT INTO sso_link_tickets (ticket_hash, user_id, connection_id, expires_at)"
    " VALUES ($1, $2, $3, $4)";
static const char sql_ticket_get[] =
    "SELECT user_id FROM sso_link_tickets WHERE ticket_hash = $1 AND connection_id = $2"
    " AND expires_at > $3";
static const char sql_tickets_forget[] = "DELETE FROM sso_link_tickets WHERE user_id = $1";
static const char sql_attempts_forget[] = "DELETE FROM sso_attempts WHERE link_user = $1";
static const char sql_ticket_use[] = "DELETE FROM sso_link_tickets WHERE ticket_hash = $1";

#define TICKET_SECONDS 600
#define TICKET_LEN     43

/* ---- one's identities ------------------------------------------------------------------------ */

static int list_tx(struct tx *t, struct act *a)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_list, "i", &r, a->rq->who.id);

	if (n < 0)
		return n;
	a->json = json_array();
	while ((n = rows_next(r)) > 0) {
		json_t *o = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o}", "id",
		    json_id(row_int(r, 0)), "connection", row_text(r, 1), "connection_name",
		    row_text(r, 2), "issuer", row_text(r, 3), "subject", row_text(r, 4), "email",
		    row_text(r, 5), "last_login_at", json_time(row_int(r, 6)));
		if (json_array_append_new(a->json, o) < 0)
			return -ENOMEM;
	}
	return n;
}

void sso_identity_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int other_way(struct tx *t, int64_t user, int64_t identity)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_other_way, "ii", &r, user, identity);

	return n < 0 ? n : rows_next(r);
}

/*
 * One provider must not take the place of another: whoever speaks for the account through this one
 * could make somebody else's login there count as its owner's, and as fresh.
 */
static int may_touch(struct tx *t, struct act *a, int64_t connection, const char *slug)
{
	const struct principal *who = &a->rq->who;
	_cleanup_rows_ struct rows *r = NULL;

	if (!who->identity)
		return 0;
	int n = tx_query(t, sql_foreign, "iii", &r, who->id, connection, who->identity);
	if (n == 0)
		n = rows_next(r);
	return n <= 0 ? n
		      : act_fail(a, API_FORBIDDEN,
			    "This account has a login through %s: log in by it, by password or by "
			    "key to change that.",
			    slug);
}

struct identity {
	int64_t id, org, connection;
	char slug[SLUG_MAX + 1];
	char issuer[SSO_URL_MAX], subject[SSO_SUBJECT_MAX + 1];
};

static int find(struct tx *t, struct act *a, struct identity *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int64_t id = arg_id(a->rq, 0);
	int n = tx_query(t, sql_get, "ii", &r, id, a->rq->who.id);

	if (n == 0)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : act_fail(a, API_NOT_FOUND, "You have no such login.");
	ret->id = id;
	ret->org = row_int(r, 0);
	row_copy(r, 1, ret->slug, sizeof(ret->slug));
	row_copy(r, 2, ret->issuer, sizeof(ret->issuer));
	row_copy(r, 3, ret->subject, sizeof(ret->subject));
	ret->connection = row_int(r, 4);
	return 0;
}

static int delete_tx(struct tx *t, struct act *a)
{
	struct identity i;
	int64_t user = a->rq->who.id;
	int r = find(t, a, &i);

	if (r == 0)
		r = may_touch(t, a, i.connection, i.slug);
	if (r == 0)
		r = other_way(t, user, i.id);
	if (r == 0)
		return act_fail(a, API_CONFLICT,
		    "This is your only way in: set a password or register a key first.");
	if (r > 0)
		r = sso_end_identity(t, i.id, a->rq->now);
	if (r == 0)
		r = sso_link_forget(t, user);
	if (r == 0)
		r = tx_exec(t, sql_delete, "i", i.id);
	if (r == 0)
		r = sso_touch(t, i.org, user);
	return r ? r
		 : audit_object(t, a->rq, "sso.unlink", "sso-connection", i.slug,
		       json_pack("{s:s, s:s}", "issuer", i.issuer, "subject", i.subject));
}

void sso_identity_delete(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = delete_tx, .rq = rq, .status = 204};
	act_run(&a, STORE_WRITE, rp);
}

/* ---- one more -------------------------------------------------------------------------------- */

static int ticket_make(struct tx *t, struct act *a, int64_t connection, char out[TICKET_LEN + 1])
{
	uint8_t secret[32];
	char hash[65];
	int64_t now = a->rq->now, user = a->rq->who.id;
	int r = secret_random(secret, sizeof(secret));

	if (r < 0)
		return r;
	base64url_encode(secret, sizeof(secret), out);
	explicit_bzero(secret, sizeof(secret));
	sha256_hex(out, strlen(out), hash);
	r = tx_exec(t, sql_ticket_sweep, "iii", now, user, connection);
	return r ? r
		 : tx_exec(
		       t, sql_ticket_insert, "siii", hash, user, connection, now + TICKET_SECONDS);
}

static int post_tx(struct tx *t, struct act *a)
{
	_cleanup_sso_connection_ struct sso_connection c = {0};
	const char *slug = request_str(a->rq, "connection");
	char ticket[TICKET_LEN + 1];
	int r = slug ? sso_connection_find(t, slug, &c) : -ENOENT;

	if (r == -ENOENT || (r == 0 && !c.enabled))
		return act_fail(a, API_SSO_NOT_FOUND, NULL);
	if (r == 0)
		r = may_touch(t, a, c.id, c.slug);
	if (r == 0)
		r = ticket_make(t, a, c.id, ticket);
	if (r == 0)
		a->json = json_pack("{s:o, s:o}", "url",
		    json_sprintf(
			"%s/sso/%s/start?link=%s", a->rq->central->config.url, c.slug, ticket),
		    "expires_at", json_time(a->rq->now + TICKET_SECONDS));
	explicit_bzero(ticket, sizeof(ticket));
	return r;
}

void sso_link_post(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = post_tx, .rq = rq, .status = 201};
	act_run(&a, STORE_WRITE, rp);
}

static int ticket_find(
    struct tx *t, const char *hash, int64_t connection, int64_t now, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_ticket_get, "sii", &r, hash, connection, now);

	if (n == 0)
		n = rows_next(r);
	if (n > 0)
		*ret = row_int(r, 0);
	return n > 0 ? 0 : n < 0 ? n : -ENOENT;
}

int sso_link_take(
    struct tx *t, const char *ticket, int64_t connection, int64_t now, int64_t *ret_user)
{
	char hash[65];
	int64_t user;

	sha256_hex(ticket, strlen(ticket), hash);
	int r = ticket_find(t, hash, connection, now, &user);
	if (r == 0)
		r = tx_exec(t, sql_ticket_use, "s", hash);
	if (r == 0)
		*ret_user = user;
	return r;
}

int sso_link_forget(struct tx *t, int64_t user)
{
	int r = tx_exec(t, sql_tickets_forget, "i", user);

	return r ? r : tx_exec(t, sql_attempts_forget, "i", user);
}
