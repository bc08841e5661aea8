/* SPDX-License-Identifier: MIT */

/* From the model to the published snapshots, read back through the reader. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "access/access.h"
#include "prism-sync/compile.h"
#include "prism-sync/fault.h"
#include "sync/forge.h"
#include "test.h"

static struct forge forge, other;
static struct buf msg;
static struct model model;
static struct config config;
static struct local local;
static struct compiled compiled;
static char dir[128], passwd[160], group[160];
static int serial;

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	EXPECT(f != NULL);
	fputs(text, f);
	fclose(f);
}

static int apply(struct forge *f)
{
	struct feed_trust t = {.nkeys = 1};
	struct feed_header h;
	struct wire w;

	memcpy(t.keys[0], feed_signer_public(f->signer), FEED_KEY_LEN);
	int rc = feed_open(&t, msg.data, msg.len, &h, &w);

	if (rc < 0)
		return rc;
	if (h.kind == FEED_MANIFEST)
		return model_apply_manifest(&model, &h, w, NULL, NULL);
	return model_apply_feed(&model, &h, w);
}

static void begin(void)
{
	struct forge *both[] = {&forge, &other};

	forge_free(&forge);
	forge_free(&other);
	model_release(&model);
	local_release(&local);
	compiled_release(&compiled);
	forge_init(&forge, 1, "lab");
	forge_init(&other, 1, "bio");
	forge_project(&other, GID_FIRST + 20, SNAP_ACTIVE);
	snprintf(dir, sizeof(dir), "%s/c%d", test_tmpdir(), serial++);
	EXPECT_INT(mkdir(dir, 0755), 0);
	snprintf(passwd, sizeof(passwd), "%s/passwd", dir);
	snprintf(group, sizeof(group), "%s/group", dir);
	write_file(passwd, "root:x:0:0:root:/root:/bin/sh\nlocaluser:x:1000:1000::/home/l:/bin/sh\n"
			   "visitor:x:10050:10050::/home/v:/bin/sh\n");
	write_file(group, "root:x:0:\nlocaluser:x:1000:\ndocker:x:998:\nteamx:x:10060:\n");
	config_defaults(&config);
	model_init(&model, forge.host);
	forge_manifest(&forge, both, 2, NULL, &msg);
	EXPECT_INT(apply(&forge), APPLY_CHANGED);
}

static void make_at(int64_t now)
{
	forge_full(&forge, &msg);
	forge.revision++;
	EXPECT(apply(&forge) >= 0);
	forge_full(&other, &msg);
	other.revision++;
	EXPECT(apply(&other) >= 0);
	EXPECT(local_refresh(&local, passwd, group) >= 0);
	compiled_release(&compiled);
	EXPECT_INT(compile(&model, &config, &local, 1, now, &compiled), 0);
}

static void make(void)
{
	make_at(FORGE_NOW + 1);
}

static const struct snap_user *user(const char *name)
{
	for (size_t i = 0; i < compiled.source.nusers; i++)
		if (strcmp(compiled.users[i].name, name) == 0)
			return &compiled.users[i];
	return NULL;
}

static int refused(const char *name)
{
	for (size_t i = 0; i < compiled.nrefused; i++)
		if (strcmp(compiled.refused[i].name, name) == 0)
			return compiled.refused[i].verdict;
	return 0;
}

static bool in_group(const char *name, const char *gr)
{
	const struct snap_user *u = user(name);

	for (size_t i = 0; u != NULL && i < u->ngroups; i++)
		if (strcmp(compiled.groups[u->groups[i]].name, gr) == 0)
			return true;
	return false;
}

/* What PAM would say, from the published file. */
static enum access_reason decide(const char *name, int64_t now)
{
	char path[200];
	struct snap s;
	struct access_result r;

	EXPECT_INT(compiled_publish(&compiled, dir, -1, &(uint64_t){0}), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_ACCESS);
	EXPECT_INT(snap_open(path, SNAP_ACCESS, SNAP_VERIFY, &s), 0);
	access_decide(&s, name, "sshd", now, &r);
	snap_close(&s);
	return r.reason;
}

