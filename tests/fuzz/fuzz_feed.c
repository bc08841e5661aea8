/* SPDX-License-Identifier: MIT */
/* with: prism-sync.a */

/*
 * What the root half does with bytes of a feed once their signature holds: the input is signed here
 * with a pinned key, so that the fuzzer reaches behind the signature. The first byte says how the
 * rest is used: as a whole message, or as records of a full feed and a delta whose digest fits.
 */
#include <stdlib.h>
#include <string.h>
#include "prism-sync/compile.h"
#include "prism-sync/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct feed_signer *signer;
static struct feed_trust trust;
static const uint8_t feed_id[FEED_ID_LEN] = {1};

static void setup(void)
{
	uint8_t seed[32] = {1};

	if (signer != NULL)
		return;
	if (feed_signer_new(seed, &signer) < 0)
		abort();
	memcpy(trust.keys[0], feed_signer_public(signer), FEED_KEY_LEN);
	trust.nkeys = 1;
}

static void raw(const uint8_t *data, size_t size)
{
	struct feed_header h;
	struct feed_record r;
	struct wire w;

	if (feed_open(&trust, data, size, &h, &w) == 0)
		while (feed_next(&w, &r) > 0)
			continue;
}

static void manifest(struct model *m)
{
	struct buf body = BUF_INIT(4096), records = BUF_INIT(4096);
	struct feed_contents c = {.slug = "lab"};
	struct feed_header h = {.kind = FEED_MANIFEST,
	    .epoch = 1,
	    .to = 1,
	    .issued_at = 5,
	    .valid_until = 9,
	    .nrecords = 1};
	struct wire w;

	memcpy(c.id, feed_id, sizeof(c.id));
	feed_body_contents(&body, &c);
	feed_put_record(&records, FEED_CONTENTS, 0, 0, body.data, body.len);
	wire_init(&w, records.data, records.len);
	if (model_apply_manifest(m, &h, w, NULL, NULL) < 0)
		abort();
	buf_free(&body);
	buf_free(&records);
}

static void look(struct model *m)
{
	struct config c;
	struct local l = {.round = 1};
	struct compiled out;

	config_defaults(&c);
	if (compile(m, &c, &l, 1, 6, &out) == 0) {
		for (size_t i = 0; i < out.source.nusers; i++)
			for (size_t k = 1; k < out.users[i].ngroups; k++)
				if (out.users[i].groups[k - 1] >= out.users[i].groups[k])
					abort();
		compiled_release(&out);
	}
}

/* The records of the input, under a digest that is made to fit. */
static void apply(struct model *m, uint8_t kind, uint64_t to, const uint8_t *data, size_t size)
{
	struct feed_header h = {
	    .kind = kind, .epoch = 1, .to = to, .issued_at = 5 + (int64_t)to, .valid_until = 99};
	const struct feed *f = model_feed(m, feed_id);
	struct buf msg = BUF_INIT(1 << 20);
	struct feed_record r;
	struct wire w;

	memcpy(h.id, feed_id, sizeof(h.id));
	if (kind == FEED_DELTA) {
		h.from = f->revision;
		memcpy(h.digest, f->digest, sizeof(h.digest));
	}
	wire_init(&w, data, size);
	while (feed_next(&w, &r) > 0) {
		const struct record *old =
		    kind == FEED_DELTA ? feed_find(f, r.type, r.subject) : NULL;

		h.nrecords++;
		if (old != NULL && !(old->flags & RECORD_HELD))
			feed_digest_mix(h.digest, old->hash, -1);
		if (!(r.flags & FEED_RECORD_DELETED))
			feed_digest_update(h.digest, r.whole, r.whole_len, 1);
	}
	if (feed_sign(signer, &h, data, size, &msg) == 0 &&
	    feed_open(&trust, msg.data, msg.len, &h, &w) == 0)
		model_apply_feed(m, &h, w);
	buf_free(&msg);
	look(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t host[FEED_ID_LEN];
	struct model m;

	setup();
	if (size < 3)
		return 0;
	if (data[0] == 'M') {
		raw(data + 1, size - 1);
		return 0;
	}
	size_t first = (data[1] | (size_t)data[2] << 8) % size;

	data += 3;
	size -= 3;
	if (first > size)
		first = size;
	model_init(&m, host);
	manifest(&m);
	apply(&m, FEED_FULL, 1, data, first);
	apply(&m, FEED_DELTA, 2, data + first, size - first);
	apply(&m, FEED_FULL, 3, data + first, size - first);
	model_release(&m);
	return 0;
}
