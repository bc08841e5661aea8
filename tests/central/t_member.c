/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include "base/attr.h"
#include "world.h"

static struct person olga, adam, mia, vic;

static void stage(void)
{
	world();
	olga = person("olga");
	adam = person("adam");
	mia = person("mia");
	vic = person("vic");
	project(&olga, "lab");
	join(&olga, "lab", &adam, "admin");
	join(&olga, "lab", &mia, "member");
	join(&olga, "lab", &vic, "viewer");
}

static const char *set_role(const struct person *by, const char *who, const char *role)
{
	char path[64];
	snprintf(path, sizeof(path), "projects/lab/members/%s", who);
	return outcome(HTTP_PATCH, by->token, path, json_pack("{ss}", "role", role));
}

static const char *act(const struct person *by, const char *who, const char *verb)
{
	char path[64];
	snprintf(path, sizeof(path), "projects/lab/members/%s%s%s", who, *verb ? "/" : "", verb);
	return outcome(*verb ? HTTP_POST : HTTP_DELETE, by->token, path, NULL);
}

TEST("L4.7 an admin touches neither owners nor admins, and makes none above an admin")
{
	stage();
	struct person ann = person("ann");
	join(&olga, "lab", &ann, "admin");
	static const char *const verbs[] = {"", "suspend"};
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		EXPECT_STR(act(&adam, "olga", verbs[i]), "ROLE_TOO_HIGH");
		EXPECT_STR(act(&adam, "ann", verbs[i]), "ROLE_TOO_HIGH");
	}
	EXPECT_STR(set_role(&adam, "olga", "viewer"), "ROLE_TOO_HIGH");
	EXPECT_STR(set_role(&adam, "ann", "member"), "ROLE_TOO_HIGH");
	EXPECT_STR(set_role(&adam, "adam", "owner"), "ROLE_TOO_HIGH");
	EXPECT_STR(set_role(&adam, "mia", "owner"), "ROLE_TOO_HIGH");
	EXPECT_STR(set_role(&adam, "mia", "admin"), "200");
	EXPECT_STR(set_role(&adam, "mia", "member"), "ROLE_TOO_HIGH");
	EXPECT_STR(set_role(&adam, "adam", "member"), "200");
	EXPECT_STR(set_role(&adam, "adam", "admin"), "FORBIDDEN");
	EXPECT_STR(set_role(&olga, "ann", "owner"), "200");
	EXPECT_STR(set_role(&olga, "ann", "nothing"), "INVALID_VALUE");
}

TEST("L4.7 the last owner stays, whichever way they would go")
{
	stage();
	EXPECT_STR(act(&olga, "olga", ""), "LAST_OWNER");
	EXPECT_STR(act(&olga, "olga", "suspend"), "LAST_OWNER");
	EXPECT_STR(set_role(&olga, "olga", "admin"), "LAST_OWNER");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/olga",
		       json_pack("{ss}", "not_after", "2099-01-01T00:00:00Z")),
	    "LAST_OWNER");
	EXPECT_STR(act(&chief, "olga", ""), "LAST_OWNER");
	/* A second owner whose time is limited, or whose account is suspended, is none to rely on.
	 */
	EXPECT_STR(set_role(&olga, "mia", "owner"), "200");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/mia",
		       json_pack("{ss}", "not_after", "2099-01-01T00:00:00Z")),
	    "200");
	EXPECT_STR(act(&olga, "olga", ""), "LAST_OWNER");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/mia",
		       json_pack("{sn}", "not_after")),
	    "200");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/mia/suspend", NULL), "200");
	EXPECT_STR(act(&olga, "olga", ""), "LAST_OWNER");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/mia/resume", NULL), "200");
	EXPECT_STR(act(&olga, "olga", ""), "200");
	EXPECT_STR(act(&chief, "mia", ""), "LAST_OWNER");
}

TEST("S3.5 suspend, resume, remove: states, replies, and the feed's revision")
{
	stage();
	struct answer a = ask(HTTP_POST, olga.token, "projects/lab/members/mia/suspend",
	    json_pack("{ss}", "reason", "on leave"));
	EXPECT_INT(a.status, 200);
	EXPECT_STR(answer_str(&a, "member.state"), "suspended");
	json_int_t revision = json_integer_value(json_object_get(a.json, "revision"));
	EXPECT(revision > 0);
	answer_clear(&a);
	EXPECT_STR(act(&olga, "mia", "suspend"), "CONFLICT");
	EXPECT_STR(outcome(HTTP_GET, mia.token, "projects/lab", NULL), "PROJECT_NOT_FOUND");
	a = ask(HTTP_POST, olga.token, "projects/lab/members/mia/resume", NULL);
	EXPECT_STR(answer_str(&a, "member.state"), "active");
	EXPECT(json_integer_value(json_object_get(a.json, "revision")) > revision);
	answer_clear(&a);
	EXPECT_STR(act(&olga, "mia", "resume"), "CONFLICT");
	EXPECT_STR(act(&olga, "mia", ""), "200");
	EXPECT_STR(act(&olga, "mia", ""), "MEMBER_NOT_FOUND");
	EXPECT_STR(act(&olga, "nobody", ""), "MEMBER_NOT_FOUND");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id"
			   " JOIN users b ON b.id = m.ended_by WHERE u.username = 'mia'"
			   " AND m.state = 'removed' AND m.ended_at > 0 AND b.username = 'olga'"),
	    1);
	a = ask(HTTP_GET, olga.token, "projects/lab/members", NULL);
	EXPECT_INT(json_array_size(a.json), 3);
	answer_clear(&a);
}

