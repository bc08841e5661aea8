/* SPDX-License-Identifier: MIT */

/*
 * Accounts that somebody made before the address's owner came: what the first login by that address
 * links, and what it closes.
 */
#include "base/buf.h"
#include "base/wire.h"
#include "feed/feed.h"
#include "prism-central/session.h"
#include "prism-central/sso_ways.h"
#include "sso_stage.h"

static const struct said by_address = {
    .subject = "alice-1", .email = "alice@acme.com", .verified = true};

/* ---- the ways in ----------------------------------------------------------------------------- */

struct ways {
	json_t *json;
	char digest[65];
};

static int ways_tx(struct tx *t, void *arg)
{
	struct ways *w = arg;
	struct user u;
	int r = user_by_id(t, alice.id, &u);

	json_decref(w->json);
	w->json = NULL;
	if (r == 0)
		r = sso_ways_read(t, &u, clock_now() + world_skew, &w->json);
	return r < 0 ? r : sso_ways_digest(w->json, w->digest);
}

static struct ways ways(void)
{
	struct ways w = {0};

	EXPECT_INT(store_tx(db, STORE_READ, ways_tx, &w), 0);
	return w;
}

/* "password key:SHA256:abc ...", and the digest of it. */
static const char *ways_text(char digest[65])
{
	static char text[1024];
	struct ways w = ways();
	size_t i, n = 0;
	json_t *way;

	text[0] = '\0';
	json_array_foreach(json_object_get(w.json, "ways"), i, way)
	{
		const char *what = json_string_value(json_object_get(way, "what"));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", i ? " " : "",
		    json_string_value(json_object_get(way, "kind")), *what ? ":" : "", what);
	}
	if (digest)
		memcpy(digest, w.digest, sizeof(w.digest));
	json_decref(w.json);
	return text;
}

static const char *answered(enum sso_claim claim, const char *account, const char *seen)
{
	struct said s = by_address;

	s.answer = (struct sso_answer){.claim = claim, .account = account, .seen = seen};
	return said(s);
}

#define ALICE "(SELECT id FROM users WHERE username = 'alice')"

static const char sql_key[] =
    "INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at) SELECT 77,"
    " id, 'SHA256:mallory', 'ssh-ed25519 AAAA', 'imported', 'active', 5 FROM users"
    " WHERE username = 'alice'";
static const char sql_browser[] =
    "INSERT INTO browser_sessions (id, token_hash, user_id, auth_at, peer, created_at, expires_at)"
    " SELECT 78, 'x', id, 1, '198.51.100.9', 1, 9999999999 FROM users WHERE username = 'alice'";

static const struct {
	const char *sql, *text;
} each[] = {
    {"UPDATE users SET password = 'x', password_at = 5 WHERE username = 'alice'", "password"},
    {sql_key, "key:SHA256:mallory"},
    {"INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at, not_after)"
     " SELECT 77, id, 'SHA256:old', 'ssh-ed25519 AAAA', 'imported', 'retiring', 5, 9999999999 FROM"
     " users WHERE username = 'alice'",
	"key:SHA256:old"},
    {"INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id,"
     " created_at) SELECT 79, c.organization_id, c.id, 'i', 'm', " ALICE
     ", 7 FROM sso_connections c WHERE c.slug = 'other-idp'",
	"login:other-idp"},
    {"UPDATE sessions SET revoked_at = 0 WHERE user_id = " ALICE, "session"},
    {sql_browser, "browser:198.51.100.9"},
};

TEST("S3.17 an address alone links no account that has any way in, whichever it is")
{
	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		stage();
		alice_leaves();
		EXPECT_STR(ways_text(NULL), "");
		sql(each[i].sql);
		EXPECT_STR(ways_text(NULL), each[i].text);
		int64_t before = identities();
		struct sso_result r = login(by_address);
		EXPECT_INT(r.outcome, SSO_ASK);
		EXPECT_INT(r.user.id, alice.id);
		EXPECT_INT(r.identity, 0);
		EXPECT_INT(identities(), before);
		EXPECT_STR(ways_text(NULL), each[i].text);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.ask' AND object"
				   " = 'user:alice' AND detail LIKE '%alice-1%'"),
		    1);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action IN ('sso.link',"
				   " 'sso.login')"),
		    0);
	}
}

TEST("S3.17 what does not open an account any more is not asked about")
{
	static const char *const over[] = {
	    "UPDATE ssh_keys SET state = 'revoked', revoked_at = 6",
	    "UPDATE ssh_keys SET state = 'retiring', not_after = 6",
	};
	for (size_t i = 0; i < ARRAY_SIZE(over); i++) {
		stage();
		sql(sql_key);
		sql(over[i]);
		sql(sql_browser);
		world_skew = SESSION_SECONDS + 1;
		sql("UPDATE browser_sessions SET expires_at = 5");
		EXPECT_STR(ways_text(NULL), "");
		EXPECT_STR(said(by_address), "done");
	}
}