TEST("D4 a member is published with the groups of the contract")
{
	begin();
	forge_member(&forge, 10001, "alice");
	struct feed_member m = forge_person("viewer");

	m.perms = SNAP_PERM_LOGIN;
	forge_put(&forge, 10002, &m);
	make();
	EXPECT_INT(compiled.source.nusers, 2);
	EXPECT(in_group("alice", "prism-users") && in_group("viewer", "prism-users"));
	EXPECT(in_group("alice", "p-lab") && in_group("alice", "p-lab-ro"));
	EXPECT(!in_group("viewer", "p-lab") && in_group("viewer", "p-lab-ro"));
	EXPECT(!in_group("alice", "prism-sudo"));
	EXPECT_INT(compiled.groups[0].gid, GID_FIRST);
	EXPECT(compiled.groups[0].hide_members);
	EXPECT_INT(user("alice")->nkeys, 1);
	EXPECT_STR(user("alice")->keys[0].line, FORGE_KEY);
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
	EXPECT_INT(decide("viewer", FORGE_NOW + 1), ACCESS_OK);
	EXPECT_INT(decide("nobody-known", FORGE_NOW + 1), ACCESS_NOT_LISTED);
}

TEST("D4 sudo needs the role and this host's own word")
{
	begin();
	struct feed_member m = forge_person("alice");

	m.perms |= SNAP_PERM_SUDO;
	forge_put(&forge, 10001, &m);
	forge_member(&forge, 10002, "bob");
	make();
	EXPECT(!in_group("alice", "prism-sudo"));
	config.allow_sudo = true;
	make();
	EXPECT(in_group("alice", "prism-sudo"));
	EXPECT(!in_group("bob", "prism-sudo"));
}

TEST("D4 whoever is suspended or was removed still resolves, without groups")
{
	begin();
	struct feed_member m = forge_person("alice");

	m.state = SNAP_ENDED;
	m.ended_at = FORGE_NOW;
	forge_put(&forge, 10001, &m);
	m = forge_person("bob");
	m.user_state = SNAP_SUSPENDED;
	forge_put(&forge, 10002, &m);
	make();
	EXPECT(user("alice") != NULL && user("bob") != NULL);
	EXPECT(in_group("alice", "prism-users") && !in_group("alice", "p-lab-ro"));
	EXPECT(!in_group("bob", "p-lab"));
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_ENDED);
	EXPECT_INT(decide("bob", FORGE_NOW + 1), ACCESS_USER_SUSPENDED);
	EXPECT_INT(compiled.nactive, 0);
}

TEST("D6 ids and names that this host refuses are refused one by one")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 0, "zeroes");
	forge_member(&forge, 27, "sudoer");
	forge_member(&forge, 65534, "nobody2");
	forge_member(&forge, 3500000, "toohigh");
	forge_member(&forge, GID_FIRST, "asgroup");
	forge_member(&forge, 10010, "localuser");
	forge_member(&forge, 10050, "newcomer");
	forge_member(&forge, 10060, "groupclash");
	forge_member(&forge, 10061, "teamx");
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT(user("alice") != NULL);
	EXPECT_INT(refused("zeroes"), VERDICT_RANGE);
	EXPECT_INT(refused("sudoer"), VERDICT_RANGE);
	EXPECT_INT(refused("nobody2"), VERDICT_RANGE);
	EXPECT_INT(refused("toohigh"), VERDICT_RANGE);
	EXPECT_INT(refused("asgroup"), VERDICT_RANGE);
	EXPECT_INT(refused("localuser"), VERDICT_LOCAL_NAME);
	EXPECT_INT(refused("newcomer"), VERDICT_LOCAL_ID);
	EXPECT_INT(refused("groupclash"), VERDICT_LOCAL_GROUP);
	EXPECT_INT(refused("teamx"), VERDICT_LOCAL_GROUP);
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
}

TEST("D6 a local account that appears later wins from the next publication on")
{
	begin();
	forge_member(&forge, 10001, "alice");
	make();
	EXPECT(user("alice") != NULL);
	free(model.lost);
	model.lost = NULL;
	model.nlost = 0;
	write_file(passwd, "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001::/home/a:/bin/sh\n");
	make();
	EXPECT(user("alice") == NULL);
	EXPECT_INT(refused("alice"), VERDICT_LOCAL_NAME);
	EXPECT_INT(model.nlost, 1);
}

