/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

/*
 * What a reader of a snapshot sees, and what a writer is given. The bytes of the file are specified
 * in format.h; only read.c, write.c and the NSS module look at those.
 *
 * Three files, one container. All are immutable once published, except for one word of the header
 * ("superseded") that the publisher sets when a newer generation has taken the name.
 *
 *   identity.v1.snap  0644 root:root         users, groups, members     libnss_prism
 *   access.v1.snap    0600 root:root         projects, users, grants    pam_prism
 *   keys.v1.snap      0640 root:prism-keys   as access, and the keys    prism-keys
 *
 * read.c is libc only, allocates nothing, keeps no descriptor. No content of a file can make it
 * read outside the mapping or loop for ever.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_DIR	  "/var/lib/prism/nss"
#define SNAPSHOT_IDENTITY "identity.v1.snap"
#define SNAPSHOT_ACCESS	  "access.v1.snap"
#define SNAPSHOT_KEYS	  "keys.v1.snap"

enum snap_kind { SNAP_IDENTITY = 1, SNAP_ACCESS = 2, SNAP_KEYS = 3 };

/* State of a person in the deployment, and of a grant in a project. */
enum snap_state {
	SNAP_ACTIVE = 1,
	SNAP_SUSPENDED = 2,
	SNAP_ENDED = 3,	  /* removed, or expired when the record was made */
	SNAP_REFUSED = 4, /* the host refuses this subject; the agent's report says why */
};

/* What a role allows on a host, derived from its permissions by the central service. */
enum snap_perm {
	SNAP_PERM_LOGIN = 1u << 0, /* hosts:login */
	SNAP_PERM_SUDO = 1u << 1,  /* hosts:sudo */
	SNAP_PERM_WRITE = 1u << 2, /* hosts:data:write */
};

struct snap_meta {
	uint64_t generation;
	int64_t issued_at;   /* of the newest signed answer in it: time never runs before this */
	int64_t valid_until; /* logins are refused from here on; 0 only in test data: no limit */
	uint32_t uid_first, uid_last; /* the host's ranges; a record outside them is not served */
	uint32_t gid_first, gid_last;
};

/* ---- the writer's input ----------------------------------------------------------------- */

struct snap_group {
	const char *name;
	uint32_t gid;
	bool hide_members; /* it shows in initgroups only: prism-users, which is everybody */
};

struct snap_project {
	const char *slug;
	const char *name;
	const char *contact;  /* whom to ask, as shown: "Dr. Chen <chen@uni.edu>"; may be "" */
	uint8_t state;	      /* enum snap_state */
	uint32_t sso_max_age; /* seconds; 0: none asked for */
};

struct snap_grant {
	uint32_t project;  /* index into the projects */
	uint32_t perms;	   /* enum snap_perm */
	uint8_t state;	   /* enum snap_state */
	int64_t not_after; /* 0: no end */
	int64_t ended_at;  /* when it was suspended or ended, 0 if it was not */
	int64_t sso_at;	   /* last login through this organization's SSO, 0: never */
};

struct snap_key {
	const char *line;  /* "ssh-ed25519 AAAA... comment" */
	int64_t not_after; /* a retiring key's end; 0: none */
};

struct snap_user {
	const char *name, *gecos, *home, *shell;
	uint32_t uid;		/* the private group has the same id and name */
	uint8_t state;		/* enum snap_state, of the person */
	const uint32_t *groups; /* indexes into the groups, ascending */
	size_t ngroups;
	const struct snap_grant *grants;
	size_t ngrants;
	const struct snap_key *keys;
	size_t nkeys;
};

/*
 * The whole of a generation. Users in any order; names and ids are unique, and no group has the
 * name or the id of a user (it would be that of the user's private group). "user" is asked for each
 * index several times and must give the same answer every time; an answer need only hold until the
 * next is asked for.
 *
 * A user in state SNAP_REFUSED is left out of the identity snapshot. The other two have it, so that
 * a refusal can be explained, but it is found by name only; its uid is not checked (another user
 * may have the same) and reads as 0xffffffff.
 */
