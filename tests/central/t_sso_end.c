/* SPDX-License-Identifier: MIT */

/* What ends with a login through an institution: all that it has opened or begun, and no more. */
#include "prism-central/organization.h"
#include "prism-central/sso.h"
#include "world.h"

enum { HERS = 1, THERE = 2, ELSEWHERE = 3 }; /* identities: one, its neighbour, another's */

static const char sql_connection[] =
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
    " client_id, auto_provision, default_role_id, created_at, created_by, updated_at)"
    " VALUES ($1, $2, $3, 'Acme', 'oidc', 1, 'https://idp.acme.com', 'prism', 1, 13, 1, $4, 1)";
static const char sql_identity[] =
    "INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id,"
    " created_at, auth_at) VALUES ($1, $2, $3, 'https://idp.acme.com', $4, $5, 1, 1)";
/* Of each kind one that is open, for this identity. */
static const char *const opened[] = {
    "INSERT INTO sessions (id, token_hash, user_id, how, identity_id, peer, created_at, expires_at)"
    " SELECT id, 's' || id, user_id, 'browser', id, '', 1, 9999999999 FROM sso_identities",
    "INSERT INTO browser_sessions (id, token_hash, user_id, identity_id, auth_at, peer,"
    " created_at, expires_at) SELECT id, 'b' || id, user_id, id, 1, '', 1, 9999999999"
    " FROM sso_identities",
    "INSERT INTO device_codes (id, device_hash, user_hash, state, interval_s, identity_id,"
    " created_at, expires_at) SELECT id, 'd' || id, 'u' || id, 'approved', 5, id, 1, 9999999999"
    " FROM sso_identities",
    "INSERT INTO authorization_codes (code_hash, user_id, identity_id, auth_at, redirect_uri,"
    " challenge, expires_at) SELECT 'c' || id, user_id, id, 1, '', '', 9999999999"
    " FROM sso_identities"};

static int make_tx(struct tx *t, void *arg)
{
	const struct person *bo = arg;
	int64_t org;
	int r = organization_create(t, "acme", "Acme", 1, &org);

	for (int64_t c = 1; r == 0 && c <= 2; c++)
		r = tx_exec(t, sql_connection, "iisi", c, org, c == 1 ? "one" : "two", chief.id);
	for (int64_t i = HERS; r == 0 && i <= ELSEWHERE; i++)
		r = tx_exec(t, sql_identity, "iiisi", i, org, (int64_t)(i == ELSEWHERE ? 2 : 1),
		    i == THERE ? "di" : "bo", i == THERE ? chief.id : bo->id);
	for (size_t i = 0; r == 0 && i < sizeof(opened) / sizeof(*opened); i++)
		r = tx_exec(t, opened[i], "");
	return r;
}

/* Two connections; bo has an identity at each, the chief one at the first. */
static void stage(void)
{
	world();
	struct person bo = person("bo");
	EXPECT_INT(store_tx(db, STORE_WRITE, make_tx, &bo), 0);
}

static int end_tx(struct tx *t, void *arg)
{
	struct request rq = {.peer = "192.0.2.7", .id = "test", .central = &central, .db = db};

	rq.now = clock_now();
	return sso_end(t, &rq, HERS, "logout");
}

/* Whose identities have something of this kind open, as digits. */
static int64_t still(const char *query)
{
	return sql_int(query);
}

#define OPEN(what)                                                                         \
	"SELECT COALESCE(SUM(CASE identity_id WHEN 1 THEN 100 WHEN 2 THEN 10 ELSE 1 END)," \
	" 0) FROM " what

static const struct {
	const char *what, *query;
} kinds[] = {
    {"sessions", OPEN("sessions WHERE identity_id > 0 AND revoked_at = 0")},
    {"browsers", OPEN("browser_sessions WHERE revoked_at = 0")},
    {"approved codes", OPEN("device_codes WHERE state = 'approved'")},
    {"authorization codes", OPEN("authorization_codes WHERE session_id = 0")},
};

static void expect_open(int64_t want)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int64_t is = still(kinds[i].query);
		if (is != want)
			test_fail(__FILE__, __LINE__, "%s: %03d, not %03d", kinds[i].what, (int)is,
			    (int)want);
	}
}

TEST("I3.4 the end of a login at the provider ends each thing that it has opened, nobody else's")
{
	stage();
	expect_open(111);
	EXPECT_INT(store_tx(db, STORE_WRITE, end_tx, NULL), 0);
	expect_open(11);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE auth_at = 0"), 1);
}

TEST("S3.17 a login that is unlinked takes along what it has opened")
{
	struct person bo;
	stage();
	bo = person("bo");
	EXPECT_STR(outcome(HTTP_DELETE, bo.token, "me/identities/1", NULL), "204");
	expect_open(11);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE id = 1"), 0);
}

TEST("S3.16 a connection whose issuer is another one takes along what all its people have opened")
{
	stage();
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, "organizations/acme/sso-connections/one",
		       json_pack("{ss, sn}", "issuer", "https://login.acme.com", "client_secret")),
	    "200");
	expect_open(1);
}

TEST_MAIN()
