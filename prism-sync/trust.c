/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/encode.h"
#include "base/io.h"
#include "base/num.h"
#include "trust.h"

#define TRUST_FILE_MAX	 (1u << 20)
#define TRUST_FLOORS_MAX 4096

struct line {
	char *words[4];
	size_t n;
};

/* One line of at most four words between single spaces; empty ones end the list. */
static bool line_next(char **text, struct line *ret)
{
	char *at = strsep(text, "\n");

	ret->n = 0;
	if (at == NULL || *at == '\0')
		return false;
	for (char *w; ret->n < ARRAY_SIZE(ret->words) && (w = strsep(&at, " ")) != NULL;)
		ret->words[ret->n++] = w;
	return true;
}

static bool read_hex(const char *s, uint8_t *out, size_t n)
{
	return strlen(s) == HEX_LEN(n) && hex_decode(s, strlen(s), out, n) == (ssize_t)n;
}

static int read_key(struct trust *t, const struct line *l)
{
	static const struct {
		const char *word;
		enum trust_role role;
	} roles[] = {{"current", TRUST_CURRENT}, {"next", TRUST_NEXT}, {"retired", TRUST_RETIRED}};
	struct trust_key k = {.role = 0};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(l->words[1], roles[i].word) == 0)
			k.role = (uint8_t)roles[i].role;
	if (k.role == 0 || t->nkeys == ARRAY_SIZE(t->keys) ||
	    !read_hex(l->words[2], k.key, sizeof(k.key)) ||
	    num_parse_i64(l->words[3], &k.not_before) < 0)
		return -EBADMSG;
	t->keys[t->nkeys++] = k;
	return 0;
}

static int read_url(struct trust *t, const char *url)
{
	if (*url == '\0' || strlen(url) >= sizeof(t->url))
		return -EBADMSG;
	memcpy(t->url, url, strlen(url) + 1);
	return 0;
}

bool trust_name_ok(const char *name)
{
	static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.";
	const size_t n = strlen(name);

	return n > 0 && n < sizeof(((struct trust *)0)->name) && strspn(name, taken) == n;
}

static int read_name(struct trust *t, const char *name)
{
	if (!trust_name_ok(name))
		return -EBADMSG;
	memcpy(t->name, name, strlen(name) + 1);
	return 0;
}

static int read_host(struct trust *t, const char *hex)
{
	return read_hex(hex, t->host_id, sizeof(t->host_id)) ? 0 : -EBADMSG;
}

/* One that is malformed is none. */
static int read_recovery(struct trust *t, const char *hex)
{
	read_hex(hex, t->recovery_id, sizeof(t->recovery_id));
	return 0;
}

static int read_word(struct trust *t, const struct line *l)
{
	static const struct {
		const char *word;
		int (*read)(struct trust *t, const char *value);
	} words[] = {{"host", read_host}, {"recovery", read_recovery}, {"url", read_url},
	    {"name", read_name}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(l->words[0], words[i].word) == 0)
			return words[i].read(t, l->words[1]);
	return -EBADMSG;
}

static int read_pins(struct trust *t, char *text)
{
	struct line l;
	bool host = false, current = false;

	while (line_next(&text, &l)) {
		int rc = -EBADMSG;

		if (l.n == 2)
			rc = read_word(t, &l);
		else if (l.n == 4 && strcmp(l.words[0], "key") == 0)
			rc = read_key(t, &l);
		if (rc < 0)
			return rc;
		host |= strcmp(l.words[0], "host") == 0;
	}
	for (size_t i = 0; i < t->nkeys; i++)
		current |= t->keys[i].role == TRUST_CURRENT;
	return host && current ? 0 : -EBADMSG;
}

static struct trust_floor *floor_find(const struct trust *t, const uint8_t *id)
{
	for (size_t i = 0; i < t->nfloors; i++)
		if (memcmp(t->floors[i].id, id, FEED_ID_LEN) == 0)
			return &t->floors[i];
	return NULL;
}

