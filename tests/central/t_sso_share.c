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

TEST_MAIN()
