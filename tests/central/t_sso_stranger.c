/* SPDX-License-Identifier: MIT */

/* Who looks like somebody that is known, and is not: nothing of the account is theirs. */
#include "prism-central/organization.h"
#include "prism-central/sso.h"
#include "world.h"

#define OLD "https://idp.acme.com"
#define NEW "https://login.acme.com"

static int64_t acme;

static const char sql_connection[] =
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
    " client_id, auto_provision, default_role_id, created_at, created_by, updated_at)"
    " VALUES ($1, $2, 'acme-idp', 'Acme', 'oidc', 1, $3, 'prism', $4, 13, 1, $5, 1)";
static const char sql_domain[] =
    "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, proven_at,"
    " created_at, created_by) VALUES ($1, $2, $3, 'acme.com', 'x', 1, 1, $4)";

static int make_tx(struct tx *t, void *arg)
{
	const int64_t *provision = arg;
	int64_t org;
	int r = organization_create(t, "acme", "Acme", 1, &org);

	acme = store_new_id();
	if (r == 0)
		r = tx_exec(t, sql_connection, "iisii", acme, org, OLD, *provision, chief.id);
	return r < 0 ? r : tx_exec(t, sql_domain, "iiii", store_new_id(), org, acme, chief.id);
}

/* A connection that makes accounts by itself, or not; acme.com is proven. */
static void stage(int64_t provision)
{
	world();
	EXPECT_INT(store_tx(db, STORE_WRITE, make_tx, &provision), 0);
}

struct login {
	struct sso_assertion a;
	struct sso_result out;
};

static int login_tx(struct tx *t, void *arg)
{
	struct login *l = arg;
	struct request rq = {.peer = "192.0.2.7", .id = "test", .central = &central, .db = db};

	rq.now = clock_now() + world_skew;
	return sso_login(t, &rq, &l->a, NULL, &l->out);
}

static struct sso_result login(const char *issuer, const char *subject, const char *email)
{
	struct login l = {.a = {.connection = acme, .auth_at = clock_now()}};

	snprintf(l.a.issuer, sizeof(l.a.issuer), "%s", issuer);
	snprintf(l.a.subject, sizeof(l.a.subject), "%s", subject);
	snprintf(l.a.email, sizeof(l.a.email), "%s", email);
	l.a.email_verified = true;
	EXPECT_INT(store_tx(db, STORE_WRITE, login_tx, &l), 0);
	return l.out;
}

TEST("S3.17 a subject of the issuer that a connection names now is not the same one of the former")
{
	stage(1);
	struct sso_result first = login(OLD, "7", "bo@acme.com");
	EXPECT_INT(first.outcome, SSO_DONE);
	sql("UPDATE sso_connections SET issuer = '" NEW "'");
	struct sso_result other = login(NEW, "7", "");
	EXPECT_INT(other.outcome, SSO_DONE);
	EXPECT(other.created && other.user.id != first.user.id);
	EXPECT(other.identity != first.identity);
	/* each of them is found again, as whoever they are */
	EXPECT_INT(login(NEW, "7", "").user.id, other.user.id);
	EXPECT_INT(login(OLD, "7", "").user.id, first.user.id);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities"), 2);
}

TEST("S3.17 nor does it take the former one's address along")
{
	stage(1);
	struct sso_result first = login(OLD, "7", "bo@acme.com");
	EXPECT_INT(first.outcome, SSO_DONE);
	sql("UPDATE sso_connections SET issuer = '" NEW "'");
	EXPECT_INT(login(NEW, "7", "bo@acme.com").outcome, SSO_ADDRESS_TAKEN);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities"), 1);
}

TEST("S3.17 a subject is compared whole: case, blanks and length count")
{
	static const char *const others[] = {"BO", "Bo", "bo ", "b", "boo", "bo%", "_o"};

	stage(1);
	struct sso_result first = login(OLD, "bo", "");
	EXPECT_INT(first.outcome, SSO_DONE);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		EXPECT(login(OLD, others[i], "").user.id != first.user.id);
	EXPECT_INT(login(OLD, "bo", "").user.id, first.user.id);
}

TEST("S3.4 an invitation that is over makes no account at a first login")
{
	stage(0);
	project(&chief, "lab");
	free(invite(&chief, "lab", "bo@acme.com", "member"));
	sql("UPDATE invitations SET expires_at = 1");
	EXPECT_INT(login(OLD, "bo", "bo@acme.com").outcome, SSO_NOT_PROVISIONED);
	free(invite(&chief, "lab", "di@acme.com", "member"));
	sql("UPDATE invitations SET state = 'revoked', expires_at = 9999999999");
	EXPECT_INT(login(OLD, "di", "di@acme.com").outcome, SSO_NOT_PROVISIONED);
	sql("UPDATE invitations SET state = 'pending'");
	sql("UPDATE projects SET state = 'archived'");
	EXPECT_INT(login(OLD, "di", "di@acme.com").outcome, SSO_NOT_PROVISIONED);
	sql("UPDATE projects SET state = 'active'");
	sql("UPDATE users SET state = 'suspended' WHERE id = (SELECT invited_by FROM invitations)");
	EXPECT_INT(login(OLD, "di", "di@acme.com").outcome, SSO_NOT_PROVISIONED);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities"), 0);
	sql("UPDATE users SET state = 'active'");
	EXPECT_INT(login(OLD, "di", "di@acme.com").outcome, SSO_DONE);
}

TEST_MAIN()