static int floor_add(struct trust *t, const struct trust_floor *f)
{
	struct trust_floor *more = t->nfloors < TRUST_FLOORS_MAX
				       ? reallocarray(t->floors, t->nfloors + 1, sizeof(*more))
				       : NULL;

	if (more == NULL)
		return -ENOMEM;
	t->floors = more;
	t->floors[t->nfloors++] = *f;
	return 0;
}

static int read_floors(struct trust *t, char *text)
{
	struct line l;
	bool whole = false;

	while (line_next(&text, &l)) {
		struct trust_floor f;

		if (l.n == 2 && strcmp(l.words[0], "issued") == 0 &&
		    num_parse_i64(l.words[1], &t->issued_at) == 0)
			whole = true;
		else if (l.n != 4 || strcmp(l.words[0], "floor") != 0 ||
			 !read_hex(l.words[1], f.id, sizeof(f.id)) ||
			 num_parse_u64(l.words[2], UINT64_MAX, &f.epoch) < 0 ||
			 num_parse_u64(l.words[3], UINT64_MAX, &f.revision) < 0 ||
			 floor_add(t, &f) < 0)
			return -EBADMSG;
	}
	return whole ? 0 : -EBADMSG;
}

static int read_file(struct trust *t, const char *name, int (*read)(struct trust *t, char *text))
{
	_cleanup_buf_ struct buf b = BUF_INIT(TRUST_FILE_MAX);
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	int rc = io_read_private(path, 0, 077, &b);

	if (rc < 0)
		return rc;
	buf_add_char(&b, '\n');
	if (buf_error(&b) != 0)
		return buf_error(&b);
	return read(t, (char *)b.data);
}

int trust_load(const char *dir, struct trust *ret)
{
	struct trust t = {.nkeys = 0};

	if (strlen(dir) >= sizeof(t.dir))
		return -ENAMETOOLONG;
	memcpy(t.dir, dir, strlen(dir) + 1);
	int rc = read_file(&t, "pins", read_pins);

	if (rc == 0)
		rc = read_file(&t, "floors", read_floors);
	/* Enrolment writes the floors first, so pins without floors were tampered with. */
	if (rc < 0) {
		trust_release(&t);
		return rc == -ENOENT && t.nkeys > 0 ? -EBADMSG : rc;
	}
	*ret = t;
	return 0;
}

void trust_release(struct trust *t)
{
	free(t->floors);
	t->floors = NULL;
	t->nfloors = 0;
}

static void put_hex(struct buf *b, const uint8_t *p, size_t n)
{
	char hex[HEX_LEN(FEED_KEY_LEN) + 1];

	hex_encode(p, n, hex);
	buf_add_str(b, hex);
}

static int save(const struct trust *t, const char *name, const struct buf *b)
{
	char path[600];

	if (buf_error(b) != 0)
		return buf_error(b);
	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	return io_replace_file(path, b->data, b->len, 0600, (uid_t)-1, (gid_t)-1);
}

int trust_save_pins(const struct trust *t)
{
	static const char *const roles[] = {"", "current", "next", "retired"};
	_cleanup_buf_ struct buf b = BUF_INIT(TRUST_FILE_MAX);

	buf_add_str(&b, "host ");
	put_hex(&b, t->host_id, sizeof(t->host_id));
	buf_add_str(&b, "\nrecovery ");
	put_hex(&b, t->recovery_id, sizeof(t->recovery_id));
	buf_add_char(&b, '\n');
	if (t->url[0] != '\0')
		buf_addf(&b, "url %s\n", t->url);
	if (t->name[0] != '\0')
		buf_addf(&b, "name %s\n", t->name);
	for (size_t i = 0; i < t->nkeys; i++) {
		buf_addf(&b, "key %s ", roles[t->keys[i].role]);
		put_hex(&b, t->keys[i].key, FEED_KEY_LEN);
		buf_addf(&b, " %" PRId64 "\n", t->keys[i].not_before);
	}
	return save(t, "pins", &b);
}

