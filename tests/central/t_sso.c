/* SPDX-License-Identifier: MIT */

/* Who is who after a login through an institution: every outcome, and what comes of it. */
#include "sso_stage.h"

/* ---- a first login --------------------------------------------------------------------------- */

TEST("S3.17 a first login makes the account once, by (connection, issuer, subject)")
{
	stage();
	int64_t before = people();
	struct sso_result r = login((struct said){
	    .subject = "s1", .email = "Bo@acme.com", .verified = true, .name = "Bo Ek"});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT(r.created && r.identity > 0);
	EXPECT_STR(r.user.username, "bo");
	EXPECT_STR(r.user.name, "Bo Ek");
	EXPECT_STR(r.user.email, "Bo@acme.com");
	EXPECT(!r.user.superadmin && !r.user.has_password);
	struct sso_result again = login((struct said){.subject = "s1", .email = "new@name.org"});
	EXPECT_INT(again.outcome, SSO_DONE);
	EXPECT(!again.created && again.identity == r.identity && again.user.id == r.user.id);
	EXPECT_STR(again.user.email, "Bo@acme.com");
	EXPECT_INT(people(), before + 1);
	EXPECT_INT(identities(), 1);
}

static int64_t still;

static int64_t stand_still(void)
{
	return still;
}

TEST("S3.17 a provider that names people without end does not use up the ids")
{
	stage();
	still = 1000000;
	ratelimit_reset(stand_still);
	EXPECT_STR(said((struct said){.subject = "first"}), "done");
	int64_t org = sql_int("SELECT id FROM organizations WHERE slug = 'acme'");
	char key[24];
	snprintf(key, sizeof(key), "%lld", (long long)org);
	for (int i = 0; i < 1999; i++)
		EXPECT_INT(ratelimit_take(RATELIMIT_NEW_ORG, key), 0);
	int64_t before = people();
	EXPECT_STR(said((struct said){.subject = "one too many"}), "too many");
	EXPECT_INT(people(), before);
	/* who has an account gets in, and other organizations have their own limit */
	EXPECT_STR(said((struct said){.subject = "first"}), "done");
	EXPECT_STR(said((struct said){.connection = other, .subject = "x"}), "done");
	still += 5000;
	EXPECT_STR(said((struct said){.subject = "one too many"}), "done");
	ratelimit_reset(NULL);
}

TEST("S3.17 a new account has the address only where it is proven")
{
	static const struct said unproven[] = {
	    {.subject = "a", .email = "a@acme.com"},
	    {.subject = "b", .email = "b@elsewhere.org", .verified = true},
	    {.subject = "c", .email = "c@sub.acme.com", .verified = true},
	    {.subject = "d", .email = "d@notacme.com", .verified = true},
	    {.subject = "e", .email = "not an address", .verified = true},
	    {.subject = "f"},
	};
	stage();
	for (size_t i = 0; i < ARRAY_SIZE(unproven); i++) {
		struct sso_result r = login(unproven[i]);
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT(r.created);
		EXPECT_STR(r.user.email, "");
	}
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM emails"), 2);
	struct sso_result r =
	    login((struct said){.subject = "g", .email = "g@acme.com", .verified = true});
	EXPECT_STR(r.user.email, "g@acme.com");
}

TEST("S3.17 the username is the mapped one, or made from what else is known")
{
	static const struct {
		struct said said;
		const char *want;
	} cases[] = {
	    {{.subject = "1", .username = "bea", .email = "x@acme.com"}, "bea"},
	    {{.subject = "2", .username = "bea", .email = "bea.two@acme.com"}, "bea-two"},
	    {{.subject = "3", .username = "root", .email = "rut@acme.com"}, "rut"},
	    {{.subject = "4", .username = "Bea Q", .email = "beaq@acme.com"}, "beaq"},
	    {{.subject = "5", .name = "Cy Dee"}, "cydee"},
	    {{.subject = "zed9"}, "zed9"},
	    {{.subject = "123"}, "person"},
	    {{.subject = "456"}, "person2"},
	    {{.subject = "7", .name = "Root", .username = "p-lab"}, "root2"},
	};
	stage();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sso_result r = login(cases[i].said);
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT_STR(r.user.username, cases[i].want);
		EXPECT(username_valid(r.user.username) && gecos_valid(r.user.name));
		EXPECT(!r.user.superadmin);
	}
	struct sso_result r = login((struct said){.subject = "8", .name = "a:b\nc"});
	EXPECT_STR(r.user.name, r.user.username);
}

