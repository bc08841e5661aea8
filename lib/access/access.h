/* SPDX-License-Identifier: MIT */
#ifndef ACCESS_H
#define ACCESS_H

/*
 * The access decision: may this person use this host now? One pure function over a snapshot, used
 * by pam_prism (account), prism-keys, and whoever explains a decision. libc only; no I/O, no clock.
 *
 * MUST: deny whatever it does not understand; deny at now >= not_after, to the second, without
 * leeway; take for "now" the later of the caller's clock and the snapshot's issued_at; grant only
 * through a grant that is active, in an active project, of an active person, and carries
 * SNAP_PERM_LOGIN.
 */
#include <stdint.h>
#include "snapshot/snapshot.h"

enum access_verdict {
	ACCESS_ALLOW,
	ACCESS_DENY,	/* ours, and refused; "reason" says why */
	ACCESS_UNKNOWN, /* not in the snapshot */
};

enum access_reason {
	ACCESS_OK,
	ACCESS_NOT_LISTED,	 /* no such subject here */
	ACCESS_BAD_RECORD,	 /* the record is damaged */
	ACCESS_STALE,		 /* the snapshot's validity has run out */
	ACCESS_USER_SUSPENDED,	 /* the account, everywhere */
	ACCESS_USER_ENDED,	 /* the account was closed */
	ACCESS_REFUSED_LOCALLY,	 /* this host refuses the subject */
	ACCESS_SUSPENDED,	 /* the membership */
	ACCESS_ENDED,		 /* the membership was removed */
	ACCESS_EXPIRED,		 /* not_after has passed */
	ACCESS_PROJECT_INACTIVE, /* paused or archived */
	ACCESS_NO_LOGIN,	 /* the role does not include hosts:login */
	ACCESS_SSO_STALE,	 /* the project asks for a more recent SSO login (sshd only) */
};

struct access_result {
	enum access_verdict verdict;
	enum access_reason reason;
	uint32_t uid;	/* of the snapshot's record, which getpwnam's must be; 0 if it has none */
	uint32_t perms; /* union over the grants that hold now */
	int64_t when;	/* of the refusal: ended_at, not_after, valid_until; 0 if unknown */
	const char *name, *home;       /* into the mapping; NULL if unknown */
	const char *project, *contact; /* of the grant that decides; NULL if none does */
};

/*
 * "service" is PAM's: it decides only whether sso_max_age applies (sshd: yes). Of several grants
 * one that holds is enough. Of several refusals the result has the one that the person can do most
 * about: SSO_STALE, then a role without login, a paused project, the most recent end.
 */
void access_decide(const struct snap *s, const char *user, const char *service, int64_t now,
    struct access_result *ret);

/*
 * The same for somebody who has just logged in through SSO: in the projects of these slugs the
 * login is fresh, whatever the snapshot says. NULL-terminated, or NULL: none.
 */
void access_decide_fresh(const struct snap *s, const char *user, const char *service, int64_t now,
    const char *const *fresh, struct access_result *ret);

/*
 * One sentence for the person, without a newline, that says what to do next: "Your membership in
 * genomics-lab ended on 3 May 2026; ask Dr. Chen." Control characters of names are dropped.
 * Always terminated; returns the length it wanted.
 */
#define ACCESS_SENTENCE_MAX 512
size_t access_explain(const struct access_result *r, char *out, size_t size);

#endif
