/* SPDX-License-Identifier: MIT */

/* What only the institution's login opens, and the way there. */
#include "sso_stage.h"

TEST(
    "S3.16 enforce_sso concerns identities and proven domains, not mere members, never superadmins")
{
	stage();
	struct person bob = person("bob"), cat = person("cat"), dan = person("dan");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(enforced(alice.id, NULL), "acme-idp");
	EXPECT_STR(enforced(bob.id, NULL), "no");
	login((struct said){.subject = "b", .link = bob.id});
	EXPECT_STR(enforced(bob.id, NULL), "acme-idp");
	sql("INSERT INTO organization_members (organization_id, user_id, role_id, created_at) "
	    "SELECT"
	    " o.id, u.id, 13, 1 FROM organizations o, users u WHERE o.slug = 'acme' AND"
	    " u.username IN ('cat', 'chief')");
	EXPECT_STR(enforced(cat.id, NULL), "no"); /* a member without a way through the provider */
	EXPECT_STR(enforced(dan.id, NULL), "no");
	EXPECT_STR(enforced(chief.id, NULL), "no");
	EXPECT_STR(enforced(0, "New@Acme.com"), "acme-idp");
	EXPECT_STR(enforced(0, "new@sub.acme.com"), "no");
	EXPECT_STR(enforced(0, "new@evilacme.com"), "no");
	EXPECT_STR(enforced(0, "nonsense"), "no");
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	EXPECT_STR(enforced(0, "new@acme.com"), "no");
	sql("UPDATE sso_domains SET proven_at = 1");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	EXPECT_STR(enforced(bob.id, NULL), "no");
	EXPECT_STR(enforced(0, "new@acme.com"), "no");
}

static const char *password_login(const char *who)
{
	return outcome(HTTP_POST, NULL, "sessions",
	    json_pack("{ss, ss}", "login", who, "password", "correct horse battery"));
}

TEST("S3.16 enforce_sso closes login by password and tells where to go")
{
	stage();
	sql("UPDATE users SET password = (SELECT password FROM users WHERE username = 'chief')");
	EXPECT_STR(password_login("alice"), "201");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(password_login("alice"), "SSO_REQUIRED");
	EXPECT_STR(password_login("alice@acme.com"), "SSO_REQUIRED");
	struct answer a = ask(HTTP_POST, NULL, "sessions",
	    json_pack("{ss, ss}", "login", "alice", "password", "correct horse battery"));
	EXPECT_INT(a.status, 403);
	EXPECT(
	    strstr(answer_str(&a, "error.message"), "https://prism.test:8443/sso/acme-idp/start"));
	answer_clear(&a);
	/* who does not know the password learns nothing */
	EXPECT_STR(outcome(HTTP_POST, NULL, "sessions",
		       json_pack("{ss, ss}", "login", "alice", "password", "wrong horse battery")),
	    "BAD_CREDENTIALS");
	EXPECT_STR(password_login("chief"), "201");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
}

TEST("S3.16 enforce_sso: an invitation makes no account beside the institution's")
{
	stage();
	project(&chief, "lab");
	char *in = invite(&chief, "lab", "bo@acme.com", "member");
	char *out = invite(&chief, "lab", "bo@acme.org", "member");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss}", "token", in, "username", "bo")),
	    "SSO_REQUIRED");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss}", "token", out, "username", "bo")),
	    "200");
	/* after the first login it is theirs to accept */
	struct sso_result r =
	    login((struct said){.subject = "bo", .email = "bo@acme.com", .verified = true});
	EXPECT_INT(r.outcome, SSO_DONE);
	struct person bo = person(r.user.username);
	EXPECT_STR(
	    outcome(HTTP_POST, bo.token, "invitations/accept", json_pack("{ss}", "token", in)),
	    "200");
	free(in);
	free(out);
}

TEST("S3.18 an address leads to the enabled connection that has proven its domain")
{
	stage();
	EXPECT_STR(discover("Whoever@ACME.com"), "acme-idp");
	EXPECT_STR(discover("whoever@acme.org"), "none");
	EXPECT_STR(discover("acme.com"), "none");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(discover("whoever@acme.com"), "none");
	sql("UPDATE sso_connections SET enabled = 1");
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(discover("whoever@acme.com"), "none");
}

TEST_MAIN()
