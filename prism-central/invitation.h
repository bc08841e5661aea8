/* SPDX-License-Identifier: MIT */
#ifndef INVITATION_H
#define INVITATION_H

/*
 * Invitations by address. The secret is in the token alone: the database keeps its SHA-256, lists
 * never show it, a resend makes a new one. What state an invitation is in is computed at reading:
 * pending ones whose time has come are expired; pending ones whose sender may no longer give that
 * role, or whose project is archived, are revoked.
 */
#include "api/token.h"
#include "role.h"
#include "user.h"

#define INVITATION_SECONDS     (7 * 86400)
#define INVITATION_SECONDS_MAX (90 * 86400)
#define INVITATION_SECONDS_MIN 60
#define INVITATION_MESSAGE_MAX 1000 /* characters */
#define INVITATION_RESEND_GAP  60   /* seconds between two resendings */

struct invitation {
	int64_t id, project, org, invited_by;
	int64_t created_at, expires_at, sent_at, answered_at, resend_count;
	struct role role;
	char project_slug[SLUG_MAX + 1];
	char project_name[GECOS_MAX + 1];
	char email[EMAIL_MAX + 1];
	char canonical[EMAIL_MAX + 1];
	char state[16]; /* computed, see above */
	char inviter[GECOS_MAX + 1];
	char message[4 * INVITATION_MESSAGE_MAX + 1];
};

/* By id, within a project (0: any), or by the hash of the secret. 0, -ENOENT or -errno. */
int invitation_get(struct tx *t, int64_t id, int64_t project, int64_t now, struct invitation *ret);
int invitation_by_hash(struct tx *t, const char *hash, int64_t now, struct invitation *ret);
/* 1 if this canonical address has a pending one, 0 if it has none, or -errno. */
int invitation_awaits(struct tx *t, const char *canonical, int64_t now);
json_t *invitation_json(const struct invitation *i);
/* Why it cannot be answered; API_OK while it is pending. */
enum api_error invitation_error(const struct invitation *i);

/*
 * The pending invitations of a person whose rank is now "rank" (-1: may not invite any more) in the
 * project (0: in all) die. 0 or -errno.
 */
int invitation_revoke_of(struct tx *t, int64_t project, int64_t inviter, int rank, int64_t now);

/* Handlers of the senders. */
void invitation_post(struct request *rq, struct reply *rp);
void invitation_list(struct request *rq, struct reply *rp);
void invitation_revoke(struct request *rq, struct reply *rp);
void invitation_resend(struct request *rq, struct reply *rp);
/* Handlers of the invited (invitation_answer.c). */
void invitation_mine(struct request *rq, struct reply *rp);
void invitation_lookup(struct request *rq, struct reply *rp);
void invitation_accept(struct request *rq, struct reply *rp);
void invitation_decline(struct request *rq, struct reply *rp);

#endif
