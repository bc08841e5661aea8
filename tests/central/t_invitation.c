/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include "base/attr.h"
#include "base/encode.h"
#include "prism-central/ratelimit.h"
#include "world.h"

static json_t *accept_body(const char *token, const char *username)
{
	return json_pack("{ss, ss*}", "token", token, "username", username);
}

static const char *accepts(const struct person *who, const char *token, const char *username)
{
	return outcome(
	    HTTP_POST, who ? who->token : NULL, "invitations/accept", accept_body(token, username));
}

TEST("S1.5 S1.6 accepting without an account makes one, a member, and a session")
{
	world();
	project(&chief, "ml-research");
	char *token = invite(&chief, "ml-research", "Alice.Smith@Uni.edu", "member");
	EXPECT(!strncmp(token, "eyJ", 3));
	struct answer a = ask(HTTP_POST, NULL, "invitations/accept", accept_body(token, "alice"));
	EXPECT_INT(a.status, 200);
	EXPECT_STR(answer_str(&a, "research_user.username"), "alice");
	EXPECT_INT(
	    json_integer_value(json_object_get(json_object_get(a.json, "research_user"), "uid")),
	    10002);
	EXPECT_STR(answer_str(&a, "research_user.home"), "/efs/home/alice");
	EXPECT_STR(answer_str(&a, "project.role"), "member");
	EXPECT_STR(answer_str(&a, "invitation.state"), "accepted");
	char session[64];
	snprintf(session, sizeof(session), "%s", answer_str(&a, "session.token"));
	answer_clear(&a);
	a = ask(HTTP_GET, session, "me", NULL);
	EXPECT_STR(answer_str(&a, "email"), "Alice.Smith@Uni.edu");
	json_t *m = json_array_get(json_object_get(a.json, "memberships"), 0);
	EXPECT_STR(json_string_value(json_object_get(m, "project")), "ml-research");
	EXPECT_STR(json_string_value(json_object_get(m, "role")), "member");
	EXPECT_STR(json_string_value(json_object_get(m, "state")), "active");
	answer_clear(&a);
	EXPECT_STR(accepts(NULL, token, "alice2"), "INVITATION_ACCEPTED");
	free(token);
}

TEST("S1.5 the first person's uid is 10001")
{
	world();
	EXPECT_INT(chief.uid, 10001);
}

TEST("S1.6 a username that is missing or taken is answered with one that is free")
{
	world();
	project(&chief, "lab");
	person("alice");
	char *token = invite(&chief, "lab", "Alice@other.edu", "member");
	struct answer a = ask(HTTP_POST, NULL, "invitations/accept", accept_body(token, NULL));
	EXPECT_STR(a.code, "INVALID_VALUE");
	EXPECT_HAS(answer_str(&a, "error.message"), "\"alice2\" is free");
	answer_clear(&a);
	EXPECT_STR(accepts(NULL, token, "alice"), "NAME_TAKEN");
	EXPECT_STR(accepts(NULL, token, "root"), "INVALID_VALUE");
	EXPECT_STR(accepts(NULL, token, "p-lab"), "INVALID_VALUE");
	EXPECT_STR(accepts(NULL, token, "Alice"), "INVALID_VALUE");
	EXPECT_STR(accepts(NULL, token, "alice2"), "200");
	free(token);
}

TEST("L4.4 an invitation is for the owner of its address, and nobody else")
{
	world();
	project(&chief, "lab");
	struct person bob = person("bob"), eve = person("eve");
	char *token = invite(&chief, "lab", "BOB@UNI.EDU", "member");
	EXPECT_STR(accepts(NULL, token, "bobby"), "LOGIN_REQUIRED");
	EXPECT_STR(accepts(&eve, token, NULL), "INVITATION_NOT_YOURS");
	EXPECT_STR(accepts(&bob, token, NULL), "200");
	free(token);
	/* No account has the address: somebody who is logged in does not get a second one. */
	token = invite(&chief, "lab", "nobody@uni.edu", "member");
	EXPECT_STR(accepts(&eve, token, "eve2"), "INVITATION_NOT_YOURS");
	free(token);
}

TEST("S1.23 each state has its own answer, for who has the right secret")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/decline",
		       json_pack("{ss, ss}", "token", token, "reason", "no time")),
	    "200");
	EXPECT_STR(accepts(NULL, token, "aa"), "INVITATION_DECLINED");
	free(token);

	token = invite(&chief, "lab", "b@uni.edu", "member");
	world_skew = 7 * 86400 - 60;
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/lookup", json_pack("{ss}", "token", token)),
	    "200");
	world_skew = 7 * 86400 + 1;
	EXPECT_STR(accepts(NULL, token, "bb"), "INVITATION_EXPIRED");
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/lookup", json_pack("{ss}", "token", token)),
	    "INVITATION_EXPIRED");
	world_skew = 0;
	free(token);

	token = invite(&chief, "lab", "c@uni.edu", "member");
	sql("UPDATE invitations SET state = 'revoked' WHERE email = 'c@uni.edu'");
	EXPECT_STR(accepts(NULL, token, "cc"), "INVITATION_REVOKED");
	free(token);
}

