/* SPDX-License-Identifier: MIT */

/* Which projects a host serves: who may say so, and what is written down. */
#include "base/attr.h"
#include "feed/feed.h"
#include "world.h"

static struct person olga, adam, mia, eve;

static int host_tx(struct tx *t, void *arg)
{
	static const char host[] =
	    "INSERT INTO hosts (id, organization_id, name, public_key, hostname, address,"
	    " ssh_host_keys, state, manifest, enrolled_at, last_seen) SELECT $1, id, $2, $2, $2, "
	    "$2,"
	    " '[]', 'enrolled', 1, $3, $3 FROM organizations WHERE slug = 'default'";
	static const char serves[] = "INSERT INTO host_projects (host_id, project_id)"
				     " SELECT $1, id FROM projects WHERE slug = $2";
	int r = tx_exec(t, host, "isi", INT64_C(77), "ws1", clock_now());

	return r < 0 ? r : tx_exec(t, serves, "is", INT64_C(77), "lab");
}

/* Olga owns "lab", which ws1 serves, and "bio"; Adam is admin of bio alone, Mia member of both. */
static void stage(void)
{
	world();
	olga = person("olga");
	adam = person("adam");
	mia = person("mia");
	eve = person("eve");
	project(&olga, "lab");
	project(&olga, "bio");
	join(&olga, "bio", &adam, "admin");
	join(&olga, "lab", &mia, "member");
	join(&olga, "bio", &mia, "member");
	EXPECT_INT(store_tx(db, STORE_WRITE, host_tx, NULL), 0);
}

static const char *put(const struct person *by, const char *slug, const char *host)
{
	char path[128];

	snprintf(path, sizeof(path), "projects/%s/hosts/%s", slug, host);
	return outcome(HTTP_PUT, by->token, path, NULL);
}

static const char *drop(const struct person *by, const char *slug, const char *host)
{
	char path[128];

	snprintf(path, sizeof(path), "projects/%s/hosts/%s", slug, host);
	return outcome(HTTP_DELETE, by->token, path, NULL);
}

static int64_t served(void)
{
	return sql_int("SELECT COUNT(*) FROM host_projects WHERE host_id = 77");
}

static int64_t manifest(void)
{
	return sql_int("SELECT manifest FROM hosts WHERE id = 77");
}

static int64_t events(const char *action)
{
	static char query[128];

	snprintf(query, sizeof(query), "SELECT COUNT(*) FROM audit WHERE action = '%s'", action);
	return sql_int(query);
}

TEST("DESIGN 2 a host serves a second project of its organization, by id or name, and once")
{
	stage();
	struct answer a = ask(HTTP_PUT, olga.token, "projects/bio/hosts/ws1", NULL);

	EXPECT_INT(a.status, 200);
	EXPECT_STR(answer_str(&a, "id"), "77");
	EXPECT_STR(answer_str(&a, "name"), "ws1");
	EXPECT_STR(answer_str(&a, "project"), "bio");
	EXPECT_INT(json_integer_value(json_object_get(a.json, "revision")),
	    sql_int("SELECT revision FROM feeds f JOIN projects p ON p.id = f.project_id"
		    " WHERE p.slug = 'bio'"));
	answer_clear(&a);
	EXPECT_INT(served(), 2);
	EXPECT_INT(manifest(), 2);
	EXPECT_INT(events("host.project-add"), 1);
	/* Once more changes nothing. */
	EXPECT_STR(put(&olga, "bio", "77"), "200");
	EXPECT_INT(served(), 2);
	EXPECT_INT(manifest(), 2);
	EXPECT_INT(events("host.project-add"), 1);
	/* Members of both see one workspace. */
	a = ask(HTTP_GET, mia.token, "workspaces", NULL);
	EXPECT_INT(json_array_size(a.json), 1);
	answer_clear(&a);
	a = ask(HTTP_GET, adam.token, "projects/bio/hosts", NULL);
	EXPECT_INT(json_array_size(a.json), 1);
	answer_clear(&a);
}

TEST("DESIGN 2 it takes hosts:enrol in the project and in all that the host serves")
{
	stage();
	EXPECT_STR(put(&adam, "bio", "ws1"), "HOST_NOT_FOUND"); /* knows nothing of lab */
	EXPECT_STR(put(&adam, "bio", "77"), "HOST_NOT_FOUND");
	EXPECT_STR(put(&adam, "bio", "nowhere"), "HOST_NOT_FOUND");
	EXPECT_STR(put(&adam, "lab", "ws1"), "PROJECT_NOT_FOUND");
	EXPECT_STR(put(&mia, "bio", "ws1"), "FORBIDDEN"); /* a member may not enrol */
	EXPECT_STR(put(&eve, "bio", "ws1"), "PROJECT_NOT_FOUND");
	join(&olga, "lab", &adam, "viewer");
	EXPECT_STR(put(&adam, "bio", "ws1"), "FORBIDDEN");
	EXPECT_INT(served(), 1);
	EXPECT_INT(manifest(), 1);
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/adam",
		       json_pack("{ss}", "role", "admin")),
	    "200");
	EXPECT_STR(put(&adam, "bio", "ws1"), "200");
	EXPECT_STR(put(&chief, "bio", "ws1"), "200");
	EXPECT_INT(served(), 2);
}