TEST("D6 not_after ends a membership to the second, without anybody sweeping")
{
	stage();
	char when[CLOCK_TEXT];
	int64_t now = clock_now();
	clock_format(now + 1000, when);
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/adam",
		       json_pack("{ss}", "not_after", when)),
	    "200");
	world_skew = now + 999 - clock_now();
	EXPECT_STR(outcome(HTTP_GET, adam.token, "projects/lab", NULL), "200");
	world_skew = now + 1001 - clock_now();
	EXPECT_STR(outcome(HTTP_GET, adam.token, "projects/lab", NULL), "PROJECT_NOT_FOUND");
	struct answer a = ask(HTTP_GET, adam.token, "me", NULL);
	json_t *m = json_array_get(json_object_get(a.json, "memberships"), 0);
	EXPECT_STR(json_string_value(json_object_get(m, "state")), "expired");
	answer_clear(&a);
	static const char *const bad[] = {"yesterday", "", "2026-13-01T00:00:00Z", "0"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/adam",
			       json_pack("{ss}", "not_after", bad[i])),
		    "INVALID_VALUE");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/adam",
		       json_pack("{si}", "not_after", 5)),
	    "INVALID_VALUE");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/adam", json_object()),
	    "BAD_REQUEST");
}

TEST("S1.26 projects: who makes them, their groups, budget and states")
{
	stage();
	sql("DELETE FROM organization_members WHERE user_id IN (SELECT id FROM users WHERE"
	    " username = 'vic')");
	EXPECT_STR(outcome(HTTP_POST, vic.token, "projects", json_pack("{ss}", "slug", "vics")),
	    "ORG_FORBIDDEN");
	EXPECT_STR(outcome(HTTP_POST, olga.token, "projects", json_pack("{ss}", "slug", "lab")),
	    "NAME_TAKEN");
	static const char *const bad[] = {"Lab", "x", "lab-ro", "1lab", "a b", "lab-", "../x"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_STR(
		    outcome(HTTP_POST, olga.token, "projects", json_pack("{ss}", "slug", bad[i])),
		    "INVALID_VALUE");
	struct answer a = ask(HTTP_POST, olga.token, "projects",
	    json_pack(
		"{ss, ss, sf}", "slug", "genomics", "name", "Genomics Lab", "budget", 2000.5));
	EXPECT_INT(a.status, 201);
	EXPECT_STR(answer_str(&a, "role"), "owner");
	EXPECT_STR(answer_str(&a, "contact"), "olga <olga@uni.edu>");
	EXPECT_INT(json_integer_value(json_object_get(a.json, "gid")), 2000018);
	EXPECT(json_real_value(json_object_get(a.json, "budget")) == 2000.5);
	answer_clear(&a);
	a = ask(HTTP_PATCH, olga.token, "projects/genomics",
	    json_pack("{si, ss}", "budget", 500, "state", "paused"));
	EXPECT_INT(json_integer_value(json_object_get(a.json, "budget")), 500);
	EXPECT_STR(answer_str(&a, "state"), "paused");
	answer_clear(&a);
	EXPECT_STR(
	    outcome(HTTP_PATCH, olga.token, "projects/genomics", json_pack("{si}", "budget", -1)),
	    "INVALID_VALUE");
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, "projects/genomics", NULL), "200");
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, "projects/genomics", NULL), "CONFLICT");
	EXPECT_STR(
	    outcome(HTTP_PATCH, olga.token, "projects/genomics", json_pack("{ss}", "name", "x")),
	    "CONFLICT");
	EXPECT_STR(outcome(HTTP_POST, olga.token, "projects/genomics/invitations",
		       json_pack("{ss}", "email", "q@uni.edu")),
	    "CONFLICT");
	/* The name is never given to another project. */
	EXPECT_STR(
	    outcome(HTTP_POST, olga.token, "projects", json_pack("{ss}", "slug", "genomics")),
	    "NAME_TAKEN");
	/* An admin edits, but neither deletes nor brings back. */
	EXPECT_STR(outcome(HTTP_DELETE, adam.token, "projects/lab", NULL), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, "projects/lab", NULL), "200");
	EXPECT_STR(
	    outcome(HTTP_PATCH, adam.token, "projects/lab", json_pack("{ss}", "state", "active")),
	    "FORBIDDEN");
	EXPECT_STR(
	    outcome(HTTP_PATCH, olga.token, "projects/lab", json_pack("{ss}", "state", "active")),
	    "200");
}