TEST("D6 reserved names do not pass, whatever a record says")
{
	struct buf b = BUF_INIT(4096);
	struct feed_member m = forge_person("docker");

	begin();
	forge_member(&forge, 10001, "alice");
	feed_body_member(&b, &m);
	forge_set(&forge, FEED_MEMBER, 0, 10005, &b);
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT_INT(compiled.nrefused, 1);
	EXPECT_INT(compiled.refused[0].id, 10005);
	buf_free(&b);
}

TEST("D6 two people with one name are both refused")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 10002, "twin");
	forge_member(&forge, 10003, "twin");
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT_INT(refused("twin"), VERDICT_DUPLICATE);
}

TEST("D6 a project group outside the range, or of a local group, is refused and nothing else")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_project(&forge, 26, SNAP_ACTIVE);
	make();
	EXPECT_INT(refused("p-lab"), VERDICT_RANGE);
	EXPECT(!in_group("alice", "p-lab"));
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
	forge_project(&forge, GID_FIRST + 1, SNAP_ACTIVE);
	make();
	EXPECT_INT(refused("p-lab"), VERDICT_RANGE);
	write_file(group, "p-lab:x:5000:\n");
	forge_project(&forge, GID_FIRST + 16, SNAP_ACTIVE);
	make();
	EXPECT_INT(refused("p-lab"), VERDICT_LOCAL_GROUP);
	EXPECT(in_group("alice", "p-lab-ro"));
}

TEST("D4 a local group with the id or the name of prism-sudo takes sudo from everybody")
{
	static const struct {
		const char *line, *clash;
		bool sudo;
	} rows[] = {
	    {"boat:x:2000001:localuser\n", "prism-sudo", false},
	    {"prism-sudo:x:500:\n", "prism-sudo", false},
	    {"boat:x:2000000:\n", "prism-users", true},
	    {"prism-users:x:500:\n", "prism-users", true},
	    {"boat:x:500:\n", NULL, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct feed_member m = forge_person("alice");

		begin();
		m.perms |= SNAP_PERM_SUDO;
		forge_put(&forge, 10001, &m);
		config.allow_sudo = true;
		write_file(group, rows[i].line);
		make();
		if (rows[i].clash != NULL)
			EXPECT_INT(refused(rows[i].clash), VERDICT_LOCAL_GROUP);
		EXPECT_INT(compiled.nrefused, rows[i].clash != NULL);
		EXPECT_INT(in_group("alice", "prism-sudo"), rows[i].sudo);
		EXPECT(in_group("alice", "prism-users"));
		EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
	}
}

TEST("D6 the allow-list lets only its names in; the others resolve")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 10002, "bob");
	snprintf(config.allow_users, sizeof(config.allow_users), " bob ");
	make();
	EXPECT_INT(refused("alice"), VERDICT_ALLOW_LIST);
	EXPECT(user("alice") != NULL);
	EXPECT(!in_group("alice", "p-lab-ro"));
	EXPECT(in_group("bob", "p-lab-ro"));
	EXPECT(decide("alice", FORGE_NOW + 1) != ACCESS_OK);
	EXPECT_INT(decide("bob", FORGE_NOW + 1), ACCESS_OK);
}

TEST("D6 a person whose newest record is not understood resolves and is refused")
{
	struct buf junk = BUF_INIT(16);

	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 10002, "bob");
	forge_member(&forge, 10003, "carol");
	make();
	buf_add_str(&junk, "?");
	forge_set(&forge, FEED_MEMBER, 0, 10002, &junk);
	forge_set(&forge, 77, 0, 10003, &junk);
	forge_set(&forge, FEED_MEMBER, 0, 10009, &junk);
	make();
	EXPECT_INT(refused("bob"), VERDICT_BROKEN);
	EXPECT_INT(refused("carol"), VERDICT_BROKEN);
	EXPECT(user("bob") != NULL && user("carol") != NULL);
	EXPECT(decide("bob", FORGE_NOW + 1) != ACCESS_OK);
	EXPECT(decide("carol", FORGE_NOW + 1) != ACCESS_OK);
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
	buf_free(&junk);
}

TEST("D6 a project whose record is not understood lets nobody in, the other project does")
{
	struct buf junk = BUF_INIT(16);

	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&other, 10002, "bob");
	buf_add_str(&junk, "?");
	forge_set(&forge, FEED_PROJECT, 0, 0, &junk);
	make();
	EXPECT(decide("alice", FORGE_NOW + 1) != ACCESS_OK);
	EXPECT_INT(decide("bob", FORGE_NOW + 1), ACCESS_OK);
	buf_free(&junk);
}

