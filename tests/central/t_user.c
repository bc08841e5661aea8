/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/attr.h"
#include "prism-central/login.h"
#include "world.h"

static const char *login(const char *who, const char *password)
{
	return outcome(
	    HTTP_POST, NULL, "sessions", json_pack("{ss, ss}", "login", who, "password", password));
}

TEST("I2.3 the first superadmin is made once, and the default organization with them")
{
	static const struct bootstrap again = {
	    "second", "second@uni.edu", NULL, "another password"};
	world();
	EXPECT_INT(user_bootstrap(db, &central.config, &again), -EEXIST);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organizations WHERE slug = 'default'"), 1);
	static const struct bootstrap bad[] = {
	    {"root", "r@uni.edu", NULL, "long enough password"},
	    {"carl", "nonsense", NULL, "long enough password"},
	    {"carl", "c@uni.edu", NULL, "short"},
	    {"carl", "c@uni.edu", "a:b", "long enough password"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_INT(user_bootstrap(db, &central.config, &bad[i]), -EINVAL);
}

TEST("D6 login by name or address, with the right password only")
{
	world();
	EXPECT_STR(login("chief", "correct horse battery"), "201");
	EXPECT_STR(login("CHIEF@uni.edu", "correct horse battery"), "201");
	EXPECT_STR(login("chief", "wrong horse battery"), "BAD_CREDENTIALS");
	EXPECT_STR(login("nobody", "correct horse battery"), "BAD_CREDENTIALS");
	EXPECT_STR(login("nobody@uni.edu", "correct horse battery"), "BAD_CREDENTIALS");
	person("bob"); /* without a password */
	EXPECT_STR(login("bob", ""), "BAD_CREDENTIALS");
	EXPECT_STR(login("bob", "$scrypt$"), "BAD_CREDENTIALS");
	EXPECT_STR(outcome(HTTP_POST, NULL, "sessions", json_pack("{ss}", "login", "chief")),
	    "BAD_REQUEST");
	EXPECT_STR(outcome(HTTP_POST, NULL, "sessions",
		       json_pack("{ss, si}", "login", "chief", "password", 1)),
	    "BAD_REQUEST");
}

TEST("L4.5 guesses from many addresses do not lock an owner out where they log in")
{
	struct request far = {.peer = "198.51.100.7"};
	struct login_count n;
	world();
	ratelimit_reset(NULL);
	world_limits = true;
	login_count_init(&far, "chief", &n);
	while (ratelimit_take(RATELIMIT_LOGIN_SPREAD, n.account) == 0)
		;
	EXPECT_STR(login("chief", "correct horse battery"), "TOO_MANY_REQUESTS");
	sql("UPDATE sessions SET peer = '198.51.100.7'");
	EXPECT_STR(login("chief", "correct horse battery"), "TOO_MANY_REQUESTS");
	sql("UPDATE sessions SET peer = '127.0.0.1'");
	EXPECT_STR(login("chief", "correct horse battery"), "201");
	while (ratelimit_take(RATELIMIT_LOGIN_SPREAD, n.account) == 0)
		;
	int refused = 0;
	for (int i = 0; i < 12; i++)
		refused += strcmp(login("chief", "wrong horse battery"), "TOO_MANY_REQUESTS") == 0;
	EXPECT(refused > 0);
	login_count_init(&far, "nobody", &n);
	while (ratelimit_take(RATELIMIT_LOGIN_SPREAD, n.account) == 0)
		;
	EXPECT_STR(login("nobody", "correct horse battery"), "TOO_MANY_REQUESTS");
	world_limits = false;
}

static double seconds(const char *who)
{
	double best = 1e9;
	for (int i = 0; i < 3; i++) {
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		login(who, "wrong horse battery");
		clock_gettime(CLOCK_MONOTONIC, &b);
		double d = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		best = d < best ? d : best;
	}
	return best;
}

TEST("L4.5 a login that fails costs the same whether the account exists or not")
{
	world();
	double known = seconds("chief"), unknown = seconds("nobody");
	printf("# known %.3f s, unknown %.3f s\n", known, unknown);
	EXPECT(unknown > known * 0.5 && unknown < known * 2);
}

TEST("L4.1 a session is a hash at rest, and ends at logout and after twelve hours")
{
	world();
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sessions WHERE token_hash LIKE 'pst_%'"), 0);
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	world_skew = 12 * 3600 - 10;
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	world_skew = 12 * 3600 + 10;
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "NOT_LOGGED_IN");
	world_skew = 0;
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, "sessions/current", NULL), "204");
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, "pst_AAAA", "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, "nonsense", "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, "", "me", NULL), "NOT_LOGGED_IN");
}