TEST("S3.2 a first login joins the organization with the default role, once")
{
	stage();
	struct sso_result r = login((struct said){.subject = "s1"});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members m JOIN organizations o ON"
			   " o.id = m.organization_id WHERE o.slug = 'acme' AND m.role_id = 13"),
	    1);
	sql("DELETE FROM organization_members WHERE role_id = 13");
	login((struct said){.subject = "s1"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members WHERE role_id = 13"), 0);
}

TEST("S3.16 allowed_roles: a claim gives those, and nothing else")
{
	static const struct {
		const char *claim;
		int64_t role;
	} cases[] = {{"admin", 12}, {"owner", 13}, {"member", 13}, {"nonsense", 13}, {"", 13}};
	char subject[8];

	stage();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(subject, sizeof(subject), "s%zu", i);
		struct sso_result r =
		    login((struct said){.subject = subject, .role = cases[i].claim});
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT_INT(sql_int("SELECT role_id FROM organization_members WHERE created_at > 1"
				   " ORDER BY user_id DESC LIMIT 1"),
		    cases[i].role);
	}
	/* a claim changes no role that somebody has already */
	sql("UPDATE organization_members SET role_id = 11");
	login((struct said){.subject = "s1", .role = "admin"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members WHERE role_id <> 11"), 0);
}

static int64_t with_address(const char *address)
{
	char text[256];

	snprintf(text, sizeof(text), "SELECT COUNT(*) FROM emails WHERE canonical = '%s'", address);
	return sql_int(text);
}

TEST("S3.18 an account without an address gets it at a login after the domain was proven")
{
	stage();
	struct said s = {.subject = "bo", .email = "Bo@acme.com", .verified = true};
	sql("UPDATE sso_domains SET proven_at = 0");
	struct sso_result r = login(s);
	EXPECT(r.outcome == SSO_DONE && r.created);
	EXPECT_STR(login(s).user.email, "");
	sql("UPDATE sso_domains SET proven_at = 5");
	/* not what the provider has not verified, or of a domain that is not proven */
	s.verified = false;
	login(s);
	login((struct said){.subject = "bo", .email = "bo@uni.edu", .verified = true});
	EXPECT_INT(with_address("bo@acme.com") + with_address("bo@uni.edu"), 0);
	/* nor somebody else's */
	login((struct said){.subject = "bo", .email = "alice@acme.com", .verified = true});
	EXPECT_INT(with_address("alice@acme.com"), 1);
	/* nor a superadmin's account */
	sql("UPDATE users SET superadmin = 1 WHERE username = 'bo'");
	s.verified = true;
	login(s);
	EXPECT_INT(with_address("bo@acme.com"), 0);
	sql("UPDATE users SET superadmin = 0 WHERE username = 'bo'");
	EXPECT_STR(login(s).user.email, "Bo@acme.com");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM emails e JOIN users u ON u.id = e.user_id WHERE"
			   " u.username = 'bo' AND e.main = 1 AND e.verified_at > 0"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'user.email-add'"), 1);
	/* once: another one does not take its place */
	login((struct said){.subject = "bo", .email = "bo2@acme.com", .verified = true});
	EXPECT_INT(with_address("bo2@acme.com"), 0);
}

TEST("S3.17 the owner is told why a login was refused last, and nobody's name")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com"}), "not provisioned");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_connections WHERE slug = 'acme-idp' AND"
			   " last_fault = 'not_provisioned' AND last_detail = '' AND"
			   " last_fault_at > 0"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_connections WHERE last_fault <> ''"), 1);
}

TEST("S3.16 without auto_provision nobody gets an account by themselves")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com", .verified = true}),
	    "not provisioned");
	EXPECT_STR(said((struct said){.subject = "s2"}), "not provisioned");
	EXPECT_INT(identities(), 0);
	/* whoever has one comes in, and joins nothing */
	alice_leaves();
	EXPECT_STR(
	    said((struct said){.subject = "s3", .email = "alice@acme.com", .verified = true}),
	    "done");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members m JOIN organizations o ON"
			   " o.id = m.organization_id WHERE o.slug = 'acme'"),
	    0);
}

TEST("S3.4 an invited person gets an account at the first login, if the address is proven")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	project(&chief, "lab");
	free(invite(&chief, "lab", "bo@acme.com", "member"));
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com"}), "not provisioned");
	EXPECT_STR(
	    said((struct said){
		.connection = other, .subject = "s1", .email = "bo@acme.com", .verified = true}),
	    "not provisioned");
	struct sso_result r =
	    login((struct said){.subject = "s1", .email = "Bo@acme.com", .verified = true});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_STR(r.user.email, "Bo@acme.com");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM invitations WHERE state = 'pending'"), 1);
}

/* ---- somebody's address ---------------------------------------------------------------------- */

TEST("S3.17 mallory names alice's address, which nobody has verified: nothing is linked")
{
	stage();
	int64_t before = people();
	struct sso_result r = login(
	    (struct said){.subject = "mallory", .email = "alice@acme.com", .username = "alice"});
	EXPECT_INT(r.outcome, SSO_ADDRESS_TAKEN);
	EXPECT_INT(r.identity, 0);
	EXPECT_INT(r.user.id, 0);
	EXPECT_INT(identities(), 0);
	EXPECT_INT(people(), before);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.refused' AND"
			   " detail LIKE '%address_taken%' AND detail LIKE '%mallory%'"),
	    1);
}