TEST("S3.17 an account that nothing opens is linked at once, and what was begun in it ends")
{
	stage();
	alice_leaves();
	sql("INSERT INTO device_codes (id, device_hash, user_hash, state, interval_s, answered_by,"
	    " created_at, expires_at) VALUES (1, 'x', 'x', 'approved', 5, " ALICE
	    ", 1, 9999999999)");
	sql("INSERT INTO sso_link_tickets (ticket_hash, user_id, connection_id, expires_at) SELECT"
	    " 'x', " ALICE ", id, 9999999999 FROM sso_connections WHERE slug = 'other-idp'");
	struct sso_result r = login(by_address);
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(r.user.id, alice.id);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
	EXPECT_INT(
	    sql_int("SELECT COUNT(*) FROM audit WHERE action IN ('sso.ask', 'sso.claim')"), 0);
}

TEST("S3.17 whose account it is and how it was made, for the page that asks")
{
	stage();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "bo@acme.com", "member");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss, ss}", "token", token, "username", "bo", "password",
			   "correct horse battery")),
	    "200");
	free(token);
	struct person had = alice;
	alice.id = sql_int("SELECT id FROM users WHERE username = 'bo'");
	struct ways w = ways();
	json_t *o = w.json;
	EXPECT_STR(json_string_value(json_object_get(o, "username")), "bo");
	EXPECT_STR(json_string_value(json_object_get(o, "email")), "bo@acme.com");
	EXPECT_STR(json_string_value(json_object_get(o, "invited_by")), "chief");
	EXPECT_STR(json_string_value(json_object_get(o, "project")), "lab");
	EXPECT(json_is_null(json_object_get(o, "connection")));
	EXPECT(clock_now() - json_integer_value(json_object_get(o, "made_at")) < 60);
	const json_t *password = json_array_get(json_object_get(o, "ways"), 0);
	EXPECT_STR(json_string_value(json_object_get(password, "kind")), "password");
	EXPECT(clock_now() - json_integer_value(json_object_get(password, "at")) < 60);
	json_decref(w.json);
	/* at a first login */
	alice.id = login((struct said){.subject = "new"}).user.id;
	w = ways();
	EXPECT_STR(json_string_value(json_object_get(w.json, "connection")), "acme-idp");
	EXPECT(json_is_null(json_object_get(w.json, "invited_by")));
	json_decref(w.json);
	/* otherwise nothing is claimed */
	alice = had;
	w = ways();
	EXPECT(json_is_null(json_object_get(w.json, "connection")));
	EXPECT(json_is_null(json_object_get(w.json, "invited_by")));
	json_decref(w.json);
}

/* ---- the answers ----------------------------------------------------------------------------- */

static void everything(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		if (i != 2) /* the same id as the key before it */
			sql(each[i].sql);
}

TEST("S3.17 who says that all is theirs keeps it, and gets in")
{
	char seen[65];
	stage();
	everything();
	EXPECT_STR(said(by_address), "ask");
	ways_text(seen);
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", seen), "done");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
	EXPECT_STR(ways_text(NULL),
	    "password key:SHA256:mallory login:other-idp login:acme-idp session "
	    "browser:198.51.100.9");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.claim' AND actor ="
			   " 'user:alice' AND detail LIKE '%\"answer\":\"kept\"%' AND"
			   " detail LIKE '%SHA256:mallory%'"),
	    1);
	/* once linked, nobody is asked again */
	EXPECT_STR(said(by_address), "done");
}

TEST("S3.17 what was added behind the page's back is not kept: it asks again")
{
	char seen[65];
	stage();
	ways_text(seen);
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", "x"), "ask");
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", NULL), "ask");
	EXPECT_STR(answered(SSO_CLAIM_KEEP, NULL, seen), "ask");
	sql(sql_key);
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", seen), "ask");
	EXPECT_INT(identities(), 0);
	ways_text(seen);
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", seen), "done");
}

TEST("S3.17 closing does not wait for a list that somebody keeps changing")
{
	stage();
	sql(sql_key);
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", "x"), "done");
	EXPECT_STR(ways_text(NULL), "login:acme-idp");
}

TEST("S3.17 an answer is for the account that the page named, and no other")
{
	stage();
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "chief", "x"), "ask");
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, NULL, "x"), "ask");
	EXPECT_STR(ways_text(NULL), "session");
	EXPECT_INT(identities(), 0);
}

TEST("S3.17 who says that not all is theirs has it all closed, and gets in alone")
{
	stage();
	everything();
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
	sql("INSERT INTO device_codes (id, device_hash, user_hash, state, interval_s, answered_by,"
	    " created_at, expires_at) VALUES (1, 'x', 'x', 'approved', 5, " ALICE
	    ", 1, 9999999999)");
	sql("INSERT INTO sso_link_tickets (ticket_hash, user_id, connection_id, expires_at) SELECT"
	    " 'x', " ALICE ", id, 9999999999 FROM sso_connections WHERE slug = 'other-idp'");
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", NULL), "done");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	EXPECT_STR(ways_text(NULL), "login:acme-idp");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM ssh_keys WHERE state <> 'revoked'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM users WHERE username = 'alice' AND password IS"
			   " NULL AND password_at = 0"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions WHERE revoked_at = 0"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM users WHERE password IS NOT NULL"), 1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.claim' AND detail LIKE"
			   " '%\"answer\":\"closed\"%' AND detail LIKE '%\"keys\":"
			   "[\"SHA256:mallory\"]%' AND detail LIKE '%\"password\":true%' AND"
			   " detail LIKE '%\"sessions\":1%' AND detail LIKE '%\"browsers\":1%' AND"
			   " detail LIKE '%\"logins\":[\"other-idp\"]%'"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.link' AND"
			   " detail LIKE '%\"by\":\"address\"%'"),
	    1);
}