TEST("D6 a change of password ends the other sessions, needs the old one and a good new one")
{
	world();
	struct person other = person("chief");
	struct {
		const char *old, *new, *want;
	} table[] = {
	    {"wrong", "a much better one", "BAD_CREDENTIALS"},
	    {NULL, "a much better one", "BAD_CREDENTIALS"},
	    {"correct horse battery", "short", "INVALID_VALUE"},
	    {"correct horse battery", "aaaaaaaaaaaaaaaa", "INVALID_VALUE"},
	    {"correct horse battery", "a much better one", "204"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		EXPECT_STR(outcome(HTTP_POST, chief.token, "me/password",
			       json_pack("{ss*, ss}", "old", table[i].old, "new", table[i].new)),
		    table[i].want);
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	EXPECT_STR(outcome(HTTP_GET, other.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(login("chief", "correct horse battery"), "BAD_CREDENTIALS");
	EXPECT_STR(login("chief", "a much better one"), "201");
	/* Who came by an invitation without a password sets the first one. */
	struct person bob = person("bob");
	EXPECT_STR(
	    outcome(HTTP_POST, bob.token, "me/password", json_pack("{ss}", "new", "bob likes tea")),
	    "204");
	EXPECT_STR(login("bob", "bob likes tea"), "201");
}

TEST("L4.11 a suspended account is refused on every path at once")
{
	world();
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users",
		       json_pack("{ss, ss, ss}", "username", "bob", "email", "bob@uni.edu",
			   "password", "bob likes tea")),
	    "201");
	struct person bob = person("bob");
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "bob@uni.edu", "member");
	EXPECT_STR(outcome(HTTP_GET, bob.token, "me", NULL), "200");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/bob/suspend", NULL), "200");
	static const char *const paths[] = {"me", "projects", "workspaces", "me/ssh-keys"};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		EXPECT_STR(outcome(HTTP_GET, bob.token, paths[i], NULL), "NOT_LOGGED_IN");
	EXPECT_STR(login("bob", "bob likes tea"), "ACCOUNT_SUSPENDED");
	EXPECT_STR(login("bob", "wrong horse battery"), "BAD_CREDENTIALS");
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/accept", json_pack("{ss}", "token", token)),
	    "LOGIN_REQUIRED");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/bob/resume", NULL), "200");
	EXPECT_STR(outcome(HTTP_GET, bob.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(login("bob", "bob likes tea"), "201");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/chief/suspend", NULL), "CONFLICT");
	free(token);
}

TEST("I2.3 accounts that a superadmin makes have good names and addresses of their own")
{
	static const struct {
		const char *username, *email, *name, *want;
	} table[] = {
	    {"bob", "bob@uni.edu", "Bob \xc3\x9c. Tester", "201"},
	    {"bob", "bob2@uni.edu", NULL, "NAME_TAKEN"},
	    {"bob2", "BOB@uni.edu", NULL, "NAME_TAKEN"},
	    {"Bob3", "bob3@uni.edu", NULL, "INVALID_VALUE"},
	    {"docker", "d@uni.edu", NULL, "INVALID_VALUE"},
	    {"g-x", "d@uni.edu", NULL, "INVALID_VALUE"},
	    {"bob4", "bob4", NULL, "INVALID_VALUE"},
	    {"bob5", "bob5@uni.edu", "a:b", "INVALID_VALUE"},
	    {"bob6", "bob6@uni.edu", "a\nb", "INVALID_VALUE"},
	    {NULL, "bob7@uni.edu", NULL, "BAD_REQUEST"},
	};
	world();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		EXPECT_STR(outcome(HTTP_POST, chief.token, "users",
			       json_pack("{ss*, ss, ss*}", "username", table[i].username, "email",
				   table[i].email, "name", table[i].name)),
		    table[i].want);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM posix_ids WHERE kind = 'user'"), 2);
}

TEST("D6 an address that somebody else took by accepting their own invitation is set free")
{
	static const char vip[] = "users/mallory/emails/VIP@uni.edu";
	world();
	struct person mallory = person("mallory"), olga = person("olga");
	project(&olga, "lab");
	sql("UPDATE emails SET address = 'Vip@uni.edu', canonical = 'vip@uni.edu' WHERE"
	    " canonical = 'mallory@uni.edu'");
	char *token = invite(&olga, "lab", "vip@uni.edu", "member");
	json_t *body = json_pack("{ss, ss}", "token", token, "username", "vip");
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/accept", json_deep_copy(body)), "LOGIN_REQUIRED");
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, vip, NULL), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, mallory.token, vip, NULL), "FORBIDDEN");
	EXPECT_STR(
	    outcome(HTTP_DELETE, chief.token, "users/olga/emails/vip@uni.edu", NULL), "NOT_FOUND");
	EXPECT_STR(
	    outcome(HTTP_DELETE, chief.token, "users/mallory/emails/nonsense", NULL), "NOT_FOUND");
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, "users/nobody/emails/vip@uni.edu", NULL),
	    "USER_NOT_FOUND");
	struct answer a = ask(HTTP_DELETE, chief.token, vip, NULL);
	EXPECT_INT(a.status, 200);
	EXPECT_STR(answer_str(&a, "username"), "mallory");
	EXPECT_STR(answer_str(&a, "email"), "");
	answer_clear(&a);
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, vip, NULL), "NOT_FOUND");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'user.email-release' AND"
			   " object = 'user:mallory' AND detail = '{\"email\":\"vip@uni.edu\"}'"),
	    1);
	/* The account stays, with its session, and makes projects; the address has its owner. */
	EXPECT_STR(outcome(HTTP_GET, mallory.token, "me", NULL), "200");
	project(&mallory, "own");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM projects WHERE contact = 'mallory'"), 1);
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept", body), "200");
	a = ask(HTTP_GET, chief.token, "users/vip@uni.edu", NULL);
	EXPECT_STR(answer_str(&a, "username"), "vip");
	answer_clear(&a);
	EXPECT_STR(outcome(HTTP_GET, mallory.token, "users/vip@uni.edu", NULL), "USER_NOT_FOUND");
	/* Found by the address alone. */
	EXPECT_STR(
	    outcome(HTTP_DELETE, chief.token, "users/vip@uni.edu/emails/vip@uni.edu", NULL), "200");
	free(token);
}

TEST("L4.12 the first name of a person reaches the feed when it changes")
{
	world();
	project(&chief, "lab");
	int64_t before = sql_int("SELECT revision FROM feeds");
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, "me", json_pack("{ss}", "name", "Prof. Chief")),
	    "200");
	EXPECT(sql_int("SELECT revision FROM feeds") > before);
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, "me", json_pack("{ss}", "name", "a:b")),
	    "INVALID_VALUE");
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, "me", json_object()), "INVALID_VALUE");
}

TEST_MAIN()
