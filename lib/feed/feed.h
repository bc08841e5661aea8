/* SPDX-License-Identifier: MIT */
#ifndef FEED_H
#define FEED_H

/*
 * The signed change feed: this header is its specification.
 *
 * An answer to a host's poll is a sequence of FRAMES, each: u32 length, then that many bytes of one
 * signed MESSAGE. Integers are little-endian; "str" is u16 length and UTF-8 without NUL
 * (base/wire.h). Every message ends in a 64-byte Ed25519 signature (RFC 8032) over
 *
 *	"prism-feed-v1\0" || all bytes of the message before the signature
 *
 * so the exact bytes sent are what is signed; there is no canonical form to rebuild. The receiver
 * checks the signature before it looks at anything but the magic and the key id.
 *
 * MESSAGE
 *	8 bytes	 magic "PRSMFED1"
 *	u8	 kind: FEED_FULL, FEED_DELTA, FEED_MANIFEST
 *	u8[3]	 zero
 *	u8[16]	 key id: the first 16 bytes of SHA-256 of the signing public key (32 raw bytes)
 *	u8[16]	 feed id (a project's), or host id for a manifest
 *	u64	 epoch: begins at 1; a restored backup starts the next one
 *	u64	 from revision: 0 for a full feed; a delta applies to exactly this one
 *	u64	 to revision; a heartbeat is a delta whose from equals its to and that has no
 *records u8[32]	 digest of all records at "to" (below); zero in a manifest i64 issued_at,
 *UTC seconds i64	 valid_until, UTC seconds u32	 number of records RECORD... u8[64]
 *signature
 *
 * RECORD
 *	u32	 length of what follows
 *	u8	 type: enum feed_type
 *	u8	 flags: bit 0 deleted (the subject is gone without a trace kept: a tombstone)
 *	u16	 version of this record's body: 1
 *	u32	 subject: the uid of a member, the gid of a group, 0 for the project
 *	body	 by type, see the structs below, fields in their order
 *
 * A record of an unknown type or version, or one whose body does not parse, denies its subject and
 * nothing else. Fields may be added at the end of a body of the same version: a reader ignores what
 * it does not know there.
 *
 * DIGEST: the sum modulo 2^256 (32 bytes, little-endian) of SHA-256(record without its length) over
 * all records that are not deleted. Order does not matter, and one change costs two hashes, so a
 * full feed and a chain of deltas can be proven equal. Its trust comes from the signature.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/name.h"
#include "base/wire.h"

#define FEED_MAGIC	  "PRSMFED1"
#define FEED_CONTEXT	  "prism-feed-v1" /* with its NUL */
#define FEED_HEADROOM	  sizeof(FEED_CONTEXT)
#define FEED_KEY_LEN	  32
#define FEED_KEY_ID_LEN	  16
#define FEED_ID_LEN	  16
#define FEED_DIGEST_LEN	  32
#define FEED_SIG_LEN	  64
#define FEED_MESSAGE_MAX  (512u << 20)
#define FEED_RECORD_MAX	  (256u << 10)
#define FEED_VALIDITY	  (7 * 24 * 3600) /* default seconds */
#define FEED_KEYS_MAX	  16		  /* keys of one member */
#define FEED_MANIFEST_MAX 64		  /* projects of one host */

enum feed_kind { FEED_FULL = 1, FEED_DELTA = 2, FEED_MANIFEST = 3 };

enum feed_type {
	FEED_PROJECT = 1,
	FEED_MEMBER = 2,
	FEED_GROUP = 3,	    /* a named group of people, g-SLUG */
	FEED_CONTENTS = 16, /* manifest: one of the host's projects */
	FEED_NEXT_KEY = 17, /* manifest: the key that signs next */
};

#define FEED_RECORD_DELETED 1u

struct feed_header {
	uint8_t kind;
	uint8_t key_id[FEED_KEY_ID_LEN];
	uint8_t id[FEED_ID_LEN];
	uint64_t epoch, from, to;
	uint8_t digest[FEED_DIGEST_LEN];
	int64_t issued_at, valid_until;
	uint32_t nrecords;
};

struct feed_record {
	uint8_t type, flags;
	uint16_t version;
	uint32_t subject;
	const uint8_t *body;
	size_t body_len;
	const uint8_t *whole; /* type..body: what the digest hashes */
	size_t whole_len;
};

/* Body of FEED_PROJECT. */
struct feed_project {
	char slug[SLUG_MAX + 1];
	char name[GECOS_MAX + 1];
	char contact[GECOS_MAX + 1]; /* whom a refused person should ask */
	uint8_t state;		 /* enum snap_state: active, suspended (paused), ended (archived) */
	uint32_t gid_rw, gid_ro; /* of p-SLUG and p-SLUG-ro */
	uint32_t sso_max_age;	 /* seconds, 0: not asked for */
};

struct feed_key {
	int64_t not_after; /* 0: none */
	char line[SSHKEY_LINE_MAX + 1];
};

/* Body of FEED_MEMBER; the keys are u16 count, then i64 not_after and str line each. */
struct feed_member {
	char name[USERNAME_MAX + 1];
	char gecos[GECOS_MAX + 1];
	char home[256];
	char shell[256];
	uint8_t user_state; /* enum snap_state, of the account */
	uint8_t state;	    /* enum snap_state, of the membership */
	uint32_t perms;	    /* enum snap_perm */
	int64_t not_after, ended_at, sso_at;
	uint16_t nkeys;
	struct feed_key keys[FEED_KEYS_MAX];
};

