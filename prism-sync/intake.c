/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "base/io.h"
#include "intake.h"
#include "journal.h"

#define MANIFEST_MAX  (1u << 20)
/* A feed's journal is begun anew when it has grown past twice its first frame and this. */
#define JOURNAL_SLACK (1u << 20)

/* ---- writing down ---------------------------------------------------------------------------- */

/* A renewal is worth a write when it adds at least 1/64 of the validity. */
static bool worth_writing(int64_t saved, const struct feed_header *h)
{
	return h->valid_until - saved >= (h->valid_until - h->issued_at) / 64;
}

static int save_manifest(
    struct intake *in, const struct feed_header *h, const void *msg, size_t len)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/manifest", in->trust->dir);
	int rc = io_replace_file(path, msg, len, 0600, (uid_t)-1, (gid_t)-1);

	in->manifest_dirty = rc < 0;
	if (rc == 0)
		in->manifest_saved = h->valid_until;
	return rc;
}

static int save_pins(struct intake *in)
{
	int rc = trust_save_pins(in->trust);

	in->pins_changed = true;
	in->pins_dirty = rc < 0;
	return rc;
}

static int save_feed(struct intake *in, struct feed *f, const struct feed_header *h, int applied,
    const void *msg, size_t len)
{
	size_t size;
	int rc;

	if (applied == APPLY_RENEWED && !worth_writing(f->journal_valid_until, h))
		return 0;
	if (h->kind == FEED_FULL && applied != APPLY_CHANGED_HELD)
		rc = journal_replace(in->dirfd, f->id, msg, len, &size);
	else
		rc = journal_append(in->dirfd, f->id, msg, len, &size);
	if (rc == -ENOENT && applied == APPLY_CHANGED_HELD)
		rc = journal_replace(in->dirfd, f->id, msg, len, &size);
	if (rc < 0) {
		/* What is in memory counts. A full feed will put the file right again. */
		f->want_full = true;
		return rc;
	}
	if (h->kind == FEED_FULL)
		f->journal_full = size;
	f->journal_size = size;
	f->journal_valid_until = h->valid_until;
	if (size > 2 * f->journal_full + JOURNAL_SLACK)
		f->want_full = true;
	return 0;
}