/* The token with another secret inside: what a guess looks like. */
static char *other_secret(const char *token)
{
	struct token k;
	struct buf out = BUF_INIT(TOKEN_MAX);
	EXPECT_INT(token_parse(token, &k), 0);
	k.secret[31] ^= 1;
	EXPECT_INT(token_make(&k, feed_signer_sign_raw, central.signer, &out), 0);
	return buf_detach(&out);
}

TEST("S1.23 L4.5 a wrong secret learns nothing, whatever the state")
{
	static const char *const states[] = {
	    "pending", "accepted", "declined", "expired", "revoked"};
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member"), *wrong = other_secret(token);
	static const char *const set[] = {"UPDATE invitations SET state = 'pending'",
	    "UPDATE invitations SET state = 'accepted'",
	    "UPDATE invitations SET state = 'declined'", "UPDATE invitations SET state = 'expired'",
	    "UPDATE invitations SET state = 'revoked'"};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		sql(set[i]);
		EXPECT_STR(accepts(NULL, wrong, "aa"), "INVITATION_NOT_FOUND");
		EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/lookup",
			       json_pack("{ss}", "token", wrong)),
		    "INVITATION_NOT_FOUND");
	}
	EXPECT_STR(accepts(NULL, "eyJhbGciOiJIUzI1NiIs", "aa"), "INVITATION_NOT_FOUND");
	EXPECT_STR(accepts(NULL, "", "aa"), "INVITATION_NOT_FOUND");
	free(token);
	free(wrong);
}

TEST("S1.23 a token that was pasted with line breaks and spaces around works")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member"), text[TOKEN_MAX + 16];
	snprintf(text, sizeof(text), "  %.40s\n%s \r\n", token, token + 40);
	EXPECT_STR(accepts(NULL, text, "aa"), "200");
	free(token);
}

TEST("L4.3 GET never consumes, and tells who would join what")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "viewer"), path[TOKEN_MAX + 32];
	snprintf(path, sizeof(path), "invitations/%s", token);
	for (int i = 0; i < 3; i++) {
		struct answer a = ask(HTTP_GET, NULL, path, NULL);
		EXPECT_INT(a.status, 200);
		EXPECT_STR(answer_str(&a, "invitation.role"), "viewer");
		EXPECT_STR(answer_str(&a, "invitation.state"), "pending");
		EXPECT(json_is_false(json_object_get(a.json, "account_exists")));
		answer_clear(&a);
	}
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM users"), 1);
	free(token);
}

TEST("L4.1 the secret is kept as a hash, and no list shows it")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member");
	struct token k;
	char secret[BASE64URL_LEN(32) + 1], hex[65];
	EXPECT_INT(token_parse(token, &k), 0);
	base64url_encode(k.secret, 32, secret);
	hex_encode(k.secret, 32, hex);
	static const char *const lists[] = {
	    "projects/lab/invitations", "invitations/my", "projects/lab/members", "audit"};
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct answer a = ask(HTTP_GET, chief.token, lists[i], NULL);
		char *text = json_dumps(a.json, 0);
		EXPECT_INT(a.status, 200);
		EXPECT(!strstr(text, secret) && !strstr(text, hex) && !strstr(text, "token"));
		free(text);
		answer_clear(&a);
	}
	free(token);
}

TEST("S1.9 S2.13 one pending per address; a resend has a new secret and the old one dies")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member"), path[64];
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects/lab/invitations",
		       json_pack("{ss}", "email", "A@UNI.edu")),
	    "ALREADY_INVITED");
	snprintf(path, sizeof(path), "invitations/%lld/resend",
	    (long long)sql_int("SELECT id FROM invitations"));
	struct answer a = ask(HTTP_POST, chief.token, path, NULL);
	EXPECT_INT(a.status, 200);
	EXPECT_STR(accepts(NULL, token, "aa"), "INVITATION_NOT_FOUND");
	EXPECT_STR(outcome(HTTP_POST, chief.token, path, NULL), "TOO_MANY_REQUESTS");
	EXPECT_STR(accepts(NULL, answer_str(&a, "token"), "aa"), "200");
	EXPECT_STR(outcome(HTTP_POST, chief.token, path, NULL), "INVITATION_ACCEPTED");
	answer_clear(&a);
	free(token);
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects/lab/invitations",
		       json_pack("{ss}", "email", "a@uni.edu")),
	    "ALREADY_MEMBER");
}

