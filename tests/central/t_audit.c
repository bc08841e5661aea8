/* SPDX-License-Identifier: MIT */
#include "base/attr.h"
#include "world.h"

static struct audit_report verify(void)
{
	struct audit_report rep;
	EXPECT_INT(audit_verify(db, &rep), 0);
	return rep;
}

static void stage(void)
{
	world();
	project(&chief, "lab");
	struct person bob = person("bob");
	join(&chief, "lab", &bob, "member");
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, "projects/lab/members/bob",
		       json_pack("{ss}", "reason", "left \"quotes\" \xc3\xa4")),
	    "200");
}

TEST("D2 every write appends one event, and the chain verifies")
{
	static const char *const actions[] = {"user.bootstrap", "project.create", "invitation.send",
	    "invitation.accept", "member.remove"};
	stage();
	struct audit_report rep = verify();
	EXPECT_INT(rep.bad, 0);
	EXPECT_INT(rep.rows, 5);
	struct answer a = ask(HTTP_GET, chief.token, "audit", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		json_t *e = json_array_get(a.json, i);
		EXPECT_STR(json_string_value(json_object_get(e, "action")), actions[i]);
		EXPECT_INT(json_integer_value(json_object_get(e, "seq")), (int)i + 1);
	}
	json_t *last = json_array_get(a.json, 4);
	EXPECT_STR(json_string_value(json_object_get(last, "actor")), "user:chief");
	EXPECT_STR(json_string_value(json_object_get(last, "object")), "user:bob");
	EXPECT_STR(json_string_value(json_object_get(last, "peer")), "127.0.0.1");
	EXPECT_STR(json_string_value(json_object_get(last, "request")), "test");
	EXPECT_STR(json_string_value(json_object_get(json_object_get(last, "detail"), "reason")),
	    "left \"quotes\" \xc3\xa4");
	EXPECT(!json_is_null(json_object_get(last, "project")));
	/* Who accepted is told, though the request came without a session. */
	EXPECT_STR(
	    json_string_value(json_object_get(json_array_get(a.json, 3), "actor")), "user:bob");
	answer_clear(&a);
}

TEST("L4.14 a changed, missing, inserted or cut off event shows")
{
	static const char *const tamper[] = {
	    "UPDATE audit SET actor = 'user:eve' WHERE seq = 3",
	    "UPDATE audit SET action = 'member.keep' WHERE seq = 3",
	    "UPDATE audit SET object = 'user:eve' WHERE seq = 3",
	    "UPDATE audit SET at = at + 1 WHERE seq = 3",
	    "UPDATE audit SET project_id = 1 WHERE seq = 3",
	    "UPDATE audit SET request_id = 'x' WHERE seq = 3",
	    "UPDATE audit SET peer = '10.0.0.1' WHERE seq = 3",
	    "UPDATE audit SET detail = '{}' WHERE seq = 3",
	    "UPDATE audit SET prev_hash = hash WHERE seq = 3",
	    "UPDATE audit SET hash = prev_hash WHERE seq = 3",
	    "DELETE FROM audit WHERE seq = 3",
	};
	for (size_t i = 0; i < ARRAY_SIZE(tamper); i++) {
		stage();
		sql(tamper[i]);
		struct audit_report rep = verify();
		printf("# %s: %s\n", tamper[i], rep.why);
		EXPECT_INT(rep.bad, 3);
		EXPECT(rep.why[0]);
	}
	stage();
	sql("DELETE FROM audit WHERE seq = 5");
	EXPECT_INT(verify().bad, 5);
	stage();
	sql("DELETE FROM audit");
	EXPECT_INT(verify().bad, 1);
	stage();
	sql("UPDATE audit SET seq = 9 WHERE seq = 5");
	EXPECT_INT(verify().bad, 5);
}

TEST("D2 a write that is refused leaves no event")
{
	stage();
	int64_t before = verify().rows;
	EXPECT_STR(
	    outcome(HTTP_DELETE, chief.token, "projects/lab/members/chief", NULL), "LAST_OWNER");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects", json_pack("{ss}", "slug", "lab")),
	    "NAME_TAKEN");
	EXPECT_INT(verify().rows, before);
}

TEST_MAIN()
