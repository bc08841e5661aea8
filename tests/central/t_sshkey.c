/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/attr.h"
#include "feed/feed.h"
#include "prism-central/sshkey.h"
#include "world.h"

struct step {
	int64_t user, now, id;
	struct sshkey_proof proof;
	const char *purpose;
	char nonce[65];
};

static int add_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	return sshkey_add(t, s->user, &s->proof, s->now, &s->id);
}

/* A key that has been proven already; its text matters to nobody here. */
static int add(const struct person *p, int n, int64_t *ret_id)
{
	struct step s = {
	    .user = p->id, .now = clock_now() + world_skew, .proof.origin = "imported"};
	snprintf(s.proof.fingerprint, sizeof(s.proof.fingerprint), "SHA256:%043d", n);
	snprintf(s.proof.line, sizeof(s.proof.line),
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW%02d",
	    n);
	int r = store_tx(db, STORE_WRITE, add_tx, &s);
	if (!r && ret_id)
		*ret_id = s.id;
	return r;
}

static const char *drop(const struct person *p, int64_t id, const char *query)
{
	char path[64];
	snprintf(path, sizeof(path), "me/ssh-keys/%lld%s", (long long)id, query);
	return outcome(HTTP_DELETE, p->token, path, NULL);
}

TEST("S1.6 a key is its owner's, found again by them, and never anybody else's")
{
	int64_t id, again;
	world();
	struct person bob = person("bob");
	EXPECT_INT(add(&chief, 1, &id), 0);
	EXPECT_INT(add(&chief, 1, &again), 0);
	EXPECT(id == again);
	EXPECT_INT(add(&bob, 1, NULL), -EEXIST);
	EXPECT_STR(drop(&bob, id, ""), "NOT_FOUND");
	EXPECT_STR(drop(&chief, id, ""), "200");
	EXPECT_STR(drop(&chief, id, ""), "NOT_FOUND");
	/* What was revoked may have been stolen: it never comes back. */
	EXPECT_INT(add(&chief, 1, NULL), -EEXIST);
	EXPECT_INT(add(&bob, 1, NULL), -EEXIST);
}

TEST("S1.6 a person has as many keys as a feed record carries")
{
	world();
	for (int i = 0; i < FEED_KEYS_MAX; i++)
		EXPECT_INT(add(&chief, i, NULL), 0);
	EXPECT_INT(add(&chief, FEED_KEYS_MAX, NULL), -EDQUOT);
	EXPECT_INT(add(&chief, 0, NULL), 0);
	struct person bob = person("bob");
	EXPECT_INT(add(&bob, FEED_KEYS_MAX, NULL), 0);
}

TEST("S1.27 every change of the keys reaches the feed of the person's projects")
{
	int64_t id;
	world();
	project(&chief, "lab");
	int64_t before = sql_int("SELECT revision FROM feeds");
	EXPECT_INT(add(&chief, 1, &id), 0);
	int64_t added = sql_int("SELECT revision FROM feeds");
	EXPECT(added > before);
	EXPECT_INT(add(&chief, 1, &id), 0);
	EXPECT_INT(sql_int("SELECT revision FROM feeds"), added);
	EXPECT_STR(drop(&chief, id, ""), "200");
	EXPECT(sql_int("SELECT revision FROM feeds") > added);
}

/* What the only key's only host says: -1 no host, else 0 or 1 for "present". */
static int present(void)
{
	struct answer a = ask(HTTP_GET, chief.token, "me/ssh-keys", NULL);
	json_t *host = json_array_get(json_object_get(json_array_get(a.json, 0), "hosts"), 0);
	int r = host ? json_is_true(json_object_get(host, "present")) : -1;
	answer_clear(&a);
	return r;
}