TEST("S2.13 a declined or expired invitation is resent, and makes room for a new one")
{
	world();
	project(&chief, "lab");
	char *token = invite(&chief, "lab", "a@uni.edu", "member"), path[64];
	EXPECT_STR(
	    outcome(HTTP_POST, NULL, "invitations/decline", json_pack("{ss}", "token", token)),
	    "200");
	free(token);
	snprintf(path, sizeof(path), "invitations/%lld/resend",
	    (long long)sql_int("SELECT id FROM invitations"));
	struct answer a = ask(HTTP_POST, chief.token, path, NULL);
	EXPECT_INT(a.status, 200);
	EXPECT_STR(answer_str(&a, "invitation.state"), "pending");
	answer_clear(&a);
	world_skew = 8 * 86400;
	chief = person("chief");
	token = invite(&chief, "lab", "a@uni.edu", "viewer");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM invitations WHERE state = 'expired'"), 1);
	free(token);
}

TEST("S1.9 lengths of life have bounds, messages are plain text of one line")
{
	static const struct {
		const char *key;
		json_int_t seconds;
		const char *message, *want;
	} table[] = {
	    {"expires_in", 59, NULL, "INVALID_VALUE"},
	    {"expires_in", -1, NULL, "INVALID_VALUE"},
	    {"expires_in", 90 * 86400 + 1, NULL, "INVALID_VALUE"},
	    {"expires_in", 14 * 86400, "Welcome to the \xc3\xa4 lab!", "201"},
	    {"expires_in", 86400, "two\nlines", "INVALID_VALUE"},
	    {"expires_in", 86400, "bell\a", "INVALID_VALUE"},
	    {"expires_in", 86400, "csi\xc2\x9b", "INVALID_VALUE"},
	};
	char email[32];
	world();
	project(&chief, "lab");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		snprintf(email, sizeof(email), "x%zu@uni.edu", i);
		EXPECT_STR(outcome(HTTP_POST, chief.token, "projects/lab/invitations",
			       json_pack("{ss, sI, ss*}", "email", email, table[i].key,
				   table[i].seconds, "message", table[i].message)),
		    table[i].want);
	}
	static const char *const bad[] = {"", "x", "x@", "@y", "a b@c.d", "x@y\n.z", "\"x\"@y.z"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_STR(outcome(HTTP_POST, chief.token, "projects/lab/invitations",
			       json_pack("{ss}", "email", bad[i])),
		    "INVALID_VALUE");
}

TEST("L4.7 nobody invites above their own role, neither at create nor at resend")
{
	world();
	project(&chief, "lab");
	struct person adam = person("adam");
	join(&chief, "lab", &adam, "admin");
	EXPECT_STR(outcome(HTTP_POST, adam.token, "projects/lab/invitations",
		       json_pack("{ss, ss}", "email", "x@uni.edu", "role", "owner")),
	    "ROLE_TOO_HIGH");
	EXPECT_STR(outcome(HTTP_POST, adam.token, "projects/lab/invitations",
		       json_pack("{ss, ss}", "email", "x@uni.edu", "role", "boss")),
	    "INVALID_VALUE");
	free(invite(&adam, "lab", "x@uni.edu", "admin"));
	free(invite(&chief, "lab", "y@uni.edu", "owner"));
	char path[64];
	snprintf(path, sizeof(path), "invitations/%lld/resend",
	    (long long)sql_int("SELECT id FROM invitations WHERE email = 'y@uni.edu'"));
	EXPECT_STR(outcome(HTTP_POST, adam.token, path, NULL), "ROLE_TOO_HIGH");
	path[strlen(path) - 7] = '\0';
	EXPECT_STR(outcome(HTTP_DELETE, adam.token, path, NULL), "ROLE_TOO_HIGH");
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, path, NULL), "200");
}