TEST("D2 the audit chain keeps of a change what a project has, and nothing that came along")
{
	stage();
	char *long_text = calloc(1, 30001);
	memset(long_text, 'x', 30000);
	json_t *body = json_pack("{ss, ss, ss, so}", "name", "New", "hobby", "secret-hobby", "big",
	    long_text, "budget", json_null());
	free(long_text);
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab", body), "200");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'project.change' AND"
			   " detail = '{\"budget\":null,\"name\":\"New\"}'"),
	    1);
	EXPECT_STR(
	    outcome(HTTP_PATCH, olga.token, "projects/lab",
		json_pack("{ss, ss, sf}", "contact", "Olga", "state", "paused", "budget", 19.5)),
	    "200");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE detail ="
			   " '{\"budget\":19.5,\"contact\":\"Olga\",\"state\":\"paused\"}'"),
	    1);
	EXPECT_STR(
	    outcome(HTTP_PATCH, olga.token, "projects/lab", json_pack("{ss}", "hobby", "none")),
	    "BAD_REQUEST");
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab", json_object()), "BAD_REQUEST");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE detail LIKE '%hobby%'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'project.change'"), 2);
}

TEST("S3.1 organizations: a superadmin makes them, their owners say who belongs")
{
	stage();
	EXPECT_STR(
	    outcome(HTTP_POST, olga.token, "organizations", json_pack("{ss}", "slug", "bio")),
	    "FORBIDDEN");
	EXPECT_STR(
	    outcome(HTTP_POST, chief.token, "organizations", json_pack("{ss}", "slug", "bio")),
	    "201");
	EXPECT_STR(
	    outcome(HTTP_POST, chief.token, "organizations", json_pack("{ss}", "slug", "bio")),
	    "NAME_TAKEN");
	EXPECT_STR(outcome(HTTP_POST, olga.token, "projects",
		       json_pack("{ss, ss}", "slug", "cells", "organization", "bio")),
	    "ORG_FORBIDDEN");
	EXPECT_STR(outcome(HTTP_PUT, olga.token, "organizations/bio/members/olga",
		       json_pack("{ss}", "role", "owner")),
	    "ORG_FORBIDDEN");
	EXPECT_STR(outcome(HTTP_PUT, chief.token, "organizations/bio/members/olga",
		       json_pack("{ss}", "role", "member")),
	    "200");
	EXPECT_STR(outcome(HTTP_POST, olga.token, "projects",
		       json_pack("{ss, ss}", "slug", "cells", "organization", "bio")),
	    "201");
	EXPECT_STR(outcome(HTTP_PUT, chief.token, "organizations/bio/members/olga",
		       json_pack("{ss}", "role", "none")),
	    "200");
	EXPECT_STR(outcome(HTTP_POST, olga.token, "projects",
		       json_pack("{ss, ss}", "slug", "cells2", "organization", "bio")),
	    "ORG_FORBIDDEN");
}

/* ---- two owners, each throwing the other out ------------------------------------------------ */

struct duel {
	pthread_t thread;
	pthread_barrier_t *start;
	const struct person *me;
	const char *path;
	int status;
};

static void *duel(void *arg)
{
	struct duel *d = arg;
	struct store *own = NULL;
	if (store_open(world_url, &own) < 0)
		return NULL;
	pthread_barrier_wait(d->start);
	struct answer a = ask_on(own, HTTP_DELETE, d->me->token, d->path, NULL);
	d->status = a.status;
	answer_clear(&a);
	store_close(own);
	return NULL;
}

TEST("L4.7 of two owners who remove each other at the same moment, one stays")
{
	for (int round = 0; round < 10; round++) {
		pthread_barrier_t start;
		stage();
		EXPECT_STR(set_role(&olga, "mia", "owner"), "200");
		struct duel d[2] = {
		    {.start = &start, .me = &olga, .path = "projects/lab/members/mia"},
		    {.start = &start, .me = &mia, .path = "projects/lab/members/olga"},
		};
		pthread_barrier_init(&start, NULL, 2);
		for (int i = 0; i < 2; i++)
			EXPECT_INT(pthread_create(&d[i].thread, NULL, duel, &d[i]), 0);
		for (int i = 0; i < 2; i++)
			pthread_join(d[i].thread, NULL);
		pthread_barrier_destroy(&start);
		EXPECT((d[0].status == 200) + (d[1].status == 200) == 1);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM memberships WHERE role_id = 1 AND"
				   " state = 'active'"),
		    1);
	}
}

TEST_MAIN()
