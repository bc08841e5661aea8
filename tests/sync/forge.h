/* SPDX-License-Identifier: MIT */
#ifndef FORGE_H
#define FORGE_H

/*
 * A central service's side of the feed, for tests: it keeps the records of one feed by subject and
 * signs full feeds, deltas, heartbeats and manifests with a key of its own.
 *
 *	static struct forge f;
 *
 *	forge_init(&f, 1, "lab");	  key 1, project "lab"
 *	forge_member(&f, 10001, "alice"); then change f.last and call forge_put() again
 *	forge_full(&f, &msg);		  buf with the signed message
 */
#include "feed/feed.h"
#include "snapshot/snapshot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGE_NOW     INT64_C(1800000000)
#define FORGE_RECORDS 200000
#define FORGE_KEY \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a@b"

static const char *forge_homes = "/efs/home"; /* where people live */

struct forge_record {
	uint8_t type, flags;
	uint32_t subject;
	struct buf whole; /* with its length */
};

struct forge {
	struct feed_signer *signer;
	uint8_t id[FEED_ID_LEN];
	uint8_t host[FEED_ID_LEN];
	uint64_t epoch, revision, manifest;
	int64_t issued, validity;
	uint8_t digest[FEED_DIGEST_LEN];
	struct forge_record *records;
	size_t n;
	char slug[SLUG_MAX + 1];
	struct buf changes; /* records since the last message */
	uint32_t nchanges;
};

__attribute__((unused)) static struct feed_signer *forge_signer(uint8_t number)
{
	uint8_t seed[32] = {number, 1, 2, 3};
	struct feed_signer *s = NULL;

	if (feed_signer_new(seed, &s) < 0)
		abort();
	return s;
}

__attribute__((unused)) static void forge_set(
    struct forge *f, uint8_t type, uint8_t flags, uint32_t subject, const struct buf *body)
{
	struct forge_record *r = NULL;
	/* Where it is when they were added in order, right after the project. */
	size_t guess = f->n > 1 ? subject - f->records[1].subject + 1 : 0;

	if (type == FEED_MEMBER && guess < f->n && f->records[guess].subject == subject)
		r = &f->records[guess];
	for (size_t i = 0; r == NULL && i < f->n && f->n < 5000; i++)
		if (f->records[i].type == type && f->records[i].subject == subject)
			r = &f->records[i];
	if (r == NULL) {
		if (f->n == FORGE_RECORDS)
			abort();
		r = &f->records[f->n++];
		memset(r, 0, sizeof(*r));
		r->type = type;
		r->subject = subject;
		r->flags = FEED_RECORD_DELETED;
		buf_init(&r->whole, FEED_RECORD_MAX);
	}
	if (!(r->flags & FEED_RECORD_DELETED))
		feed_digest_update(f->digest, r->whole.data + 4, r->whole.len - 4, -1);
	buf_clear(&r->whole);
	feed_put_record(&r->whole, type, flags, subject, body ? (const void *)body->data : "",
	    body ? body->len : 0);
	r->flags = flags;
	if (!(flags & FEED_RECORD_DELETED))
		feed_digest_update(f->digest, r->whole.data + 4, r->whole.len - 4, 1);
	buf_add(&f->changes, r->whole.data, r->whole.len);
	f->nchanges++;
}

__attribute__((unused)) static void forge_project(struct forge *f, uint32_t gid, uint8_t state)
{
	struct feed_project p = {.gid_rw = gid, .gid_ro = gid + 1, .state = state};
	struct buf b = BUF_INIT(4096);

	snprintf(p.slug, sizeof(p.slug), "%s", f->slug);
	snprintf(p.name, sizeof(p.name), "The %s project", f->slug);
	snprintf(p.contact, sizeof(p.contact), "Dr. Chen <chen@uni.edu>");
	feed_body_project(&b, &p);
	forge_set(f, FEED_PROJECT, 0, 0, &b);
	buf_free(&b);
}

__attribute__((unused)) static void forge_put(
    struct forge *f, uint32_t uid, const struct feed_member *m)
{
	struct buf b = BUF_INIT(65536);

	feed_body_member(&b, m);
	forge_set(f, FEED_MEMBER, 0, uid, &b);
	buf_free(&b);
}

/* An active member who may log in and write, with one key. */
__attribute__((unused)) static struct feed_member forge_person(const char *name)
{
	struct feed_member m = {.user_state = SNAP_ACTIVE,
	    .state = SNAP_ACTIVE,
	    .perms = SNAP_PERM_LOGIN | SNAP_PERM_WRITE,
	    .nkeys = 1};

	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(m.gecos, sizeof(m.gecos), "%s of the lab", name);
	snprintf(m.home, sizeof(m.home), "%s/%s", forge_homes, name);
	snprintf(m.shell, sizeof(m.shell), "/bin/bash");
	snprintf(m.keys[0].line, sizeof(m.keys[0].line), "%s", FORGE_KEY);
	return m;
}