int trust_save_floors(struct trust *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TRUST_FILE_MAX);

	for (size_t i = 0; i < t->nfloors; i++) {
		buf_add_str(&b, "floor ");
		put_hex(&b, t->floors[i].id, FEED_ID_LEN);
		buf_addf(
		    &b, " %" PRIu64 " %" PRIu64 "\n", t->floors[i].epoch, t->floors[i].revision);
	}
	buf_addf(&b, "issued %" PRId64 "\n", t->issued_at);
	int rc = save(t, "floors", &b);

	if (rc == 0)
		t->floors_dirty = false;
	return rc;
}

void trust_keys(const struct trust *t, int64_t now, bool replay, struct feed_trust *ret)
{
	ret->nkeys = 0;
	for (size_t i = 0; i < t->nkeys; i++) {
		const struct trust_key *k = &t->keys[i];

		if (!replay &&
		    (k->role == TRUST_RETIRED || (k->role == TRUST_NEXT && now < k->not_before)))
			continue;
		memcpy(ret->keys[ret->nkeys++], k->key, FEED_KEY_LEN);
	}
}

int trust_check(const struct trust *t, const uint8_t *id, uint64_t epoch, uint64_t revision)
{
	const struct trust_floor *f = floor_find(t, id);

	if (f == NULL || epoch > f->epoch)
		return 0;
	return epoch < f->epoch || revision < f->revision ? -ESTALE : 0;
}

int trust_raise(
    struct trust *t, const uint8_t *id, uint64_t epoch, uint64_t revision, int64_t issued_at)
{
	struct trust_floor *f = floor_find(t, id), new = {.epoch = 0};

	if (issued_at > t->issued_at)
		t->issued_at = issued_at;
	if (f == NULL) {
		memcpy(new.id, id, FEED_ID_LEN);
		if (floor_add(t, &new) < 0)
			return -ENOMEM;
		f = &t->floors[t->nfloors - 1];
	}
	if (epoch > f->epoch || (epoch == f->epoch && revision > f->revision)) {
		f->epoch = epoch;
		f->revision = revision;
		t->floors_dirty = true;
	}
	return 0;
}

static struct trust_key *key_by_id(struct trust *t, const uint8_t *id)
{
	for (size_t i = 0; i < t->nkeys; i++) {
		uint8_t have[FEED_KEY_ID_LEN];

		feed_key_id(t->keys[i].key, have);
		if (memcmp(have, id, sizeof(have)) == 0)
			return &t->keys[i];
	}
	return NULL;
}

static void drop_role(struct trust *t, enum trust_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nkeys; i++)
		if (t->keys[i].role != role)
			t->keys[n++] = t->keys[i];
	t->nkeys = n;
}

int trust_announce(struct trust *t, const uint8_t *signer_id, const struct feed_next_key *next)
{
	const struct trust_key *signer = key_by_id(t, signer_id);
	uint8_t id[FEED_KEY_ID_LEN];

	if (signer == NULL || signer->role != TRUST_CURRENT)
		return 0;
	feed_key_id(next->key, id);
	const struct trust_key *known = key_by_id(t, id);

	if (known != NULL && (known->role != TRUST_NEXT || known->not_before == next->not_before))
		return 0;
	drop_role(t, TRUST_NEXT);
	struct trust_key *k = &t->keys[t->nkeys++];

	memcpy(k->key, next->key, FEED_KEY_LEN);
	k->not_before = next->not_before;
	k->role = TRUST_NEXT;
	return 1;
}

int trust_promote(struct trust *t, const uint8_t *signer_id)
{
	const struct trust_key *signer = key_by_id(t, signer_id);

	if (signer == NULL || signer->role != TRUST_NEXT)
		return 0;
	drop_role(t, TRUST_RETIRED);
	for (size_t i = 0; i < t->nkeys; i++)
		t->keys[i].role = t->keys[i].role == TRUST_NEXT ? TRUST_CURRENT : TRUST_RETIRED;
	return 1;
}
