/* SPDX-License-Identifier: MIT */

/* Logins that the owner of an account links to it. */
#include "sso_stage.h"

static int take_fn(struct tx *t, struct asked *a)
{
	return sso_link_take(t, a->email, a->org, clock_now() + world_skew, &a->value);
}

static int take(const char *ticket, int64_t connection, int64_t *ret_user)
{
	struct asked a = {.fn = take_fn, .email = ticket, .org = connection};
	int r = store_tx(db, STORE_WRITE, ask_tx, &a);

	*ret_user = a.value;
	return r;
}

TEST("S3.17 a ticket to link an account is good once, for ten minutes, for its connection")
{
	stage();
	int64_t user = 0;
	for (int i = 0; i < 2; i++) {
		struct answer a = ask(HTTP_POST, alice.token, "me/identities",
		    json_pack("{ss}", "connection", "acme-idp"));
		char ticket[64];
		const char *url = answer_str(&a, "url");
		EXPECT(url && strchr(url, '='));
		snprintf(ticket, sizeof(ticket), "%s", strchr(url, '=') + 1);
		answer_clear(&a);
		if (i) {
			world_skew = 601;
			EXPECT_INT(take(ticket, acme, &user), -ENOENT);
			break;
		}
		EXPECT_INT(take(ticket, other, &user), -ENOENT);
		EXPECT_INT(take("x", acme, &user), -ENOENT);
		EXPECT_INT(take(ticket, acme, &user), 0);
		EXPECT_INT(user, alice.id);
		EXPECT_INT(take(ticket, acme, &user), -ENOENT);
	}
}

/* A session that was opened by a login at this connection. */
static void through(const struct person *p, const char *slug)
{
	char text[300];

	snprintf(text, sizeof(text),
	    "UPDATE sessions SET identity_id = COALESCE((SELECT i.id FROM sso_identities i JOIN"
	    " sso_connections c ON c.id = i.connection_id WHERE c.slug = '%s' AND i.user_id ="
	    " %lld), 0) WHERE user_id = %lld",
	    slug, (long long)p->id, (long long)p->id);
	sql(text);
}

static const char *link_at(const struct person *p, const char *slug)
{
	return outcome(HTTP_POST, p->token, "me/identities", json_pack("{ss}", "connection", slug));
}

TEST("I3.4 one provider does not put somebody else in another one's place")
{
	char path[64];
	stage();
	login((struct said){.subject = "a", .link = alice.id});
	through(&alice, "acme-idp");
	/* the first login at another one, and another at the same */
	EXPECT_STR(link_at(&alice, "other-idp"), "201");
	EXPECT_STR(link_at(&alice, "acme-idp"), "201");
	struct sso_result r =
	    login((struct said){.connection = other, .subject = "b", .link = alice.id});
	snprintf(path, sizeof(path), "me/identities/%lld", (long long)r.identity);
	EXPECT_STR(link_at(&alice, "other-idp"), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, alice.token, path, NULL), "FORBIDDEN");
	through(&alice, "none"); /* a password */
	EXPECT_STR(link_at(&alice, "other-idp"), "201");
	through(&alice, "other-idp");
	EXPECT_STR(link_at(&alice, "acme-idp"), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, alice.token, path, NULL), "204");
}

TEST("S3.17 whoever takes an account back takes back what was begun to be linked to it")
{
	stage();
	sql("UPDATE users SET password = (SELECT password FROM users WHERE username = 'chief')");
	EXPECT_STR(outcome(HTTP_POST, alice.token, "me/identities",
		       json_pack("{ss}", "connection", "acme-idp")),
	    "201");
	sql("INSERT INTO sso_attempts (id, state_hash, browser_hash, connection_id, link_user,"
	    " return_to, created_at, expires_at) SELECT u.id, u.username, 'b', c.id, u.id, '/', 1,"
	    " 9999999999 FROM users u, sso_connections c WHERE c.slug = 'acme-idp'");
	EXPECT_STR(outcome(HTTP_POST, alice.token, "me/password",
		       json_pack("{ss, ss}", "old", "correct horse battery", "new",
			   "staple staple horse")),
	    "204");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_attempts"), 1); /* the superadmin's */
}

TEST("S3.17 so does whoever takes a key back, or ends a login: its session may have begun it")
{
	static const char *const cases[] = {"me/ssh-keys/71", "me/identities/72"};

	stage();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sql("DELETE FROM ssh_keys");
		sql("DELETE FROM sso_identities");
		sql("INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, "
		    "created_at)"
		    " SELECT 71, id, 'SHA256:x', 'ssh-ed25519 x', 'imported', 'active', 1"
		    " FROM users WHERE username = 'alice'");
		sql("INSERT INTO sso_identities (id, organization_id, connection_id, issuer, "
		    "subject,"
		    " user_id, created_at) SELECT 72, c.organization_id, c.id, c.issuer, 'a', "
		    "u.id, 1"
		    " FROM users u, sso_connections c WHERE u.username = 'alice' AND c.slug ="
		    " 'acme-idp'");
		EXPECT_STR(link_at(&alice, "other-idp"), "201");
		const char *said = outcome(HTTP_DELETE, alice.token, cases[i], NULL);
		EXPECT(!strcmp(said, "200") || !strcmp(said, "204"));
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
	}
}

TEST("S3.17 a provider that ends a login ends what was begun by it to link another one")
{
	stage();
	struct sso_result r = login((struct said){.subject = "a", .link = alice.id});
	through(&alice, "acme-idp");
	EXPECT_STR(link_at(&alice, "other-idp"), "201");
	EXPECT_INT(end_identity(r.identity), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
}

TEST_MAIN()
