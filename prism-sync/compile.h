/* SPDX-License-Identifier: MIT */
#ifndef COMPILE_H
#define COMPILE_H

/*
 * From the model to what the snapshots say at one moment. Strings stay in the model's records, so
 * the model must not change while a compiled generation is in use.
 */
#include "snapshot/snapshot.h"
#include "config.h"
#include "model.h"
#include "refuse.h"

struct refusal {
	uint32_t id;
	char name[40];
	uint8_t verdict; /* enum verdict */
};

struct person; /* compile.c's own */

struct compiled {
	struct snap_source source;
	struct snap_project *projects;
	struct snap_group *groups;
	char (*group_names)[40];
	struct snap_user *users;
	uint32_t *group_indexes;
	struct snap_grant *grants;
	struct snap_key *keys;
	struct refusal *refused;
	size_t nrefused;
	size_t nactive;	     /* people whom some grant lets in now */
	uint64_t identity;   /* a hash of all that the identity snapshot says */
	int64_t next_change; /* when time alone will change something; 0: never */
};

/*
 * Compile at "now" (which is never before the newest issued_at). Members that lost access since the
 * last time are noted with model_lose(). Returns 0 or -ENOMEM; release with compiled_release().
 */
int compile(struct model *m, const struct config *c, const struct local *l, uint64_t generation,
    int64_t now, struct compiled *ret);
void compiled_release(struct compiled *c);

/*
 * Whether somebody who logs in now has this group, by the generation compiled last. A group outside
 * this host's range is not Prism's to judge: true.
 */
bool compiled_in_group(const struct model *m, const struct config *c, uint32_t uid, uint32_t gid);

/*
 * Write and publish the snapshots in "dir", access first: a right is taken away before the name
 * goes. "keys_gid" is the group that may read the keys, or -1. The identity snapshot stays as it is
 * when it says the same already, that is when *identity (0 at first) is c->identity; *identity is
 * set to what is published then. Returns 0 or -errno; on failure each file is still the old or
 * already the new generation.
 */
int compiled_publish(
    const struct compiled *c, const char *dir, int64_t keys_gid, uint64_t *identity);

/* After a crash: complete what was under way. *ret_generation is the highest one found, or 0. */
int compiled_recover(const char *dir, uint64_t *ret_generation);

#endif
