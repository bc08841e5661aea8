/* SPDX-License-Identifier: MIT */
#ifndef AUDIT_H
#define AUDIT_H

/*
 * The audit chain. Every write appends one event in its own transaction.
 *
 * hash = SHA-256(prev_hash as 32 bytes || canonical bytes of the row), where the canonical bytes
 * are u64 seq, i64 at, and as "str" (base/wire.h) actor, action, object, i64 project, and again as
 * "str" request id, peer, detail. detail is JSON with its keys sorted, compact. audit_head holds
 * the last row's seq and hash, so that a tail that was cut off shows as well.
 */
#include "http.h"

#define AUDIT_DETAIL_MAX 16384

/*
 * Append an event. Who did it, from where, in which project and request comes from rq; NULL,
 * or one without a peer: the actor is "system". "object" names what it was done to:
 * "project:genomics". Takes over the reference to detail (an object, never with a secret in it;
 * NULL: nothing to tell). 0 or -errno.
 */
int audit_append(
    struct tx *t, const struct request *rq, const char *action, const char *object, json_t *detail);
/* The same with the object's kind and id or name apart. */
int audit_object(struct tx *t, const struct request *rq, const char *action, const char *kind,
    const char *name, json_t *detail);

struct audit_report {
	int64_t rows; /* that were read */
	int64_t bad;  /* seq of the first that does not fit; 0: none */
	char
	    head[65]; /* hash of the last good one: keep it elsewhere to notice a rewritten chain */
	char why[128]; /* a sentence, where something does not fit */
};

/* Walk the whole chain. 0 (see ret->bad, ret->why), or -errno when it could not be read. */
int audit_verify(struct store *db, struct audit_report *ret);

/* GET /api/v1/audit */
void audit_list(struct request *rq, struct reply *rp);

#endif
