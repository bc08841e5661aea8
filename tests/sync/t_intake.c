/* SPDX-License-Identifier: MIT */

/* The root half's door: crafted signed feeds against verification, floors and model. */
#include "intake_host.h"
#include "prism-sync/journal.h"

TEST("D6 a full feed, deltas and a heartbeat are applied")
{
	begin();
	EXPECT_INT(feed()->nmembers, 2);
	EXPECT_STR(member(10001)->text, "alice");
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->nmembers, 3);
	EXPECT_INT(feed()->revision, 2);
	forge.issued += 60;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), APPLY_RENEWED);
	EXPECT_INT(feed()->valid_until, FORGE_NOW + 60 + FEED_VALIDITY);
}

TEST("D6 the state survives a restart, verified again")
{
	begin();
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	restart();
	EXPECT_INT(feed()->revision, 2);
	EXPECT_INT(feed()->nmembers, 3);
	EXPECT(memcmp(feed()->digest, forge.digest, FEED_DIGEST_LEN) == 0);
	EXPECT(!feed()->want_full);
}

TEST("D6 a replayed message changes nothing")
{
	struct buf old = BUF_INIT(1 << 20);

	begin();
	struct feed_member m = forge_person("bob");

	m.state = SNAP_SUSPENDED;
	forge_put(&forge, 10002, &m);
	forge_delta(&forge, &old);
	buf_clear(&msg);
	buf_add(&msg, old.data, old.len);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(member(10002)->state, SNAP_SUSPENDED);
	EXPECT_INT(give(), APPLY_STALE);
	forge_member(&forge, 10002, "bob");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	buf_clear(&msg);
	buf_add(&msg, old.data, old.len);
	EXPECT_INT(give(), -ESTALE);
	EXPECT_INT(member(10002)->state, SNAP_ACTIVE);
	buf_free(&old);
}

TEST("D6 an older full feed is a rollback and is refused, also after a restart")
{
	struct buf old = BUF_INIT(1 << 20);

	begin();
	forge_full(&forge, &old);
	forge_set(&forge, FEED_MEMBER, FEED_RECORD_DELETED, 10002, NULL);
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10002) == NULL);
	EXPECT_INT(trust_save_floors(&host.trust), 0);
	for (int i = 0; i < 2; i++) {
		buf_clear(&msg);
		buf_add(&msg, old.data, old.len);
		EXPECT_INT(give(), -ESTALE);
		EXPECT(member(10002) == NULL);
		restart();
	}
	/* Nor with the journal gone: the floor stands apart from it. */
	EXPECT_INT(journal_remove(host.intake.dirfd, forge.id), 0);
	restart();
	EXPECT_INT(feed()->revision, 0);
	EXPECT_INT(give(), -ESTALE);
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10002) == NULL && member(10001) != NULL);
	buf_free(&old);
}

TEST("D6 a wrong key and a wrong feed change nothing")
{
	static struct forge other;

	begin();
	forge_init(&other, 2, "lab");
	forge_member(&other, 10009, "mallory");
	other.revision = 9;
	forge_full(&other, &msg);
	EXPECT_INT(give(), -ENOKEY);
	forge_free(&other);
	forge_init(&other, 1, "foreign");
	forge_member(&other, 10009, "mallory");
	forge_full(&other, &msg);
	EXPECT_INT(give(), -EXDEV);
	memset(forge.host, 0xbb, FEED_ID_LEN);
	forge.manifest = 99;
	struct forge *all[] = {&other};

	forge_manifest(&forge, all, 1, NULL, &msg);
	EXPECT_INT(give(), -EXDEV);
	EXPECT_INT(host.model.nfeeds, 1);
	EXPECT(member(10009) == NULL);
	forge_free(&other);
	memset(&other, 0, sizeof(other));
}