TEST("S3.18 a verified address links only by a connection that has proven its domain")
{
	stage();
	alice_leaves();
	struct said s = {.subject = "s1", .email = "ALICE@ACME.COM", .verified = true};
	s.connection = other;
	EXPECT_STR(said(s), "address taken");
	s.connection = acme;
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(said(s), "address taken");
	EXPECT_INT(identities(), 0);
	sql("UPDATE sso_domains SET proven_at = 1");
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(r.user.id, alice.id);
	EXPECT(!r.created);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.link' AND actor ="
			   " 'user:alice' AND detail LIKE '%\"by\":\"address\"%'"),
	    1);
}

TEST("S3.18 another connection of the same organization does not borrow the proof")
{
	stage();
	static const char copy[] =
	    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, created_at, created_by, updated_at) SELECT 7, organization_id, "
	    "'third',"
	    " 'x', 'oidc', 1, issuer, 13, 1, created_by, 1 FROM sso_connections"
	    " WHERE slug = 'acme-idp'";
	sql(copy);
	EXPECT_STR(
	    said((struct said){
		.connection = 7, .subject = "s", .email = "alice@acme.com", .verified = true}),
	    "address taken");
}

TEST("S3.17 an address that was given to somebody else does not open the first one's account")
{
	stage();
	alice_leaves();
	struct said s = {.subject = "alice-2019", .email = "alice@acme.com", .verified = true};
	EXPECT_STR(said(s), "done");
	s.subject = "alice-2026";
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_ADDRESS_TAKEN);
	EXPECT_INT(r.user.id, 0);
	EXPECT_INT(identities(), 1);
}

TEST("S3.17 an address never links a superadmin's account")
{
	stage();
	sql("UPDATE emails SET canonical = 'chief@acme.com' WHERE canonical = 'chief@uni.edu'");
	struct said s = {.subject = "c", .email = "chief@acme.com", .verified = true};
	EXPECT_STR(said(s), "address taken");
	/* the owner may */
	s.link = chief.id;
	EXPECT_STR(said(s), "done");
}

TEST("S3.17 an address that is not verified here links nothing, and is nobody else's either")
{
	stage();
	sql("UPDATE emails SET verified_at = 0 WHERE canonical = 'alice@acme.com'");
	EXPECT_STR(said((struct said){.subject = "s", .email = "alice@acme.com", .verified = true}),
	    "address taken");
}

/* ---- accounts -------------------------------------------------------------------------------- */

TEST("S3.17 who is suspended is not let in, whichever way")
{
	stage();
	alice_leaves();
	struct said s = {.subject = "s", .email = "alice@acme.com", .verified = true};
	sql("UPDATE users SET state = 'suspended' WHERE username = 'alice'");
	EXPECT_STR(said(s), "suspended");
	s.link = alice.id;
	EXPECT_STR(said(s), "suspended");
	EXPECT_INT(identities(), 0);
	sql("UPDATE users SET state = 'active' WHERE username = 'alice'");
	s.link = 0;
	EXPECT_STR(said(s), "done");
	sql("UPDATE users SET state = 'suspended' WHERE username = 'alice'");
	sql("UPDATE sso_identities SET auth_at = 0");
	EXPECT_STR(said(s), "suspended");
	EXPECT_INT(sql_int("SELECT auth_at FROM sso_identities"), 0);
}

TEST("S3.17 the owner links the account, without any address; nobody else's identity")
{
	stage();
	struct said s = {.subject = "a1", .link = alice.id};
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(r.user.id, alice.id);
	EXPECT_STR(said(s), "done");
	EXPECT_INT(identities(), 1);
	s.link = chief.id;
	EXPECT_STR(said(s), "other person");
	EXPECT_INT(sql_int("SELECT user_id FROM sso_identities"), alice.id);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.link' AND"
			   " detail LIKE '%\"by\":\"owner\"%'"),
	    1);
}

TEST("S3.16 two organizations that name the same issuer do not know each other's people")
{
	stage();
	struct sso_result a = login((struct said){.connection = acme, .subject = "42"});
	struct sso_result b = login((struct said){.connection = other, .subject = "42"});
	EXPECT_INT(a.outcome, SSO_DONE);
	EXPECT_INT(b.outcome, SSO_DONE);
	EXPECT(a.user.id != b.user.id && a.identity != b.identity);
	EXPECT_INT(freshness(b.user.id), 0);
}

TEST("S3.16 a connection that is disabled or deleted meanwhile lets nobody in")
{
	stage();
	EXPECT_STR(said((struct said){.subject = "s"}), "done");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(said((struct said){.subject = "s"}), "disabled");
	EXPECT_STR(said((struct said){.subject = "t"}), "disabled");
	EXPECT_STR(said((struct said){.subject = "t", .link = alice.id}), "disabled");
	EXPECT_STR(said((struct said){.connection = 99, .subject = "s"}), "disabled");
	EXPECT_INT(identities(), 1);
	struct login l = {.a = {.connection = acme}};
	EXPECT_INT(store_tx(db, STORE_WRITE, login_tx, &l), -EINVAL);
}

TEST_MAIN()
