/* SPDX-License-Identifier: MIT */
/* What somebody would try who means harm: each of these worked once. */
#include <errno.h>
#include "api/token.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/secret.h"
#include "prism-central/host_local.h"
#include "prism-central/sshkey.h"
#include "world.h"

/* ---- hosts ----------------------------------------------------------------------------------- */

static void host_token(const struct person *by, const char *slug, struct token *ret)
{
	char path[64];
	snprintf(path, sizeof(path), "projects/%s/host-tokens", slug);
	struct answer a = ask(HTTP_POST, by->token, path, json_pack("{si}", "expires_in", 86400));
	EXPECT_INT(a.status, 201);
	EXPECT_INT(token_parse(answer_str(&a, "token"), ret), 0);
	answer_clear(&a);
}

static const char *enrol(const struct token *t, const char *name)
{
	char secret[64], key[64];
	uint8_t raw[32];
	EXPECT_INT(secret_random(raw, sizeof(raw)), 0);
	base64url_encode(t->secret, 32, secret);
	base64url_encode(raw, 32, key);
	return outcome(HTTP_POST, NULL, "hosts/enrol",
	    json_pack("{ss, ss, ss, ss, s[]}", "secret", secret, "name", name, "public_key", key,
		"hostname", name, "ssh_host_keys"));
}

TEST("L4.7 an enrolment token dies with the right of the person who made it")
{
	static const struct {
		const char *what, *undo;
	} ends[] = {
	    {"UPDATE memberships SET state = 'removed' WHERE role_id = 2",
		"UPDATE memberships SET state = 'active' WHERE role_id = 2"},
	    {"UPDATE memberships SET state = 'suspended' WHERE role_id = 2",
		"UPDATE memberships SET state = 'active' WHERE role_id = 2"},
	    {"UPDATE memberships SET not_after = 1 WHERE role_id = 2",
		"UPDATE memberships SET not_after = 0 WHERE role_id = 2"},
	    {"UPDATE memberships SET role_id = 3 WHERE role_id = 2",
		"UPDATE memberships SET role_id = 2 WHERE role_id = 3"},
	    {"UPDATE users SET state = 'suspended' WHERE username = 'adam'",
		"UPDATE users SET state = 'active' WHERE username = 'adam'"},
	};
	world();
	struct person olga = person("olga"), adam = person("adam");
	struct token t;
	project(&olga, "lab");
	join(&olga, "lab", &adam, "admin");
	host_token(&adam, "lab", &t);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		sql(ends[i].what);
		EXPECT_STR(enrol(&t, "ws1"), "ENROL_TOKEN");
		sql(ends[i].undo);
	}
	EXPECT_STR(enrol(&t, "ws1"), "201");
	/* A superadmin is a member of nothing. */
	host_token(&chief, "lab", &t);
	EXPECT_STR(enrol(&t, "ws2"), "201");
}

struct burn {
	struct host_ids ids;
	json_t *list;
};

static int burn_tx(struct tx *t, void *arg)
{
	struct burn *b = arg;
	return host_ids_burn(t, &b->ids, b->list);
}

TEST("D6 hosts together cannot use up the register, however many of them lie")
{
	world();
	central.config.uid_last = central.config.uid_first + 3999;
	struct burn b = {.list = json_array()};
	for (int64_t host = 1; host <= 4; host++) {
		json_array_clear(b.list);
		for (int64_t i = 0; i < 1000; i++)
			json_array_append_new(
			    b.list, json_integer(central.config.uid_first + (host - 1) * 1000 + i));
		b.ids = (struct host_ids){.host = host, .now = 1, .config = &central.config};
		EXPECT_INT(store_tx(db, STORE_WRITE, burn_tx, &b), 0);
	}
	int64_t burned = sql_int("SELECT COUNT(*) FROM burned_ids");
	EXPECT(burned >= 900);
	EXPECT(burned <= 2000);
	/* The other range has its own share. */
	json_array_clear(b.list);
	json_array_append_new(b.list, json_integer(central.config.gid_first + 100));
	b.ids = (struct host_ids){.host = 5, .now = 1, .config = &central.config};
	EXPECT_INT(store_tx(db, STORE_WRITE, burn_tx, &b), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM burned_ids"), burned + 1);
	json_decref(b.list);
	EXPECT(person("late").uid > 0);
}

/* ---- members --------------------------------------------------------------------------------- */

static const char *set_end(const struct person *by, const char *who, json_t *end)
{
	char path[64];
	snprintf(path, sizeof(path), "projects/lab/members/%s", who);
	return outcome(HTTP_PATCH, by->token, path, json_pack("{so}", "not_after", end));
}

TEST("L4.7 nobody puts off the end of their own membership")
{
	world();
	struct person olga = person("olga"), adam = person("adam"), otto = person("otto");
	project(&olga, "lab");
	join(&olga, "lab", &adam, "admin");
	join(&olga, "lab", &otto, "owner");
	EXPECT_STR(set_end(&olga, "adam", json_string("2099-01-01T00:00:00Z")), "200");
	EXPECT_STR(set_end(&adam, "adam", json_null()), "FORBIDDEN");
	EXPECT_STR(set_end(&adam, "adam", json_string("2099-01-01T00:00:01Z")), "FORBIDDEN");
	EXPECT_STR(set_end(&adam, "adam", json_string("2098-01-01T00:00:00Z")), "200");
	EXPECT_STR(set_end(&olga, "otto", json_string("2099-01-01T00:00:00Z")), "200");
	EXPECT_STR(set_end(&otto, "otto", json_null()), "FORBIDDEN");
	EXPECT_STR(set_end(&olga, "otto", json_null()), "200");
	EXPECT_STR(set_end(&olga, "adam", json_null()), "200");
}

/* ---- hashing, nonces ------------------------------------------------------------------------- */

static int tokens_left(enum ratelimit kind, const char *key)
{
	int n = 0;
	while (n < 1000 && !ratelimit_take(kind, key))
		n++;
	return n;
}

TEST("L4.5 the holder of an invitation cannot have passwords hashed without end")
{
	world();
	struct person olga = person("olga");
	project(&olga, "lab");
	char *token = invite(&olga, "lab", "chief@uni.edu", "member");
	ratelimit_reset(NULL);
	int all = tokens_left(RATELIMIT_TOKEN_PEER, "127.0.0.1");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss}", "token", token, "password", "a long enough one")),
	    "LOGIN_REQUIRED");
	EXPECT_INT(tokens_left(RATELIMIT_TOKEN_PEER, "127.0.0.1"), all - 1);
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/accept", json_pack("{ss}", "token", token)),
	    "LOGIN_REQUIRED");
	EXPECT_INT(tokens_left(RATELIMIT_TOKEN_PEER, "127.0.0.1"), all);
	free(token);
}

