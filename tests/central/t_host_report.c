/* SPDX-License-Identifier: MIT */

/* What hosts say of themselves, and where it shows. */
#include "hosts.h"

static int64_t applied_of(const char *host)
{
	json_t *o = NULL;
	int64_t applied = -1;

	EXPECT_INT(ask(owner_token, "GET", V1 "/projects/lab/revision", NULL, &o), 200);
	EXPECT(json_integer_value(json_object_get(o, "revision")) > 0);
	json_t *hosts = json_object_get(o, "hosts");
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		json_t *x = json_array_get(hosts, i);
		if (strcmp(text_of(x, "name"), host) == 0)
			applied = json_integer_value(json_object_get(x, "applied"));
	}
	json_decref(o);
	return applied;
}

static int burned_tx(struct tx *t, void *arg)
{
	static const char sql[] = "SELECT COUNT(*) FROM burned_ids WHERE number = $1";
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql, "i", &r, *(int64_t *)arg);

	if (rc < 0 || rows_next(r) != 1)
		return -EIO;
	*(int64_t *)arg = row_int(r, 0);
	return 0;
}

TEST("D2 what a host has applied shows, only for its own feeds and revisions that there are")
{
	struct host h;
	int64_t burned = 15000;

	world();
	host_ready(&h, "lab", "report1");
	EXPECT_INT(applied_of("report1"), 0);
	EXPECT_INT(
	    ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, h.revision), NULL), 204);
	EXPECT_INT(applied_of("report1"), h.revision);
	EXPECT_INT(
	    ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, h.revision + 5000), NULL),
	    204);
	EXPECT_INT(applied_of("report1"), h.revision);
	EXPECT_INT(store_tx(db, STORE_READ, burned_tx, &burned), 0);
	EXPECT_INT(burned, 1);
	/* The revisions that were applied in another epoch say nothing about this one. */
	h.epoch++;
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, 1), NULL), 204);
	EXPECT_INT(applied_of("report1"), 0);
}

TEST("STYLE 19 reports with values that do not belong there are refused")
{
	struct host h;
	json_t *bad;

	world();
	host_ready(&h, "lab", "report2");
	bad = report_of(&h, 1);
	json_object_set_new(bad, "address", json_string("-oProxyCommand=x"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "ssh_host_keys", json_pack("[s]", "ssh-ed25519 nonsense"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "refused", json_string("x"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "local_ids", json_pack("[i]", -1));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	char *big = malloc(70001);
	memset(big, 'x', 70000);
	big[70000] = '\0';
	json_object_set_new(bad, "version", json_string(big));
	free(big);
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	EXPECT_INT(ask(owner_token, "POST", V1 "/hosts/self/report", json_object(), NULL), 401);
}

TEST("S1.4 workspaces: a person sees those of their projects, and how to reach them")
{
	struct host h;
	json_t *o = NULL;

	world();
	host_ready(&h, "lab", "show1");
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, 1), NULL), 204);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces/show1", NULL, &o), 200);
	EXPECT_STR(text_of(o, "project"), "lab");
	EXPECT_STR(text_of(o, "hostname"), "report1.uni.edu");
	EXPECT_STR(text_of(o, "address"), "10.0.0.10");
	EXPECT_STR(text_of(o, "state"), "enrolled");
	EXPECT(json_is_true(json_object_get(o, "can_login")));
	EXPECT_INT(json_array_size(json_object_get(o, "ssh_host_keys")), 1);
	json_decref(o);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces?project=other", NULL, &o), 200);
	for (size_t i = 0; i < json_array_size(o); i++)
		EXPECT_STR(text_of(json_array_get(o, i), "project"), "other");
	json_decref(o);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces/no-such", NULL, NULL), 404);
	EXPECT_INT(ask(NULL, "GET", V1 "/workspaces", NULL, NULL), 401);
	EXPECT_INT(ask(owner_token, "GET", V1 "/projects/lab/hosts", NULL, &o), 200);
	EXPECT(json_array_size(o) >= 1);
	json_decref(o);
}

HOSTS_MAIN()