__attribute__((unused)) static void forge_member(struct forge *f, uint32_t uid, const char *name)
{
	struct feed_member m = forge_person(name);

	forge_put(f, uid, &m);
}

__attribute__((unused)) static void forge_init(struct forge *f, uint8_t key, const char *slug)
{
	memset(f, 0, sizeof(*f));
	f->signer = forge_signer(key);
	f->records = calloc(FORGE_RECORDS, sizeof(*f->records));
	if (f->records == NULL)
		abort();
	memset(f->host, 0xaa, sizeof(f->host));
	memset(f->id, 0x11, sizeof(f->id));
	memcpy(f->id, slug, strlen(slug) < 8 ? strlen(slug) : 8);
	snprintf(f->slug, sizeof(f->slug), "%s", slug);
	f->epoch = f->revision = f->manifest = 1;
	f->issued = FORGE_NOW;
	f->validity = FEED_VALIDITY;
	buf_init(&f->changes, FEED_MESSAGE_MAX);
	forge_project(f, GID_FIRST + 16, SNAP_ACTIVE);
}

__attribute__((unused)) static void forge_free(struct forge *f)
{
	for (size_t i = 0; i < f->n; i++)
		buf_free(&f->records[i].whole);
	free(f->records);
	buf_free(&f->changes);
	feed_signer_free(f->signer);
}

__attribute__((unused)) static void forge_sign(struct forge *f, uint8_t kind, uint64_t from,
    const struct buf *records, uint32_t n, struct buf *out)
{
	struct feed_header h = {
	    .kind = kind,
	    .epoch = f->epoch,
	    .from = from,
	    .to = kind == FEED_MANIFEST ? f->manifest : f->revision,
	    .issued_at = f->issued,
	    .valid_until = f->issued + f->validity,
	    .nrecords = n,
	};

	memcpy(h.id, kind == FEED_MANIFEST ? f->host : f->id, FEED_ID_LEN);
	if (kind != FEED_MANIFEST)
		memcpy(h.digest, f->digest, FEED_DIGEST_LEN);
	buf_free(out);
	buf_init(out, FEED_MESSAGE_MAX);
	if (feed_sign(f->signer, &h, records->data, records->len, out) < 0)
		abort();
}

__attribute__((unused)) static void forge_full(struct forge *f, struct buf *out)
{
	struct buf all = BUF_INIT(FEED_MESSAGE_MAX);
	uint32_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (f->records[i].flags & FEED_RECORD_DELETED)
			continue;
		buf_add(&all, f->records[i].whole.data, f->records[i].whole.len);
		n++;
	}
	forge_sign(f, FEED_FULL, 0, &all, n, out);
	buf_free(&all);
	buf_clear(&f->changes);
	f->nchanges = 0;
}

/* What has changed since the last message, as the next revision. */
__attribute__((unused)) static void forge_delta(struct forge *f, struct buf *out)
{
	f->revision++;
	forge_sign(f, FEED_DELTA, f->revision - 1, &f->changes, f->nchanges, out);
	buf_clear(&f->changes);
	f->nchanges = 0;
}

__attribute__((unused)) static void forge_heartbeat(struct forge *f, struct buf *out)
{
	struct buf none = BUF_INIT(16);

	forge_sign(f, FEED_DELTA, f->revision, &none, 0, out);
	buf_free(&none);
}

/* The manifest of a host that has the projects of these forges; f signs. "next" may be NULL. */
__attribute__((unused)) static void forge_manifest(struct forge *f, struct forge *const *of,
    size_t n, const struct feed_next_key *next, struct buf *out)
{
	struct buf records = BUF_INIT(65536), body = BUF_INIT(4096);

	for (size_t i = 0; i < n; i++) {
		struct feed_contents c = {.slug = ""};

		memcpy(c.id, of[i]->id, FEED_ID_LEN);
		memcpy(c.slug, of[i]->slug, sizeof(c.slug));
		buf_clear(&body);
		feed_body_contents(&body, &c);
		feed_put_record(&records, FEED_CONTENTS, 0, (uint32_t)i, body.data, body.len);
	}
	if (next != NULL) {
		buf_clear(&body);
		feed_body_next_key(&body, next);
		feed_put_record(&records, FEED_NEXT_KEY, 0, 0, body.data, body.len);
	}
	forge_sign(f, FEED_MANIFEST, 0, &records, (uint32_t)n + (next != NULL), out);
	buf_free(&records);
	buf_free(&body);
}

#endif
