/* SPDX-License-Identifier: MIT */
#ifndef SYNC_INTAKE_HOST_H
#define SYNC_INTAKE_HOST_H

/*
 * A host's root half, between a feed that the test makes and the state on disk: begin() makes a new
 * one, give() hands it the message in msg, restart() reads everything from disk again.
 */
#include <errno.h>
#include <sys/stat.h>
#include "prism-sync/intake.h"
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

static inline void pin(struct trust *t, const struct forge *f)
{
	memcpy(t->host_id, f->host, FEED_ID_LEN);
	memcpy(t->keys[0].key, feed_signer_public(f->signer), FEED_KEY_LEN);
	t->keys[0].role = TRUST_CURRENT;
	t->nkeys = 1;
}

static inline void close_host(struct host *h)
{
	if (h->dir[0] == '\0')
		return;
	close(h->intake.dirfd);
	model_release(&h->model);
	trust_release(&h->trust);
}

/* As after a restart: everything from disk. */
static inline void open_host(struct host *h, const char *dir)
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

static inline int give_at(int64_t now, struct feed_header *h)
{
	uint8_t *room = malloc(FEED_HEADROOM + msg.len);

	memcpy(room + FEED_HEADROOM, msg.data, msg.len);
	int rc = intake_message(&host.intake, room, msg.len, now, h);

	free(room);
	return rc;
}

static inline int give(void)
{
	struct feed_header h;

	return give_at(FORGE_NOW, &h);
}

static inline void give_manifest(void)
{
	struct forge *all[] = {&forge};

	forge.manifest++;
	forge_manifest(&forge, all, 1, NULL, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
}

/* A new host that knows the forge's key, its manifest, and alice and bob. */
static inline void begin(void)
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

static inline struct feed *feed(void)
{
	return model_feed(&host.model, forge.id);
}

static inline const struct record *member(uint32_t uid)
{
	return feed() ? feed_find(feed(), FEED_MEMBER, uid) : NULL;
}

static inline void restart(void)
{
	open_host(&host, host.dir);
}

__attribute__((destructor)) static void end_host(void)
{
	close_host(&host);
	forge_free(&forge);
	buf_free(&msg);
}

#endif
