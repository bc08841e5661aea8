/* SPDX-License-Identifier: MIT */

/* The root half's door: crafted signed feeds against verification, floors, journal and model. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "prism-sync/fault.h"
#include "prism-sync/intake.h"
#include "prism-sync/journal.h"
#include "sync/forge.h"
#include "test.h"

struct host {
	char dir[128];
	struct trust trust;
	struct model model;
	struct intake intake;
};

static struct forge forge;
static struct buf msg;
static struct host host;
static int serial;

static void pin(struct trust *t, const struct forge *f)
{
	memcpy(t->host_id, f->host, FEED_ID_LEN);
	memcpy(t->keys[0].key, feed_signer_public(f->signer), FEED_KEY_LEN);
	t->keys[0].role = TRUST_CURRENT;
	t->nkeys = 1;
}

static void close_host(struct host *h)
{
	if (h->dir[0] == '\0')
		return;
	close(h->intake.dirfd);
	model_release(&h->model);
	trust_release(&h->trust);
}

/* As after a restart: everything from disk. */
static void open_host(struct host *h, const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", dir);
	close_host(h);
	memset(h, 0, sizeof(*h));
	snprintf(h->dir, sizeof(h->dir), "%s", path);
	EXPECT_INT(trust_load(h->dir, &h->trust), 0);
	model_init(&h->model, h->trust.host_id);
	h->intake.trust = &h->trust;
	h->intake.model = &h->model;
	h->intake.dirfd = open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_INT(intake_replay(&h->intake), 0);
}

static int give_at(int64_t now, struct feed_header *h)
{
	uint8_t *room = malloc(FEED_HEADROOM + msg.len);

	memcpy(room + FEED_HEADROOM, msg.data, msg.len);
	int rc = intake_message(&host.intake, room, msg.len, now, h);

	free(room);
	return rc;
}

static int give(void)
{
	struct feed_header h;

	return give_at(FORGE_NOW, &h);
}

static void give_manifest(void)
{
	struct forge *all[] = {&forge};

	forge.manifest++;
	forge_manifest(&forge, all, 1, NULL, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
}

/* A new host that knows the forge's key, its manifest, and alice and bob. */
static void begin(void)
{
	char dir[128];
	struct trust t = {.nkeys = 0};

	forge_free(&forge);
	forge_init(&forge, 1, "lab");
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 10002, "bob");
	snprintf(dir, sizeof(dir), "%s/trust%d", test_tmpdir(), serial++);
	EXPECT_INT(mkdir(dir, 0700), 0);
	pin(&t, &forge);
	snprintf(t.dir, sizeof(t.dir), "%s", dir);
	EXPECT_INT(trust_save_floors(&t), 0);
	EXPECT_INT(trust_save_pins(&t), 0);
	open_host(&host, dir);
	give_manifest();
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
}

static struct feed *feed(void)
{
	return model_feed(&host.model, forge.id);
}

static const struct record *member(uint32_t uid)
{
	return feed() ? feed_find(feed(), FEED_MEMBER, uid) : NULL;
}

static void restart(void)
{
	open_host(&host, host.dir);
}

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

static size_t journal_path(char path[256])
{
	struct stat st;
	char hex[33];

	for (int i = 0; i < FEED_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", forge.id[i]);
	snprintf(path, 256, "%s/%s.journal", host.dir, hex);
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

TEST("D6 a journal that is torn at any byte gives the state before the tear")
{
	char path[256];
	static uint8_t whole[65536];
	size_t first, size;

	begin();
	first = journal_path(path);
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	size = journal_path(path);
	EXPECT(size > first && size < sizeof(whole));
	int fd = open(path, O_RDWR | O_CLOEXEC);

	EXPECT_INT(read(fd, whole, size), size);
	for (size_t n = 0; n < size; n++) {
		EXPECT_INT(ftruncate(fd, 0), 0);
		EXPECT_INT(pwrite(fd, whole, n, 0), n);
		restart();
		EXPECT_INT(feed()->revision, n < first ? 0 : 1);
		EXPECT_INT(journal_path(path), n < first ? 0 : first);
	}
	close(fd);
	/* And what follows the cut goes on from there. */
	EXPECT_INT(give(), APPLY_CHANGED);
	restart();
	EXPECT_INT(feed()->revision, 2);
}

TEST("D6 a flipped bit in a journal cuts it there")
{
	char path[256];
	uint8_t byte;

	begin();
	size_t first = journal_path(path);

	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	EXPECT_INT(pread(fd, &byte, 1, (off_t)first + 100), 1);
	byte ^= 4;
	EXPECT_INT(pwrite(fd, &byte, 1, (off_t)first + 100), 1);
	close(fd);
	restart();
	EXPECT_INT(feed()->revision, 1);
	EXPECT_INT(journal_path(path), first);
}

static int die_at, step;

static void die(const char *name)
{
	if (++step == die_at)
		_exit(77);
}

TEST("D6 a kill -9 at any step of the journal loses at most the message under way")
{
	int steps = 0;

	for (die_at = 1; steps == 0; die_at++) {
		begin();
		forge_member(&forge, 10003, "carol");
		forge_delta(&forge, &msg);
		pid_t pid = fork();

		if (pid == 0) {
			step = 0;
			fault_hook = die;
			give();
			forge.revision = 7;
			forge_full(&forge, &msg);
			give();
			_exit(0);
		}
		int status;

		EXPECT_INT(waitpid(pid, &status, 0), pid);
		restart();
		uint64_t rev = feed()->revision;

		EXPECT(rev == 1 || rev == 2 || rev == 7);
		if (WEXITSTATUS(status) == 0) {
			EXPECT_INT(rev, 7);
			steps = die_at - 1;
		}
		/* Whatever was lost, the host goes on. */
		forge.revision = 8;
		forge_full(&forge, &msg);
		EXPECT_INT(give(), APPLY_CHANGED);
		EXPECT_INT(feed()->nmembers, 3);
	}
	EXPECT(steps >= 4);
}

TEST("D6 a journal that grows past twice its size asks for a full feed")
{
	struct feed_member m = forge_person("alice");

	begin();
	for (int i = 0; i < 3000 && !feed()->want_full; i++) {
		m.perms ^= SNAP_PERM_SUDO;
		forge_put(&forge, 10001, &m);
		forge_delta(&forge, &msg);
		EXPECT_INT(give(), APPLY_CHANGED);
	}
	EXPECT(feed()->want_full);
	size_t grown = feed()->journal_size;

	EXPECT(grown > 1 << 20);
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(feed()->journal_size < 4096);
	close_host(&host);
	forge_free(&forge);
	memset(&forge, 0, sizeof(forge));
	buf_free(&msg);
}

TEST_MAIN()