TEST("D4 a person of two projects is one user with two grants")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&other, 10001, "alice");
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT_INT(user("alice")->ngrants, 2);
	EXPECT(in_group("alice", "p-lab") && in_group("alice", "p-bio"));
	EXPECT_INT(user("alice")->nkeys, 1);
	for (size_t i = 1; i < user("alice")->ngroups; i++)
		EXPECT(user("alice")->groups[i - 1] < user("alice")->groups[i]);
	/* Removed from one: a grant remains, and the loss is noted so that sessions end. */
	struct feed_member m = forge_person("alice");

	m.state = SNAP_ENDED;
	m.nkeys = 0;
	forge_put(&other, 10001, &m);
	make();
	EXPECT(in_group("alice", "p-lab") && !in_group("alice", "p-bio-ro"));
	EXPECT_INT(user("alice")->nkeys, 1);
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
	EXPECT_INT(model.nlost, 1);
	EXPECT_INT(model.lost[0].uid, 10001);
}

TEST("D4 of a person of two projects the stricter record holds while they differ")
{
	begin();
	struct feed_member m = forge_person("alice");

	forge_put(&forge, 10001, &m);
	m.nkeys = 0;
	m.user_state = SNAP_SUSPENDED;
	forge_put(&other, 10001, &m);
	make();
	EXPECT_INT(user("alice")->nkeys, 0);
	EXPECT_INT(user("alice")->state, SNAP_SUSPENDED);
	EXPECT(decide("alice", FORGE_NOW + 1) != ACCESS_OK);
}

TEST("D4 a person with two names or homes is refused")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&other, 10001, "alicia");
	forge_member(&other, 10002, "bob");
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT_INT(refused("alice"), VERDICT_DISAGREE);
}

TEST("D6 groups follow time: an end takes the groups and is foreseen")
{
	begin();
	struct feed_member m = forge_person("alice");

	m.not_after = FORGE_NOW + 100;
	forge_put(&forge, 10001, &m);
	make_at(FORGE_NOW + 99);
	EXPECT_INT(compiled.next_change, FORGE_NOW + 100);
	EXPECT(in_group("alice", "p-lab"));
	compiled_release(&compiled);
	EXPECT_INT(compile(&model, &config, &local, 2, FORGE_NOW + 100, &compiled), 0);
	EXPECT(!in_group("alice", "p-lab"));
	EXPECT_INT(model.nlost, 1);
	EXPECT_INT(compiled.next_change, FORGE_NOW + FEED_VALIDITY);
}

TEST("D6 a project that is paused lets nobody in")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_project(&forge, GID_FIRST + 16, SNAP_SUSPENDED);
	make();
	EXPECT(!in_group("alice", "p-lab-ro"));
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_PROJECT_INACTIVE);
}

TEST("D6 one feed that ran out of validity refuses its own people, not the others")
{
	begin();
	forge_member(&forge, 10001, "alice");
	forge_member(&other, 10002, "bob");
	forge.validity = 1000;
	make();
	EXPECT_INT(compiled.source.meta.valid_until, FORGE_NOW + 1000);
	make_at(FORGE_NOW + 1000);
	EXPECT(decide("alice", FORGE_NOW + 1000) != ACCESS_OK);
	EXPECT_INT(decide("bob", FORGE_NOW + 1000), ACCESS_OK);
	EXPECT_INT(compiled.source.meta.valid_until, FORGE_NOW + FEED_VALIDITY);
}

TEST("D6 with everything out of validity, logins are refused as stale")
{
	begin();
	forge_member(&forge, 10001, "alice");
	make_at(FORGE_NOW + FEED_VALIDITY);
	EXPECT_INT(decide("alice", FORGE_NOW + FEED_VALIDITY), ACCESS_STALE);
}