struct snap_source {
	struct snap_meta meta;
	const struct snap_project *projects;
	size_t nprojects;
	const struct snap_group *groups;
	size_t ngroups;
	size_t nusers;
	const struct snap_user *(*user)(void *arg, size_t i);
	void *arg;
};

/*
 * What the writer has to know of a source first: the lengths of all that is in it, and which kinds
 * it breaks a limit of. One survey serves all three. The source, which stays the caller's, must not
 * change until the survey is freed. Returns 0, -ENOMEM, or -EINVAL for more users, groups or
 * projects than any file can have.
 */
struct snap_survey;
int snap_survey_new(const struct snap_source *src, struct snap_survey **ret);
void snap_survey_free(struct snap_survey *s);

/*
 * Write one kind of snapshot to fd (an empty regular file opened for reading and writing) and
 * fsync it. Peak memory: the tables and what groups and projects take, and a little. Returns 0 or
 * -errno; -EINVAL for input that breaks a limit of this kind (a name, an id outside the range, an
 * entry over 16 kB, a duplicate).
 */
int snap_write_surveyed(int fd, enum snap_kind kind, const struct snap_survey *s);
/* The same for one kind alone. */
int snap_write(int fd, enum snap_kind kind, const struct snap_source *src);

/*
 * Publish what "write" produced in folder dirfd under "name": the old file is hard-linked aside,
 * "tmpname" (complete and fsynced, in the same folder) is renamed over it, the folder is fsynced,
 * the old file's header is marked superseded, and the link aside is removed. After a crash at any
 * step, snap_publish_recover() leaves one complete file under "name" and every older one marked.
 * Returns 0 or -errno; on failure the old generation is still the published one.
 */
int snap_publish(int dirfd, const char *tmpname, const char *name);
int snap_publish_recover(int dirfd, const char *name);

/* ---- the reader ------------------------------------------------------------------------- */

struct snap {
	const uint8_t *base; /* NULL: not open */
	size_t size;
};

enum snap_open_flags {
	SNAP_ROOT_OWNED = 1u << 0, /* -EPERM unless root owns it and nobody else may write */
	SNAP_VERIFY = 1u << 1,	   /* check the checksum of the whole body too (agent, doctor) */
};

/*
 * Map a snapshot read-only. Returns 0, -ENOENT, -EPERM, -EBADMSG (not a snapshot of this kind and
 * version, truncated, or a bad checksum) or another -errno; *ret is untouched on failure.
 */
int snap_open(const char *path, enum snap_kind kind, unsigned flags, struct snap *ret);
void snap_close(struct snap *s);
void snap_meta(const struct snap *s, struct snap_meta *ret);
bool snap_superseded(const struct snap *s);
size_t snap_count_users(const struct snap *s);

/*
 * Access and keys snapshots. Strings point into the mapping. A record whose own checksum does not
 * match is -EBADMSG: it grants nothing. 0 or -ENOENT otherwise.
 */
struct snap_subject {
	const char *name, *home;
	uint32_t uid;
	uint8_t state;
	uint32_t ngrants;
	uint32_t nkeys;		/* 0 in an access snapshot */
	const uint8_t *record_; /* the reader's own */
	size_t size_;
};

int snap_subject_by_name(const struct snap *s, const char *name, struct snap_subject *ret);
int snap_subject_by_uid(const struct snap *s, uint32_t uid, struct snap_subject *ret);
/* i < ngrants; the project's fields come with it. 0 or -EBADMSG. */
int snap_subject_grant(const struct snap *s, const struct snap_subject *u, uint32_t i,
    struct snap_grant *ret, struct snap_project *ret_project);
/* i < nkeys. 0 or -EBADMSG. */
int snap_subject_key(
    const struct snap *s, const struct snap_subject *u, uint32_t i, struct snap_key *ret);

#endif