struct keys {
	int64_t uid;
	size_t n;
};

static int keys_tx(struct tx *t, void *arg)
{
	struct keys *k = arg;
	_cleanup_buf_ struct buf b = BUF_INIT(1u << 20);
	struct feed_record rec;
	struct feed_member m;
	struct wire w;
	int64_t project = 0;
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, "SELECT id FROM projects", "", &rows);

	k->n = 0;
	if (r == 0 && rows_next(rows) == 1)
		project = row_int(rows, 0);
	r = feed_records_read(t, project, 0, &b);
	wire_init(&w, b.data, b.len);
	while (r >= 0 && feed_next(&w, &rec) > 0)
		if (rec.type == FEED_MEMBER && rec.subject == k->uid &&
		    feed_parse_member(&rec, &m) == 0)
			k->n += m.nkeys;
	return r < 0 ? r : 0;
}

static size_t keys_on_hosts(void)
{
	struct keys k = {.uid = alice.uid};

	EXPECT_INT(store_tx(db, STORE_READ, keys_tx, &k), 0);
	return k.n;
}

TEST("S3.17 hosts hear at once that the keys of whoever made the account are void")
{
	char key[] = "UPDATE ssh_keys SET line = 'ssh-ed25519"
		     " AAAAC3NzaC1lZDI1NTE5AAAAIFrMaVJmF2mn7R0gmpTxLNUq0a8ZcZ0Yfh6nE3u0S3Xq'";
	stage();
	project(&chief, "lab");
	sql(sql_key);
	sql(key);
	join(&chief, "lab", &alice, "member");
	EXPECT_INT(keys_on_hosts(), 1);
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", NULL), "done");
	EXPECT_INT(keys_on_hosts(), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM memberships WHERE state = 'active' AND user_id ="
			   " " ALICE),
	    1);
}

TEST("S3.17 of two pages one is answered, and the other one's answer is told to be late")
{
	char seen[65];
	stage();
	ways_text(seen);
	EXPECT_STR(answered(SSO_CLAIM_KEEP, "alice", seen), "done");
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", seen), "answered");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
}

TEST("S3.17 an answer opens nothing that no address opens")
{
	static const struct {
		const char *sql, *outcome;
	} cases[] = {
	    {"UPDATE users SET superadmin = 1 WHERE username = 'alice'", "address taken"},
	    {"UPDATE sso_domains SET proven_at = 0", "address taken"},
	    {"UPDATE emails SET verified_at = 0", "address taken"},
	    {"UPDATE users SET state = 'suspended' WHERE username = 'alice'", "suspended"},
	    {"UPDATE sso_connections SET enabled = 0", "disabled"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		stage();
		sql(sql_key);
		sql(cases[i].sql);
		EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", NULL), cases[i].outcome);
		EXPECT_INT(identities(), 0);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM ssh_keys WHERE state = 'active'"), 1);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM sessions WHERE user_id = " ALICE
				   " AND revoked_at = 0"),
		    1);
	}
}

TEST("S3.17 the owner's own link asks for no more than before")
{
	stage();
	everything();
	EXPECT_STR(said((struct said){.subject = "a", .link = alice.id}), "done");
	EXPECT_INT(
	    sql_int("SELECT COUNT(*) FROM audit WHERE action IN ('sso.ask', 'sso.claim')"), 0);
}

TEST("S3.17 since when a password is set is noted, and forgotten with it")
{
	stage();
	EXPECT_STR(outcome(HTTP_POST, alice.token, "me/password",
		       json_pack("{ss}", "new", "staple staple horse")),
	    "204");
	EXPECT(
	    clock_now() - sql_int("SELECT password_at FROM users WHERE username = 'alice'") < 60);
	EXPECT(
	    clock_now() - sql_int("SELECT password_at FROM users WHERE username = 'chief'") < 60);
	sql("UPDATE users SET password_at = 5");
	struct user u;
	const char *why;
	EXPECT_INT(user_password_reset(db, "chief", "another horse battery", &u, &why), 0);
	EXPECT(
	    clock_now() - sql_int("SELECT password_at FROM users WHERE username = 'chief'") < 60);
	EXPECT_INT(sql_int("SELECT password_at FROM users WHERE username = 'alice'"), 5);
	EXPECT_STR(answered(SSO_CLAIM_CLOSE, "alice", NULL), "done");
	EXPECT_INT(sql_int("SELECT password_at FROM users WHERE username = 'alice'"), 0);
}

TEST_MAIN()