static void journal_dropped(void *arg, const struct feed *f)
{
	struct intake *in = arg;

	journal_remove(in->dirfd, f->id);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int take_announcements(struct intake *in, const struct feed_header *h, struct wire records)
{
	struct feed_record r;
	int changed = 0;

	while (feed_next(&records, &r) > 0) {
		struct feed_next_key next;

		if (r.type == FEED_NEXT_KEY && !(r.flags & FEED_RECORD_DELETED) &&
		    feed_parse_next_key(&r, &next) == 0)
			changed |= trust_announce(in->trust, h->key_id, &next);
	}
	return changed;
}

static int take_manifest(struct intake *in, const struct feed_header *h, struct wire records,
    const void *msg, size_t len)
{
	int rc = model_apply_manifest(in->model, h, records, journal_dropped, in);

	if (rc <= 0)
		return rc;
	if (take_announcements(in, h, records) || in->pins_dirty)
		in->persist_error = save_pins(in);
	if (rc != APPLY_RENEWED || in->manifest_dirty || worth_writing(in->manifest_saved, h)) {
		int error = save_manifest(in, h, msg, len);

		in->persist_error = error < 0 ? error : in->persist_error;
	}
	return rc;
}

static int take_feed(struct intake *in, const struct feed_header *h, struct wire records,
    const void *msg, size_t len)
{
	int rc = model_apply_feed(in->model, h, records);

	if (rc > 0)
		in->persist_error = save_feed(in, model_feed(in->model, h->id), h, rc, msg, len);
	return rc;
}

/* From the first message of the new key on, the old one signs nothing new: renew the journals. */
static int promote(struct intake *in, const struct feed_header *h)
{
	if (!trust_promote(in->trust, h->key_id))
		return 0;
	for (size_t i = 0; i < in->model->nfeeds; i++)
		in->model->feeds[i].want_full = true;
	in->manifest_dirty = true;
	return save_pins(in);
}

/*
 * A message from far ahead of a clock that is not known to be behind: its time would be this host's
 * from then on, and once the service's clock was right again all it says would have run out.
 */
static bool far_ahead(const struct trust *t, const struct feed_header *h, int64_t now)
{
	return t->issued_at > 0 && now >= t->issued_at &&
	       h->issued_at - now > (h->valid_until - h->issued_at) / 2;
}

int intake_message(
    struct intake *in, uint8_t *room, size_t len, int64_t now, struct feed_header *ret)
{
	const uint8_t *msg = room + FEED_HEADROOM;
	int64_t clock = now;
	struct feed_trust keys;
	struct feed_header h;
	struct wire records;

	if (now < in->trust->issued_at)
		now = in->trust->issued_at;
	trust_keys(in->trust, now, false, &keys);
	int rc = feed_open_at(&keys, room, len, &h, &records);

	if (rc < 0)
		return rc;
	*ret = h;
	if (trust_check(in->trust, h.id, h.epoch, h.to) < 0)
		return -ESTALE;
	if (far_ahead(in->trust, &h, clock))
		return -ETIME;
	in->persist_error = 0;
	if (h.kind == FEED_MANIFEST)
		rc = take_manifest(in, &h, records, msg, len);
	else
		rc = take_feed(in, &h, records, msg, len);
	if (rc <= 0)
		return rc;
	int promoted = promote(in, &h);

	if (promoted < 0)
		in->persist_error = promoted;
	if (trust_raise(in->trust, h.id, h.epoch, h.to, h.issued_at) < 0)
		return -ENOMEM;
	return rc;
}

/* ---- letting go ------------------------------------------------------------------------------ */

/* A frame of this host's own in a journal: the magic, then u32 uids. No message begins like that.
 */
static const char release_magic[8] = "PRSMREL1";

static size_t let_go(struct model *m, struct feed *f, struct wire uids)
{
	size_t n = 0;

	while (wire_left(&uids) >= 4)
		n += model_let_go(m, f, wire_u32(&uids));
	return n;
}

static int release_feed(struct intake *in, struct feed *f, const char *name, size_t *n)
{
	_cleanup_buf_ struct buf b = BUF_INIT(sizeof(release_magic) + 4 * f->nheld);
	struct wire w;

	buf_add(&b, release_magic, sizeof(release_magic));
	for (size_t i = 0; i < f->nslots; i++) {
		const struct record *r = f->slots[i];

		if (r != NULL && r->flags & RECORD_HELD &&
		    (name[0] == '\0' || (r->size > 0 && strcmp(r->text, name) == 0)))
			wire_put_u32(&b, r->subject);
	}
	if (buf_error(&b) != 0 || b.len == sizeof(release_magic))
		return buf_error(&b);
	int rc = journal_append(in->dirfd, f->id, b.data, b.len, &f->journal_size);

	/* Without a journal a restart has nobody to hold. */
	if (rc < 0 && rc != -ENOENT)
		return rc;
	wire_init(&w, b.data + sizeof(release_magic), b.len - sizeof(release_magic));
	*n += let_go(in->model, f, w);
	return 0;
}

int intake_release(struct intake *in, const char *name, size_t *ret_n)
{
	int rc = 0;

	*ret_n = 0;
	for (size_t i = 0; rc == 0 && i < in->model->nfeeds; i++)
		if (in->model->feeds[i].nheld > 0)
			rc = release_feed(in, &in->model->feeds[i], name, ret_n);
	return rc;
}

/* ---- after a start --------------------------------------------------------------------------- */

struct replay {
	struct intake *in;
	struct feed *feed;
	const struct feed_trust *keys;
};

static int replay_one(void *arg, const void *msg, size_t len)
{
	struct replay *rp = arg;
	struct feed_header h;
	struct wire records;

	if (len >= sizeof(release_magic) &&
	    memcmp(msg, release_magic, sizeof(release_magic)) == 0) {
		wire_init(&records, (const uint8_t *)msg + sizeof(release_magic),
		    len - sizeof(release_magic));
		let_go(rp->in->model, rp->feed, records);
		return 0;
	}
	int rc = feed_open(rp->keys, msg, len, &h, &records);

	if (rc < 0)
		return rc;
	if (h.kind == FEED_MANIFEST || memcmp(h.id, rp->feed->id, FEED_ID_LEN) != 0)
		return -EXDEV;
	rc = model_apply_feed(rp->in->model, &h, records);
	if (rc < 0)
		return rc;
	if (h.kind == FEED_FULL)
		rp->feed->journal_full = len + 4;
	rp->feed->journal_valid_until = h.valid_until;
	return trust_raise(rp->in->trust, h.id, h.epoch, h.to, h.issued_at);
}

static int replay_manifest(struct intake *in, const struct feed_trust *keys)
{
	_cleanup_buf_ struct buf b = BUF_INIT(MANIFEST_MAX);
	struct feed_header h;
	struct wire records;
	char path[600];

	snprintf(path, sizeof(path), "%s/manifest", in->trust->dir);
	int rc = io_read_private(path, 0, 077, &b);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (feed_open(keys, b.data, b.len, &h, &records) < 0 || h.kind != FEED_MANIFEST)
		return 0;
	rc = model_apply_manifest(in->model, &h, records, journal_dropped, in);
	if (rc > 0) {
		in->manifest_saved = h.valid_until;
		return trust_raise(in->trust, h.id, h.epoch, h.to, h.issued_at);
	}
	return rc == -ENOMEM ? rc : 0;
}

int intake_replay(struct intake *in)
{
	struct feed_trust keys;

	trust_keys(in->trust, 0, true, &keys);
	int rc = replay_manifest(in, &keys);

	for (size_t i = 0; rc >= 0 && i < in->model->nfeeds; i++) {
		struct feed *f = &in->model->feeds[i];
		struct replay rp = {.in = in, .feed = f, .keys = &keys};

		f->want_full = false;
		rc = journal_replay(in->dirfd, f->id, replay_one, &rp, &f->journal_size);
	}
	return rc < 0 ? rc : 0;
}

const char *intake_word(int rc)
{
	static const struct {
		int rc;
		const char *word;
	} words[] = {
	    {-EBADMSG, "malformed-or-wrong-digest"},
	    {-ENOKEY, "unknown-key"},
	    {-EKEYREJECTED, "bad-signature"},
	    {-ESTALE, "rollback"},
	    {-EXDEV, "not-for-this-host"},
	    {-EAGAIN, "gap"},
	    {-ETIME, "from-the-future"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].rc == rc)
			return words[i].word;
	return "error";
}