TEST("S1.23 ssh-key status says on which host a key has arrived")
{
	world();
	project(&chief, "lab");
	EXPECT_INT(add(&chief, 1, NULL), 0);
	EXPECT_INT(present(), -1);
	sql("INSERT INTO hosts (id, organization_id, name, public_key, hostname, address,"
	    " ssh_host_keys, state, manifest, enrolled_at, last_seen) SELECT 77, id, 'ws1', 'k',"
	    " 'ws1', '', '[]', 'enrolled', 1, 1, 1 FROM organizations");
	sql("INSERT INTO host_projects (host_id, project_id) SELECT 77, id FROM projects");
	EXPECT_INT(present(), 0);
	sql("INSERT INTO host_applied (host_id, project_id, epoch, revision) SELECT 77, project_id,"
	    " epoch, revision - 1 FROM feeds");
	EXPECT_INT(present(), 0);
	sql("UPDATE host_applied SET revision = revision + 1");
	EXPECT_INT(present(), 1);
	/* what the host refuses for a reason of its own is not there, whatever it has applied */
	sql("UPDATE hosts SET report ="
	    " '{\"refused\":[{\"subject\":\"chiefs\",\"reason\":\"x\"}]}'");
	EXPECT_INT(present(), 1);
	sql("UPDATE hosts SET report = '{\"refused\":[{\"subject\":\"chief\"}]}'");
	EXPECT_INT(present(), 0);
	sql("UPDATE hosts SET report = '{\"refused\":[{\"subject\":\"' ||"
	    " (SELECT uid FROM users WHERE username = 'chief') || '\"}]}'");
	EXPECT_INT(present(), 0);
	sql("UPDATE hosts SET report = '{'");
	EXPECT_INT(present(), 1);
	sql("UPDATE host_applied SET epoch = epoch + 1");
	EXPECT_INT(present(), 0);
	sql("UPDATE hosts SET state = 'removed'");
	EXPECT_INT(present(), -1);
}

static int issue_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	return nonce_issue(t, s->user, s->purpose, s->now, s->nonce);
}

static int consume_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	return nonce_consume(t, s->user, s->purpose, s->nonce, s->now);
}

static int consume(struct step s, int64_t user, const char *purpose, int64_t now)
{
	s.user = user;
	s.purpose = purpose;
	s.now = now;
	return store_tx(db, STORE_WRITE, consume_tx, &s);
}

TEST("D6 a nonce is good once, for its person and purpose, for five minutes")
{
	world();
	struct person bob = person("bob");
	struct step s = {.user = chief.id, .purpose = "login", .now = 1000};
	EXPECT_INT(store_tx(db, STORE_WRITE, issue_tx, &s), 0);
	EXPECT_INT(strlen(s.nonce), 64);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces"), 1);
	EXPECT_INT(consume(s, bob.id, "login", 1000), -ENOENT);
	EXPECT_INT(consume(s, chief.id, "register", 1000), -ENOENT);
	EXPECT_INT(consume(s, chief.id, "login", 1000 + NONCE_SECONDS), -ENOENT);
	EXPECT_INT(consume(s, chief.id, "login", 1000 + NONCE_SECONDS - 1), 0);
	EXPECT_INT(consume(s, chief.id, "login", 1000), -ENOENT);
}

TEST("L4.2 nonces are bounded: the oldest makes room, the expired go")
{
	struct step first = {.purpose = "login", .now = 1000}, s = first;
	world();
	first.user = s.user = chief.id;
	EXPECT_INT(store_tx(db, STORE_WRITE, issue_tx, &first), 0);
	for (int i = 0; i < NONCES_PER_USER + 10; i++) {
		s.now = 1001 + i / 10;
		EXPECT_INT(store_tx(db, STORE_WRITE, issue_tx, &s), 0);
	}
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces"), NONCES_PER_USER);
	EXPECT_INT(consume(first, chief.id, "login", 1010), -ENOENT);
	EXPECT_INT(consume(s, chief.id, "login", 1010), 0);
	s.now = 9999;
	EXPECT_INT(store_tx(db, STORE_WRITE, issue_tx, &s), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM nonces"), 1);
}

TEST("S1.27 a retiring key ends by itself, and its grace is not prolonged")
{
	int64_t id;
	world();
	EXPECT_INT(add(&chief, 1, &id), 0);
	EXPECT_STR(drop(&chief, id, ""), "200");
	EXPECT_INT(add(&chief, 2, &id), 0);
	sql("UPDATE ssh_keys SET state = 'retiring', not_after = 5 WHERE state = 'active'");
	struct answer a = ask(HTTP_GET, chief.token, "me/ssh-keys", NULL);
	EXPECT_INT(json_array_size(a.json), 0);
	answer_clear(&a);
	EXPECT_INT(add(&chief, 2, NULL), -EEXIST);
}

TEST_MAIN()
