/* SPDX-License-Identifier: MIT */

/* Those who vanish from a feed without a word are held. */
#include "intake_host.h"

static void many(void)
{
	begin();
	for (uint32_t i = 0; i < 30; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%u", (unsigned)i);
		forge_member(&forge, 10100 + i, name);
	}
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
}

/* The next full feed has never heard of these. */
static void vanish(uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < forge.n; i++) {
		struct forge_record *r = &forge.records[i];

		if (r->type != FEED_MEMBER || r->subject < first || r->subject > last)
			continue;
		feed_digest_update(forge.digest, r->whole.data + 4, r->whole.len - 4, -1);
		r->flags = FEED_RECORD_DELETED;
	}
	forge.revision++;
	forge_full(&forge, &msg);
}

TEST("D6 shrink guard: whoever vanishes from a full feed without a tombstone is held")
{
	many();
	vanish(10100, 10119);
	EXPECT_INT(give(), APPLY_CHANGED_HELD);
	EXPECT_INT(feed()->nheld, 20);
	EXPECT(member(10105) != NULL && member(10105)->flags & RECORD_HELD);
	EXPECT_INT(member(10105)->state, SNAP_ACTIVE);
	/* Held ones are held after a restart too, and deltas go on. */
	restart();
	EXPECT_INT(feed()->nheld, 20);
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->nheld, 20);
	/* An explicit removal applies at once. */
	forge_set(&forge, FEED_MEMBER, FEED_RECORD_DELETED, 10105, NULL);
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10105) == NULL);
	EXPECT_INT(feed()->nheld, 19);
	/* And one that comes back is no longer held. */
	forge_member(&forge, 10106, "user6");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->nheld, 18);
	EXPECT(!(member(10106)->flags & RECORD_HELD));
}

TEST("D6 shrink guard: root may let go of one or of all, for good, and nobody else goes with them")
{
	size_t n;

	many();
	vanish(10100, 10104);
	EXPECT_INT(give(), APPLY_CHANGED_HELD);
	EXPECT_INT(intake_release(&host.intake, "user29", &n), 0);
	EXPECT_INT(n, 0);
	EXPECT_INT(intake_release(&host.intake, "user1", &n), 0);
	EXPECT_INT(n, 1);
	EXPECT(member(10101) == NULL && member(10102) != NULL && member(10111) != NULL);
	EXPECT_INT(feed()->nheld, 4);
	restart();
	EXPECT(member(10101) == NULL && member(10102) != NULL);
	EXPECT_INT(feed()->nheld, 4);
	/* What comes later stands behind it in the journal. */
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	for (unsigned i = 2; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%u", i);
		EXPECT_INT(intake_release(&host.intake, name, &n), 0);
		EXPECT_INT(n, 1);
	}
	/* One alone would not have been held, and stays so. */
	forge.revision++;
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED_HELD);
	restart();
	EXPECT_INT(feed()->nheld, 1);
	EXPECT(member(10100) != NULL && member(10003) != NULL && member(10104) == NULL);
	EXPECT_INT(intake_release(&host.intake, "", &n), 0);
	EXPECT_INT(n, 1);
	restart();
	EXPECT_INT(feed()->nheld, 0);
	EXPECT(member(10100) == NULL && member(10003) != NULL);
	/* Whoever is added again is a member again. */
	forge_member(&forge, 10100, "user0");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	restart();
	EXPECT(member(10100) != NULL && !(member(10100)->flags & RECORD_HELD));
}

TEST("D6 shrink guard: few vanish as they come, and tombstones are never held")
{
	many();
	vanish(10100, 10101);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->nheld, 0);
	EXPECT(member(10100) == NULL);
	for (uint32_t i = 10102; i < 10125; i++)
		forge_set(&forge, FEED_MEMBER, FEED_RECORD_DELETED, i, NULL);
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->nheld, 0);
	EXPECT(member(10110) == NULL);
}

TEST_MAIN()