TEST("D6 a digest that does not fit leaves the last good state and asks for a full feed")
{
	begin();
	forge_member(&forge, 10003, "carol");
	forge.digest[0] ^= 1;
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), -EBADMSG);
	EXPECT(member(10003) == NULL);
	EXPECT_INT(feed()->revision, 1);
	EXPECT(feed()->want_full);
	forge.digest[0] ^= 1;
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10003) != NULL && !feed()->want_full);
}

TEST("D6 a delta from elsewhere is a gap, not an error of the feed")
{
	begin();
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	forge_member(&forge, 10004, "dave");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), -EAGAIN);
	EXPECT_INT(feed()->revision, 1);
	EXPECT(!feed()->want_full);
}

TEST("D6 a subject that comes twice in one message is refused with it")
{
	struct buf two = BUF_INIT(1 << 20);

	begin();
	forge_member(&forge, 10003, "carol");
	buf_add(&two, forge.changes.data, forge.changes.len);
	buf_add(&two, forge.changes.data, forge.changes.len);
	forge.revision++;
	forge_sign(&forge, FEED_DELTA, 1, &two, 2, &msg);
	EXPECT_INT(give(), -EBADMSG);
	EXPECT(member(10003) == NULL);
	buf_free(&two);
}

TEST("D6 a record that is not understood denies its subject and nothing else")
{
	struct buf junk = BUF_INIT(64);

	begin();
	buf_add_str(&junk, "not a member");
	forge_set(&forge, FEED_MEMBER, 0, 10002, &junk);
	forge_set(&forge, 99, 0, 10777, &junk);
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10002)->flags & RECORD_BROKEN);
	EXPECT_STR(member(10002)->text, "bob");
	EXPECT(!(member(10001)->flags & RECORD_BROKEN));
	EXPECT(!(member(10003)->flags & RECORD_BROKEN));
	/* And the next delta still fits. */
	forge_member(&forge, 10002, "bob");
	forge_set(&forge, 99, FEED_RECORD_DELETED, 10777, NULL);
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(!(member(10002)->flags & RECORD_BROKEN));
	buf_free(&junk);
}
TEST("D6 the next key is pinned by announcement, signs from its time on, and retires the old one")
{
	struct feed_next_key next = {.not_before = FORGE_NOW + 100};
	struct feed_signer *old, *new = forge_signer(7);
	struct forge *all[] = {&forge};
	struct feed_header h;

	begin();
	old = forge.signer;
	memcpy(next.key, feed_signer_public(new), FEED_KEY_LEN);
	forge.signer = new;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), -ENOKEY);
	forge.signer = old;
	forge.manifest++;
	forge_manifest(&forge, all, 1, &next, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	restart();
	forge.signer = new;
	forge.issued += 200;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), -ENOKEY); /* before its time */
	EXPECT_INT(give_at(FORGE_NOW + 150, &h), APPLY_RENEWED);
	EXPECT(feed()->want_full); /* the journal is to be signed anew */
	forge.signer = old;
	forge.issued += 200;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give_at(FORGE_NOW + 150, &h), -ENOKEY);
	/* What the old key signed is still good for this host's own journal. */
	restart();
	EXPECT_INT(feed()->nmembers, 2);
	feed_signer_free(old);
	forge.signer = new;
}

TEST("D6 a key that the next key announces is not pinned")
{
	struct feed_next_key next = {.not_before = 1};
	struct feed_signer *old, *new = forge_signer(7), *third = forge_signer(8);
	struct forge *all[] = {&forge};

	begin();
	old = forge.signer;
	memcpy(next.key, feed_signer_public(new), FEED_KEY_LEN);
	forge.manifest++;
	forge_manifest(&forge, all, 1, &next, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	memcpy(next.key, feed_signer_public(third), FEED_KEY_LEN);
	forge.signer = new;
	forge.manifest++;
	forge_manifest(&forge, all, 1, &next, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	forge.signer = third;
	forge_full(&forge, &msg);
	EXPECT_INT(give(), -ENOKEY);
	forge.signer = old;
	feed_signer_free(new);
	feed_signer_free(third);
}

TEST("D6 a new epoch is accepted as a full feed only, and the old one is over")
{
	struct buf before = BUF_INIT(1 << 20);

	begin();
	forge.revision = 50;
	forge_full(&forge, &before);
	buf_clear(&msg);
	buf_add(&msg, before.data, before.len);
	EXPECT_INT(give(), APPLY_CHANGED);
	forge.epoch = 2;
	forge.revision = 3;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), -EAGAIN);
	EXPECT(feed()->want_full);
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT_INT(feed()->epoch, 2);
	EXPECT_INT(feed()->revision, 3);
	buf_clear(&msg);
	buf_add(&msg, before.data, before.len);
	EXPECT_INT(give(), -ESTALE);
	restart();
	EXPECT_INT(feed()->epoch, 2);
	buf_free(&before);
}