/* Body of FEED_GROUP: str slug, u32 count, u32 uid each. */
struct feed_group {
	char slug[SLUG_MAX + 1];
	uint32_t nmembers;
	const uint8_t *members; /* little-endian uids, in place */
};

/* Body of FEED_CONTENTS. */
struct feed_contents {
	uint8_t id[FEED_ID_LEN];
	char slug[SLUG_MAX + 1];
};

/*
 * Body of FEED_NEXT_KEY. It stands in every manifest while a change of keys is under way, and
 * counts only where the current key signed it: a host pins one next key, the one announced last.
 * The next key signs nothing before not_before. Its first message makes it the current key, and the
 * one before it retired: that opens what a host has written down itself, nothing new, and is
 * forgotten at the following change.
 */
struct feed_next_key {
	uint8_t key[FEED_KEY_LEN];
	int64_t not_before;
};

/* ---- writing --------------------------------------------------------------------------------- */

/* Append one whole record (with its length). The body_ functions write what follows the header. */
void feed_put_record(struct buf *b, uint8_t type, uint8_t flags, uint32_t subject, const void *body,
    size_t body_len);
void feed_body_project(struct buf *b, const struct feed_project *p);
void feed_body_member(struct buf *b, const struct feed_member *m);
void feed_body_group(struct buf *b, const struct feed_group *g);
void feed_body_contents(struct buf *b, const struct feed_contents *c);
void feed_body_next_key(struct buf *b, const struct feed_next_key *k);

struct feed_signer;
/* From 32 raw private bytes (RFC 8032). Returns 0, -ENOMEM or -EINVAL. */
int feed_signer_new(const uint8_t seed[static 32], struct feed_signer **ret);
void feed_signer_free(struct feed_signer *s);
static inline void feed_signer_freep(struct feed_signer **s)
{
	feed_signer_free(*s);
}
const uint8_t *feed_signer_public(const struct feed_signer *s); /* FEED_KEY_LEN bytes */

/*
 * Sign n bytes as they are, for the service's tokens (api/token.h: token_make() takes this function
 * with the signer as its argument). Never confused with a message: a JWS begins with "eyJ", what
 * feed_sign() signs with FEED_CONTEXT. Returns 0 or -EIO.
 */
int feed_signer_sign_raw(void *signer, const void *p, size_t n, uint8_t sig[FEED_SIG_LEN]);

/*
 * Append a signed message made of this header (its key_id is filled in) and records (already
 * encoded by feed_put_record, back to back). Returns 0 or -errno.
 */
int feed_sign(const struct feed_signer *s, const struct feed_header *h, const void *records,
    size_t records_len, struct buf *out);

/* ---- reading --------------------------------------------------------------------------------- */

struct feed_trust { /* the pinned keys of one host */
	uint8_t keys[4][FEED_KEY_LEN];
	size_t nkeys;
};

void feed_key_id(const uint8_t key[static FEED_KEY_LEN], uint8_t id[static FEED_KEY_ID_LEN]);

/*
 * Check what feed_signer_sign_raw() made of these n bytes, by the pinned key of that id. 0, -ENOKEY
 * (no pinned key), -EKEYREJECTED (bad signature) or -ENOMEM.
 */
int feed_verify_raw(const struct feed_trust *trust, const uint8_t key_id[static FEED_KEY_ID_LEN],
    const void *p, size_t n, const uint8_t sig[static FEED_SIG_LEN]);

/*
 * Check the signature against the pinned keys, then read the header; *ret_records reads the
 * records. Returns 0, -EBADMSG (malformed), -ENOKEY (signed by no pinned key), -EKEYREJECTED (bad
 * signature).
 */
int feed_open(const struct feed_trust *trust, const void *msg, size_t len, struct feed_header *ret,
    struct wire *ret_records);

/*
 * The same without a copy of the message, which stands behind "room": FEED_HEADROOM bytes that are
 * overwritten. Ed25519 wants what was signed in one piece, with its context in front.
 */
int feed_open_at(const struct feed_trust *trust, uint8_t *room, size_t len, struct feed_header *ret,
    struct wire *ret_records);

/* The next record. Returns 1, 0 at the end, -EBADMSG when the framing itself is broken. */
int feed_next(struct wire *records, struct feed_record *ret);

/* Parse a body. 0 or -EBADMSG, also for values that base/name.h or an enum forbids. */
int feed_parse_project(const struct feed_record *r, struct feed_project *ret);
int feed_parse_member(const struct feed_record *r, struct feed_member *ret);
int feed_parse_group(const struct feed_record *r, struct feed_group *ret);
int feed_parse_contents(const struct feed_record *r, struct feed_contents *ret);
int feed_parse_next_key(const struct feed_record *r, struct feed_next_key *ret);

/* ---- digest ---------------------------------------------------------------------------------- */

/* SHA-256 of one record without its length. Returns 0, -ENOMEM or -EIO ("out" is then zero). */
int feed_hash(const void *whole, size_t len, uint8_t out[static FEED_DIGEST_LEN]);

/* Add (sign > 0) or take away one such hash. */
void feed_digest_mix(
    uint8_t digest[static FEED_DIGEST_LEN], const uint8_t hash[static FEED_DIGEST_LEN], int sign);

/* Both at once. A failure of the hash leaves the digest as it was: it then matches nobody's. */
void feed_digest_update(
    uint8_t digest[static FEED_DIGEST_LEN], const void *whole, size_t len, int sign);

#endif