static const char *removal(const struct person *by)
{
	return outcome(HTTP_DELETE, by->token, "hosts/77", NULL);
}

TEST("L4.7 who runs one project of a shared host cannot hand it on, nor take it from the others")
{
	stage();
	struct person cyn = person("cyn");
	join(&olga, "bio", &cyn, "admin");
	project(&cyn, "own");
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
	EXPECT_STR(put(&cyn, "own", "ws1"), "HOST_SHARED");
	EXPECT_STR(put(&cyn, "own", "77"), "HOST_SHARED");
	EXPECT_STR(removal(&cyn), "HOST_SHARED");
	EXPECT_STR(removal(&mia), "FORBIDDEN");
	EXPECT_STR(removal(&eve), "HOST_NOT_FOUND");
	/* A lower role in the other one does not do either. */
	join(&olga, "lab", &cyn, "viewer");
	EXPECT_STR(put(&cyn, "own", "ws1"), "HOST_SHARED");
	EXPECT_STR(removal(&cyn), "HOST_SHARED");
	EXPECT_INT(served(), 2);
	EXPECT_INT(manifest(), 2);
	/* What it serves already is no change, and her own project she may take off it. */
	EXPECT_STR(put(&cyn, "bio", "ws1"), "200");
	EXPECT_INT(manifest(), 2);
	EXPECT_STR(drop(&cyn, "bio", "ws1"), "204");
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
	/* With the permission in all of them, it is hers to say. */
	EXPECT_STR(outcome(HTTP_PATCH, olga.token, "projects/lab/members/cyn",
		       json_pack("{ss}", "role", "admin")),
	    "200");
	EXPECT_STR(put(&cyn, "own", "ws1"), "200");
	EXPECT_INT(served(), 3);
	EXPECT_STR(removal(&olga), "HOST_SHARED"); /* not a member of "own" */
	EXPECT_STR(removal(&cyn), "204");
	EXPECT_STR(removal(&cyn), "HOST_NOT_FOUND");
}

TEST("L4.7 a superadmin removes a shared host")
{
	stage();
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
	EXPECT_STR(removal(&chief), "204");
}

TEST("DESIGN 2 not an archived project, not another organization's, not more than a manifest holds")
{
	stage();
	project(&olga, "old");
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, "projects/old", NULL), "200");
	EXPECT_STR(put(&olga, "old", "ws1"), "CONFLICT");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "organizations",
		       json_pack("{ss, ss}", "slug", "far", "name", "Far")),
	    "201");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects",
		       json_pack("{ss, ss}", "slug", "abroad", "organization", "far")),
	    "201");
	EXPECT_STR(put(&chief, "abroad", "ws1"), "HOST_PROJECTS");
	for (int i = 1; i < FEED_MANIFEST_MAX; i++) {
		char slug[32];

		snprintf(slug, sizeof(slug), "many-%d", i);
		project(&olga, slug);
		EXPECT_STR(put(&olga, slug, "ws1"), "200");
	}
	EXPECT_INT(served(), FEED_MANIFEST_MAX);
	EXPECT_STR(put(&olga, "bio", "ws1"), "HOST_PROJECTS");
	EXPECT_INT(served(), FEED_MANIFEST_MAX);
	EXPECT_STR(drop(&olga, "many-1", "ws1"), "204");
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
}

TEST("DESIGN 2 a project is taken away, the last one not, and what was applied is forgotten")
{
	stage();
	EXPECT_STR(drop(&olga, "lab", "ws1"), "LAST_PROJECT");
	EXPECT_STR(drop(&olga, "bio", "ws1"), "HOST_NOT_FOUND");
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
	sql("INSERT INTO host_applied (host_id, project_id, epoch, revision)"
	    " SELECT 77, id, 1, 1 FROM projects WHERE slug IN ('lab', 'bio')");
	EXPECT_STR(drop(&mia, "bio", "ws1"), "FORBIDDEN");
	EXPECT_STR(drop(&eve, "bio", "ws1"), "PROJECT_NOT_FOUND");
	EXPECT_INT(manifest(), 2);
	/* The project's own admin is enough, who knows nothing of the host's other ones. */
	EXPECT_STR(drop(&adam, "bio", "ws1"), "204");
	EXPECT_INT(manifest(), 3);
	EXPECT_INT(served(), 1);
	EXPECT_INT(events("host.project-drop"), 1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM host_applied"), 1);
	EXPECT_STR(drop(&adam, "bio", "ws1"), "HOST_NOT_FOUND");
	EXPECT_STR(drop(&olga, "lab", "77"), "LAST_PROJECT");
	EXPECT_STR(put(&olga, "bio", "ws1"), "200");
	EXPECT_STR(drop(&olga, "lab", "ws1"), "204"); /* its first one */
	EXPECT_STR(outcome(HTTP_DELETE, olga.token, "hosts/77", NULL), "204");
	EXPECT_STR(put(&olga, "lab", "ws1"), "HOST_NOT_FOUND"); /* a removed host is none */
}

TEST_MAIN()