/* What becomes of the sender, and what of the invitation as an admin that they had sent. */
static void sender_case(const char *what)
{
	world();
	struct person olga = person("olga"), adam = person("adam");
	project(&olga, "lab");
	bool owner = !strcmp(what, "demoted below the role");
	join(&olga, "lab", &adam, owner ? "owner" : "admin");
	char *token = invite(&adam, "lab", "x@uni.edu", owner ? "owner" : "admin");
	const char *path = "projects/lab/members/adam";
	if (!strcmp(what, "removed"))
		EXPECT_STR(outcome(HTTP_DELETE, olga.token, path, NULL), "200");
	else if (!strcmp(what, "demoted"))
		EXPECT_STR(
		    outcome(HTTP_PATCH, olga.token, path, json_pack("{ss}", "role", "member")),
		    "200");
	else if (!strcmp(what, "suspended"))
		EXPECT_STR(
		    outcome(HTTP_POST, olga.token, "projects/lab/members/adam/suspend", NULL),
		    "200");
	else if (!strcmp(what, "account suspended"))
		EXPECT_STR(outcome(HTTP_POST, chief.token, "users/adam/suspend", NULL), "200");
	else if (!strcmp(what, "expired"))
		sql("UPDATE memberships SET not_after = 5 WHERE joined_via = 'invitation'");
	else if (!strcmp(what, "demoted unseen"))
		sql("UPDATE memberships SET role_id = 3 WHERE joined_via = 'invitation'");
	else if (!strcmp(what, "demoted below the role"))
		sql("UPDATE memberships SET role_id = 2 WHERE joined_via = 'invitation'");
	else if (!strcmp(what, "archived"))
		EXPECT_STR(outcome(HTTP_DELETE, olga.token, "projects/lab", NULL), "200");
	EXPECT_STR(accepts(NULL, token, "xx"), "INVITATION_REVOKED");
	free(token);
}

TEST("L4.7 what a sender may not give any more, nobody accepts")
{
	static const char *const cases[] = {"removed", "demoted", "suspended", "account suspended",
	    "expired", "demoted unseen", "demoted below the role", "archived"};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		printf("# sender %s\n", cases[i]);
		sender_case(cases[i]);
	}
}

TEST("L4.7 a suspended member does not come back by an invitation")
{
	world();
	project(&chief, "lab");
	struct person bob = person("bob");
	join(&chief, "lab", &bob, "member");
	EXPECT_STR(
	    outcome(HTTP_POST, chief.token, "projects/lab/members/bob/suspend", NULL), "200");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects/lab/invitations",
		       json_pack("{ss}", "email", bob.email)),
	    "ALREADY_MEMBER");
	/* One who was removed does. */
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, "projects/lab/members/bob", NULL), "200");
	join(&chief, "lab", &bob, "viewer");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM memberships"), 2);
}

TEST("L4.7 what was pending when somebody was suspended does not bring them back either")
{
	world();
	project(&chief, "lab");
	struct person bob = person("bob");
	char *token = invite(&chief, "lab", bob.email, "admin");
	sql("INSERT INTO memberships (id, project_id, user_id, role_id, state, joined_at, "
	    "joined_via)"
	    " SELECT 99, p.id, u.id, 3, 'suspended', 1, 'direct' FROM projects p, users u"
	    " WHERE u.username = 'bob'");
	EXPECT_STR(accepts(&bob, token, NULL), "ALREADY_MEMBER");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM invitations WHERE state = 'pending'"), 1);
	sql("UPDATE memberships SET state = 'active' WHERE id = 99");
	EXPECT_STR(accepts(&bob, token, NULL), "ALREADY_MEMBER");
	sql("UPDATE memberships SET not_after = 5 WHERE id = 99");
	EXPECT_STR(accepts(&bob, token, NULL), "200");
	EXPECT_INT(sql_int("SELECT not_after FROM memberships WHERE id = 99"), 0);
	free(token);
}

/* ---- the race -------------------------------------------------------------------------------- */

#define RACERS 8

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	const char *token;
	char username[16];
	int status;
	char code[40];
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct store *own = NULL;
	if (store_open(world_url, &own) < 0)
		return NULL;
	pthread_barrier_wait(r->start);
	struct answer a =
	    ask_on(own, HTTP_POST, NULL, "invitations/accept", accept_body(r->token, r->username));
	r->status = a.status;
	snprintf(r->code, sizeof(r->code), "%s", a.code);
	answer_clear(&a);
	store_close(own);
	return NULL;
}

TEST("L4.2 of eight who accept at the same moment, one does")
{
	for (int round = 0; round < 5; round++) {
		pthread_barrier_t start;
		struct racer r[RACERS] = {0};
		int won = 0, late = 0;
		world();
		project(&chief, "lab");
		char *token = invite(&chief, "lab", "a@uni.edu", "member");
		pthread_barrier_init(&start, NULL, RACERS);
		for (int i = 0; i < RACERS; i++) {
			r[i].start = &start;
			r[i].token = token;
			snprintf(r[i].username, sizeof(r[i].username), "racer%d", i);
			EXPECT_INT(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
		}
		for (int i = 0; i < RACERS; i++) {
			pthread_join(r[i].thread, NULL);
			won += r[i].status == 200;
			late += !strcmp(r[i].code, "INVITATION_ACCEPTED");
		}
		pthread_barrier_destroy(&start);
		free(token);
		EXPECT_INT(won, 1);
		EXPECT_INT(late, RACERS - 1);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM users"), 2);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM memberships"), 2);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM posix_ids WHERE kind = 'user'"), 2);
	}
}

TEST_MAIN()
