/* SPDX-License-Identifier: MIT */
/* Threads that wait for providers: no organization has all of them. */
#include "prism-central/oidc_cache.h"
#include "world.h"

static struct request request(bool last)
{
	return (struct request){.central = &central, .db = db, .id = "test", .last = last};
}

static bool take(int64_t org)
{
	struct request rq = request(false);
	struct reply rp = {0};
	bool ok = sso_share_take(&rq, &rp, org);

	EXPECT(ok == !rp.topic);
	reply_release(&rp);
	return ok;
}

static void back(int64_t org)
{
	struct request rq = request(false);

	sso_share_return(&rq, org);
}

TEST("S3.16 one organization's providers leave threads for the others")
{
	world();
	EXPECT_INT(oidc_start(&central), 0);
	for (int i = 0; i < HTTP_OUT_SHARE; i++)
		EXPECT(take(1));
	EXPECT(!take(1));
	EXPECT(take(2));
	back(1);
	EXPECT(take(1));
	EXPECT(!take(1));
	EXPECT(take(2));
	_Static_assert(HTTP_OUT_SHARE < HTTP_OUT_THREADS, "some are left");
	/* who has waited long enough is told so */
	struct request rq = request(true);
	struct reply rp = {0};
	EXPECT(!sso_share_take(&rq, &rp, 1));
	EXPECT(!rp.topic && rp.status == 503);
	reply_release(&rp);
	for (int i = 0; i < HTTP_OUT_SHARE; i++)
		back(1);
	EXPECT(take(3) && take(4) && take(5) && take(6));
	oidc_stop(&central);
}

struct pick {
	int64_t slow, identity;
};

static int pick_tx(struct tx *t, void *arg)
{
	struct pick *p = arg;
	struct oidc_due due;
	int r = oidc_due(t, 100, p->slow, &due);

	if (r == 0) {
		p->identity = due.identity;
		free(due.sealed);
	}
	return r;
}

static int64_t pick(int64_t slow)
{
	struct pick p = {.slow = slow};

	return store_tx(db, STORE_READ, pick_tx, &p) == 0 ? p.identity : 0;
}

TEST("I3.4 people of a slow provider do not keep others from being asked about")
{
	world();
	sql("INSERT INTO organizations (id, slug, name, state, created_at) VALUES"
	    " (1, 'slow', 'x', 'active', 1), (2, 'good', 'x', 'active', 1)");
	sql("INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, created_at, created_by, updated_at) SELECT o.id, o.id, o.slug, 'x',"
	    " 'oidc', 1, 'x', 13, 1, u.id, 1 FROM organizations o, users u WHERE o.id < 3 AND"
	    " u.username = 'chief'");
	sql("INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject,"
	    " user_id, refresh_token, refresh_due, created_at) SELECT 10 * c.id + n.column1, c.id,"
	    " c.id, 'x', n.column1, u.id, 'sealed', 10 * c.id + n.column1, 1 FROM sso_connections"
	    " c, users u, (VALUES (1), (2)) n WHERE u.username = 'chief'");
	EXPECT_INT(pick(0), 11);
	EXPECT_INT(pick(1), 21);
	EXPECT_INT(pick(2), 11);
	sql("UPDATE sso_identities SET refresh_due = 101 WHERE organization_id = 2");
	EXPECT_INT(pick(1), 11); /* nobody else is due */
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_INT(pick(0), 0);
}

TEST_MAIN()
