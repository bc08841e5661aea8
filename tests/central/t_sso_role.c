/* SPDX-License-Identifier: MIT */

/* What a first login gives in the organization, when the rank of whoever chose it has changed. */
#include "base/attr.h"
#include "prism-central/organization.h"
#include "prism-central/secrets.h"
#include "prism-central/sso.h"
#include "world.h"

#define CONNECTIONS "organizations/acme/sso-connections"

static struct person olga, otto; /* owners of acme */

static int acme_tx(struct tx *t, void *arg)
{
	return organization_create(t, "acme", "Acme", 1, arg);
}

static void rank(const char *who, const char *role)
{
	char path[64];

	snprintf(path, sizeof(path), "organizations/acme/members/%s", who);
	EXPECT_STR(outcome(HTTP_PUT, chief.token, path, json_pack("{ss}", "role", role)), "200");
}

/* acme, whose owner olga has made a connection that gives "role", and "admin" by a claim. */
static void stage(const char *role)
{
	int64_t acme;

	world();
	EXPECT_INT(store_tx(db, STORE_WRITE, acme_tx, &acme), 0);
	olga = person("olga");
	otto = person("otto");
	rank("olga", "owner");
	rank("otto", "owner");
	EXPECT_STR(
	    outcome(HTTP_POST, olga.token, CONNECTIONS,
		json_pack("{ss, ss, ss, ss, sb, sb, ss, s[s]}", "slug", "acme-idp", "type", "oidc",
		    "issuer", "https://idp.acme.com", "client_id", "prism", "enabled", 1,
		    "auto_provision", 1, "default_role", role, "allowed_roles", "admin")),
	    "201");
}

struct login {
	struct sso_assertion a;
	struct sso_result out;
};

static int login_tx(struct tx *t, void *arg)
{
	struct login *l = arg;
	struct request rq = {
	    .peer = "192.0.2.7", .id = "test", .central = &central, .now = clock_now(), .db = db};

	return sso_login(t, &rq, &l->a, NULL, &l->out);
}

/* Somebody's first login; the role that they have in acme then. */
static int64_t given(const char *subject, const char *claim)
{
	struct login l = {.a = {.auth_at = clock_now()}};
	char text[160];

	l.a.connection = sql_int("SELECT id FROM sso_connections");
	snprintf(l.a.issuer, sizeof(l.a.issuer), "https://idp.acme.com");
	snprintf(l.a.subject, sizeof(l.a.subject), "%s", subject);
	snprintf(l.a.username, sizeof(l.a.username), "%s", subject);
	snprintf(l.a.role, sizeof(l.a.role), "%s", claim);
	EXPECT_INT(store_tx(db, STORE_WRITE, login_tx, &l), 0);
	EXPECT_INT(l.out.outcome, SSO_DONE);
	snprintf(text, sizeof(text),
	    "SELECT m.role_id FROM organization_members m JOIN users u ON u.id = m.user_id"
	    " WHERE u.username = '%s'",
	    subject);
	return sql_int(text);
}

static int64_t noted(const char *withheld)
{
	char text[200];

	snprintf(text, sizeof(text),
	    "SELECT COUNT(*) FROM audit WHERE action = 'organization.member'"
	    " AND detail LIKE '%%\"role\":\"member\",\"withheld\":\"%s\"%%'",
	    withheld);
	return sql_int(text);
}

enum { OWNER = 11, ADMIN, MEMBER };

TEST("S3.16 default_role is given while whoever chose it could give it")
{
	stage("owner");
	EXPECT_INT(given("ann", ""), OWNER);
	EXPECT_INT(given("bo", "admin"), ADMIN);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE detail LIKE '%withheld%'"), 0);
}

TEST("S3.16 whoever chose it has a lower rank since: people come in as members, and it is noted")
{
	static const char *const ranks[] = {"admin", "member", "none"};

	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++) {
		stage("owner");
		rank("olga", ranks[i]);
		EXPECT_INT(given("ann", ""), MEMBER);
		EXPECT_INT(noted("owner"), 1);
		EXPECT_INT(given("bo", "admin"), MEMBER);
		EXPECT_INT(noted("admin"), 1);
		/* who is in stays what they are */
		rank("olga", "owner");
		EXPECT_INT(given("ann", ""), MEMBER);
		EXPECT_INT(given("cy", ""), OWNER);
	}
}

TEST("S3.16 a suspended person's choice counts no more")
{
	stage("admin");
	sql("UPDATE users SET state = 'suspended' WHERE username = 'olga'");
	EXPECT_INT(given("ann", ""), MEMBER);
	EXPECT_INT(noted("admin"), 1);
}

TEST("S3.16 a role whose own rank has grown is not given either")
{
	stage("admin");
	sql("UPDATE roles SET rank = 41 WHERE id = 12");
	EXPECT_INT(given("ann", ""), MEMBER);
}

TEST("S3.16 somebody else who changes the connection answers for it from then on")
{
	stage("owner");
	rank("olga", "none");
	EXPECT_INT(given("ann", ""), MEMBER);
	EXPECT_STR(outcome(HTTP_PATCH, otto.token, CONNECTIONS "/acme-idp",
		       json_pack("{ss}", "name", "Acme's own")),
	    "200");
	EXPECT_INT(given("bo", ""), OWNER);
	rank("otto", "member");
	EXPECT_INT(given("cy", ""), MEMBER);
}

TEST("S3.16 a superadmin answers for every role, while they are one")
{
	stage("owner");
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, CONNECTIONS "/acme-idp",
		       json_pack("{ss}", "name", "Acme's own")),
	    "200");
	EXPECT_INT(given("ann", ""), OWNER);
	sql("UPDATE users SET superadmin = 0");
	EXPECT_INT(given("bo", ""), MEMBER);
}

TEST("S3.16 member is given whoever chose it, and is not withheld from anybody")
{
	stage("member");
	rank("olga", "none");
	EXPECT_INT(given("ann", ""), MEMBER);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE detail LIKE '%withheld%'"), 0);
	/* an organization's own role of that name is one like any other */
	sql("INSERT INTO roles (id, organization_id, scope, slug, name, rank) SELECT 99, id,"
	    " 'organization', 'member', 'All', 40 FROM organizations WHERE slug = 'acme'");
	sql("UPDATE sso_connections SET default_role_id = 99");
	EXPECT_INT(given("bo", ""), MEMBER);
	EXPECT_INT(noted("member"), 1);
}

TEST_MAIN()