TEST("D6 a feed that the manifest drops is gone at once, and its floor stays")
{
	begin();
	forge.manifest++;
	forge_manifest(&forge, NULL, 0, NULL, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(feed() == NULL);
	EXPECT_INT(trust_check(&host.trust, forge.id, 1, 0), -ESTALE);
	forge_full(&forge, &msg);
	EXPECT_INT(give(), -EXDEV);
	restart();
	EXPECT(feed() == NULL);
}

TEST("D6 a clock that went back does not make old things new")
{
	struct feed_header h;

	begin();
	forge.issued += 1000;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), APPLY_RENEWED);
	forge.issued -= 500;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give_at(5, &h), APPLY_STALE);
	EXPECT_INT(feed()->issued_at, FORGE_NOW + 1000);
	EXPECT_INT(host.trust.issued_at, FORGE_NOW + 1000);
}

TEST("D6 time: a service whose clock runs far ahead cannot lock a host out for good")
{
	struct feed_header h;

	begin();
	forge.issued = FORGE_NOW + 5 * 24 * 3600;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), -ETIME);
	EXPECT_STR(intake_word(-ETIME), "from-the-future");
	forge.issued = FORGE_NOW + INT64_C(10) * 366 * 24 * 3600;
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), -ETIME);
	EXPECT(member(10003) == NULL);
	EXPECT_INT(host.trust.issued_at, FORGE_NOW);
	/* Corrected, it goes on where it was. */
	forge.issued = FORGE_NOW + 60;
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(member(10003) != NULL);
	/* Within half of the validity it is believed: nothing runs out before that is over. */
	forge.issued = FORGE_NOW + 3 * 24 * 3600;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give(), APPLY_RENEWED);
	/* The host's own clock is the wrong one: it is behind what it has already seen. */
	forge.issued += 30 * 24 * 3600;
	forge_heartbeat(&forge, &msg);
	EXPECT_INT(give_at(5, &h), APPLY_RENEWED);
}

TEST("D6 time: the first word of a service is believed by a host that has no clock")
{
	char dir[128];
	struct trust t = {.nkeys = 0};
	struct forge *all[] = {&forge};
	struct feed_header h;

	begin();
	snprintf(dir, sizeof(dir), "%s/trust%d", test_tmpdir(), serial++);
	EXPECT_INT(mkdir(dir, 0700), 0);
	pin(&t, &forge);
	snprintf(t.dir, sizeof(t.dir), "%s", dir);
	EXPECT_INT(trust_save_floors(&t), 0);
	EXPECT_INT(trust_save_pins(&t), 0);
	open_host(&host, dir);
	forge_manifest(&forge, all, 1, NULL, &msg);
	EXPECT_INT(give_at(5, &h), APPLY_CHANGED);
}

TEST("D6 damaged floors are not guessed")
{
	char path[200];

	begin();
	snprintf(path, sizeof(path), "%s/floors", host.dir);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	EXPECT(fd >= 0);
	close(fd);
	struct trust t;

	EXPECT_INT(trust_load(host.dir, &t), -EBADMSG);
	EXPECT_INT(unlink(path), 0);
	EXPECT_INT(trust_load(host.dir, &t), -EBADMSG);
	EXPECT_INT(trust_save_floors(&host.trust), 0);
}

TEST_MAIN()
