/* SPDX-License-Identifier: MIT */
#ifndef MEMBER_H
#define MEMBER_H

/*
 * Memberships of projects. A row stays for ever: a person who is removed keeps it, so that hosts go
 * on knowing the name of their files' owner and when they left. The state that counts is computed:
 * an active one whose not_after has come is expired, to the second, swept or not.
 */
#include "domain.h"
#include "role.h"
#include "user.h"

enum member_state { MEMBER_ACTIVE, MEMBER_SUSPENDED, MEMBER_EXPIRED, MEMBER_REMOVED };

struct member {
	int64_t id, user, uid, project;
	struct role role;
	enum member_state state;
	int64_t not_after, joined_at, ended_at;
	char username[USERNAME_MAX + 1];
	char name[GECOS_MAX + 1];
	char email[EMAIL_MAX + 1];
	char joined_via[16];
};

/* The membership of this user (by id, or by name where user is 0). 0, -ENOENT or -errno. */
int member_get(struct tx *t, int64_t project, int64_t user, const char *username, int64_t now,
    struct member *ret);
json_t *member_json(const struct member *m);

/* Where a membership comes from. */
struct member_origin {
	const char *via; /* created, invitation, direct */
	int64_t source;	 /* the invitation, or 0 */
};
/*
 * Make the person a member, or bring a removed or expired member back. 0, -EEXIST when they are an
 * active or suspended one, or -errno. Touches the feed.
 */
int member_join(struct tx *t, int64_t project, int64_t user, int64_t role,
    const struct member_origin *from, int64_t now);

/* Handlers. */
void member_list(struct request *rq, struct reply *rp);
void member_patch(struct request *rq, struct reply *rp);
void member_delete(struct request *rq, struct reply *rp);
void member_suspend(struct request *rq, struct reply *rp);
void member_resume(struct request *rq, struct reply *rp);

#endif