static int64_t fake_ms;

static int64_t fake_clock(void)
{
	return fake_ms;
}

static struct answer create(const struct person *by, int n)
{
	char slug[32];
	snprintf(slug, sizeof(slug), "many-%d", n);
	return ask(HTTP_POST, by->token, "projects", json_pack("{ss}", "slug", slug));
}

static int created(const struct person *by, int n)
{
	struct answer a = create(by, n);
	answer_clear(&a);
	return a.status;
}

TEST("L4.5 nobody uses up the group ids, each good once, with projects without end")
{
	enum { BURST = 20 };
	int n = 0;
	world();
	struct person olga = person("olga"), otto = person("otto");
	project(&olga, "lab");
	project(&otto, "own");
	world_limits = true;
	ratelimit_reset(fake_clock);
	while (n < BURST)
		EXPECT_INT(created(&olga, n++), 201);
	struct answer a = create(&olga, n);
	EXPECT_STR(a.code, "TOO_MANY_REQUESTS");
	EXPECT_INT(a.status, 429);
	EXPECT_INT(a.retry_after, 180);
	answer_clear(&a);
	/* The other person's count is their own; what made nothing counts for nothing. */
	EXPECT_INT(created(&otto, 0), 409);
	for (int i = 0; i < BURST; i++)
		EXPECT_INT(created(&otto, 100 + i), 201);
	EXPECT_INT(created(&otto, 99), 429);
	fake_ms += 180 * 1000;
	EXPECT_INT(created(&olga, n), 201);
	EXPECT_INT(created(&olga, n + 1), 429);
	/* Whoever sets up a deployment is not a person who could not do worse. */
	for (int i = 0; i < 2 * BURST; i++)
		EXPECT_INT(created(&chief, 200 + i), 201);
	ratelimit_reset(NULL);
}

TEST("L4.5 strangers who ask for login nonces do not push out the owner's own")
{
	world();
	struct answer a = ask(HTTP_POST, chief.token, "me/ssh-keys/challenge", NULL);
	EXPECT_INT(a.status, 200);
	answer_clear(&a);
	for (int i = 0; i < NONCES_PER_USER + 5; i++)
		EXPECT_STR(outcome(HTTP_POST, NULL, "sessions/key/challenge",
			       json_pack("{ss}", "username", "chief")),
		    "200");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces WHERE purpose = 'register'"), 1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces WHERE purpose = 'login'"), NONCES_PER_USER);
}

TEST("L4.11 a revoked key takes along the sessions that a key opened")
{
	world();
	struct person other = person("chief"), third = person("chief");
	sql("UPDATE sessions SET how = 'key' WHERE id = (SELECT MAX(id) FROM sessions)");
	sql("INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at)"
	    " SELECT 5, id, 'SHA256:x', 'ssh-ed25519 AAAA', 'imported', 'active', 1 FROM users");
	EXPECT_STR(outcome(HTTP_GET, third.token, "me", NULL), "200");
	EXPECT_STR(outcome(HTTP_DELETE, other.token, "me/ssh-keys/5", NULL), "200");
	EXPECT_STR(outcome(HTTP_GET, third.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, other.token, "me", NULL), "200");
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
}

/* ---- restoring ------------------------------------------------------------------------------- */

static int restore_tx(struct tx *t, void *arg)
{
	return feed_restore_epoch(t);
}

TEST("L4.11 a restored backup revives no session and no nonce")
{
	world();
	EXPECT_STR(outcome(HTTP_POST, chief.token, "me/ssh-keys/challenge", NULL), "200");
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	EXPECT_INT(store_tx(db, STORE_WRITE, restore_tx, NULL), 0);
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces"), 0);
}

TEST_MAIN()