TEST("D6 a manifest that ran out refuses all, one that is older than the feeds does not")
{
	struct forge *both[] = {&forge, &other};

	begin();
	forge.manifest++;
	forge.validity = 1000;
	forge_manifest(&forge, both, 2, NULL, &msg);
	EXPECT_INT(apply(&forge), APPLY_CHANGED);
	forge.validity = FEED_VALIDITY;
	forge_member(&forge, 10001, "alice");
	make_at(FORGE_NOW + 999);
	EXPECT_INT(compiled.source.meta.valid_until, FORGE_NOW + FEED_VALIDITY);
	EXPECT_INT(compiled.next_change, FORGE_NOW + 1000);
	make_at(FORGE_NOW + 1000);
	EXPECT_INT(decide("alice", FORGE_NOW + 1000), ACCESS_STALE);
}

static void put_group(uint32_t gid, const char *slug, const uint32_t *uids, uint32_t n)
{
	struct feed_group g = {.nmembers = n, .members = (const uint8_t *)uids};
	struct buf b = BUF_INIT(65536);

	snprintf(g.slug, sizeof(g.slug), "%s", slug);
	feed_body_group(&b, &g);
	forge_set(&forge, FEED_GROUP, 0, gid, &b);
	buf_free(&b);
}

TEST("D6 a named group has its active members, each once")
{
	uint32_t uids[] = {10002, 10001, 10001, 10999};

	begin();
	forge_member(&forge, 10001, "alice");
	struct feed_member m = forge_person("bob");

	m.state = SNAP_SUSPENDED;
	forge_put(&forge, 10002, &m);
	put_group(GID_FIRST + 100, "imaging", uids, 4);
	put_group(GID_FIRST + 2, "lowgid", uids, 4);
	make();
	EXPECT(in_group("alice", "g-imaging"));
	EXPECT(!in_group("bob", "g-imaging"));
	EXPECT_INT(refused("g-lowgid"), VERDICT_RANGE);
	EXPECT_INT(decide("alice", FORGE_NOW + 1), ACCESS_OK);
}

static int die_at, step;

static void die(const char *name)
{
	if (++step == die_at)
		_exit(77);
}

TEST("D6 a kill -9 at any step of publishing leaves three whole files")
{
	static const char *const names[] = {SNAPSHOT_IDENTITY, SNAPSHOT_ACCESS, SNAPSHOT_KEYS};
	bool finished = false;

	for (die_at = 1; !finished; die_at++) {
		int status;
		uint64_t generation = 0;

		begin();
		forge_member(&forge, 10001, "alice");
		make();
		EXPECT_INT(compiled_publish(&compiled, dir, -1, &(uint64_t){0}), 0);
		forge_member(&forge, 10002, "bob");
		make();
		compiled.source.meta.generation = 2;
		pid_t pid = fork();

		if (pid == 0) {
			step = 0;
			fault_hook = die;
			_exit(compiled_publish(&compiled, dir, -1, &(uint64_t){0}) == 0 ? 0 : 1);
		}
		EXPECT_INT(waitpid(pid, &status, 0), pid);
		finished = WEXITSTATUS(status) == 0;
		EXPECT_INT(compiled_recover(dir, &generation), 0);
		for (int i = 0; i < 3; i++) {
			char path[200];
			struct snap s;

			snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
			EXPECT_INT(snap_open(path, (enum snap_kind)(i + 1), SNAP_VERIFY, &s), 0);
			EXPECT(!snap_superseded(&s));
			snap_close(&s);
		}
		EXPECT(generation == 1 || generation == 2);
		compiled.source.meta.generation = 3;
		EXPECT_INT(compiled_publish(&compiled, dir, -1, &(uint64_t){0}), 0);
		EXPECT_INT(compiled_recover(dir, &generation), 0);
		EXPECT_INT(generation, 3);
	}
	EXPECT(die_at > 10);
}

TEST("D6 the modes of the snapshots are those of the contract")
{
	char path[200];
	struct stat st;

	begin();
	forge_member(&forge, 10001, "alice");
	make();
	EXPECT_INT(compiled_publish(&compiled, dir, 12345, &(uint64_t){0}), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_IDENTITY);
	EXPECT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644);
	snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_ACCESS);
	EXPECT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_KEYS);
	EXPECT(stat(path, &st) == 0);
	if (geteuid() == 0)
		EXPECT((st.st_mode & 07777) == 0640 && st.st_gid == 12345);
	forge_free(&forge);
	forge_free(&other);
	memset(&forge, 0, sizeof(forge));
	memset(&other, 0, sizeof(other));
	model_release(&model);
	local_release(&local);
	compiled_release(&compiled);
	buf_free(&msg);
}

TEST_MAIN()
