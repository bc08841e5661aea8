/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "format.h"
#include "snapshot.h"
#include "write.h"

#define SEED_TRIES   8
#define FILTER_NAMES 8 /* in a word, at most: one in twenty absent names passes */

/* ---- text ------------------------------------------------------------------------------- */

/* Sixteen bytes at a time, in whatever vectors the machine has. */
typedef uint8_t bytes16 __attribute__((__vector_size__(16)));
typedef int8_t mask16 __attribute__((__vector_size__(16)));

static mask16 bad_bytes(const char *s, uint8_t forbidden)
{
	bytes16 v;

	memcpy(&v, s, sizeof(v));
	return (mask16)(v < 0x20) | (mask16)(v == 0x7f) | (mask16)(v == forbidden);
}

static bool any(mask16 m)
{
	uint64_t half[2];

	memcpy(half, &m, sizeof(half));
	return (half[0] | half[1]) != 0;
}

int text_length(const char *s, size_t max, char forbidden)
{
	mask16 bad = {0};
	size_t n;

	if (!s)
		return -EINVAL;
	n = strnlen(s, max + 1);
	if (n > max)
		return -EINVAL;
	if (n < sizeof(bad)) {
		for (size_t i = 0; i < n; i++)
			if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f || s[i] == forbidden)
				return -EINVAL;
		return (int)n;
	}
	for (size_t i = 0; i + sizeof(bad) <= n; i += sizeof(bad))
		bad |= bad_bytes(s + i, (uint8_t)forbidden);
	bad |= bad_bytes(s + n - sizeof(bad), (uint8_t)forbidden);
	return any(bad) ? -EINVAL : (int)n;
}

int name_length(const char *s)
{
	int n;

	if (!s || s[0] == '\0' || s[0] == '-' || s[0] == '+')
		return -EINVAL;
	for (n = 0; s[n] != '\0'; n++) {
		char c = s[n];

		if (c <= ' ' || c > '~' || c == ':' || c == ',' || c == '/' || n >= SNAP_NAME_MAX)
			return -EINVAL;
	}
	return n;
}

/* ---- layout ----------------------------------------------------------------------------- */

static uint64_t align_up(uint64_t n)
{
	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

void writer_section(struct writer *w, enum snap_section which, uint64_t bytes)
{
	w->section[which] = (struct snap_extent){.offset = w->size, .size = bytes};
	if (which == SNAP_SEC_RECORDS)
		w->at = w->size;
	w->size = align_up(w->size + bytes);
}

void writer_table(struct writer *w, enum snap_section which, size_t n)
{
	uint64_t slots = SNAP_ALIGN / sizeof(struct snap_slot);

	while (slots < 2 * (uint64_t)n)
		slots *= 2;
	writer_section(w, which, slots * sizeof(struct snap_slot));
}

void writer_filter(struct writer *w, enum snap_section which, size_t n)
{
	uint64_t words = SNAP_ALIGN / sizeof(uint64_t);

	while (words * FILTER_NAMES < n)
		words *= 2;
	writer_section(w, which, words * sizeof(uint64_t));
}

int writer_allocate(struct writer *w)
{
	void *p;

	if (w->size > SNAP_SIZE_MAX)
		return -EINVAL;
	p = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	/* Fewer page faults; that it may be refused does not matter. */
	(void)madvise(p, w->size, MADV_HUGEPAGE);
	w->base = p;
	return 0;
}

static void writer_free(struct writer *w)
{
	if (w->base)
		munmap(w->base, w->size);
	w->base = NULL;
}

uint8_t *writer_record(struct writer *w, uint64_t bytes)
{
	uint8_t *p = w->base + w->at;

	w->at += align_up(bytes);
	return p;
}

uint32_t writer_number(const struct writer *w, const void *record)
{
	return (uint32_t)((uint64_t)((const uint8_t *)record - w->base) / SNAP_ALIGN);
}

/* ---- hash tables ------------------------------------------------------------------------ */

static struct snap_slot *table_slots(
    const struct writer *w, enum snap_section which, uint64_t *ret_mask)
{
	*ret_mask = w->section[which].size / sizeof(struct snap_slot) - 1;
	return (struct snap_slot *)(w->base + w->section[which].offset);
}

void writer_expect(const struct writer *w, const char *name, size_t n, uint32_t id)
{
	uint64_t names, ids;
	struct snap_slot *by_name = table_slots(w, SNAP_SEC_NAME, &names);
	struct snap_slot *by_id = table_slots(w, SNAP_SEC_UID, &ids);

	__builtin_prefetch(&by_name[snap_hash_name(w->seed, name, n) & names], 1);
	__builtin_prefetch(&by_id[snap_hash_id(id) & ids], 1);
}

static const char *record_name(const struct writer *w, uint32_t number, int name_at)
{
	const uint8_t *r = w->base + (uint64_t)number * SNAP_ALIGN;
	uint32_t at;

	if (name_at >= 0)
		return (const char *)r + name_at;
	memcpy(&at, r - name_at, sizeof(at));
	return (const char *)r + at;
}

/* The slot that has this name, or the empty one where it belongs; NULL: too far away. */
static struct snap_slot *slot_of_name(const struct writer *w, enum snap_section which,
    const char *name, size_t n, int name_at, uint64_t hash)
{
	uint64_t mask;
	struct snap_slot *slots = table_slots(w, which, &mask);

	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		struct snap_slot *s = &slots[(hash + i) & mask];

		if (s->record == 0)
			return s;
		if (s->tag == (uint32_t)(hash >> 32) &&
		    memcmp(record_name(w, s->record, name_at), name, n + 1) == 0)
			return s;
	}
	return NULL;
}

static struct snap_slot *slot_of_id(const struct writer *w, enum snap_section which, uint32_t id)
{
	uint64_t mask, hash = snap_hash_id(id);
	struct snap_slot *slots = table_slots(w, which, &mask);

	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		struct snap_slot *s = &slots[(hash + i) & mask];

		if (s->record == 0 || s->tag == id)
			return s;
	}
	return NULL;
}

static int slot_fill(struct snap_slot *s, uint32_t tag, uint32_t number)
{
	if (!s)
		return -EAGAIN;
	if (s->record != 0)
		return -EINVAL;
	*s = (struct snap_slot){.tag = tag, .record = number};
	return 0;
}

int writer_enter_name(struct writer *w, enum snap_section which, const char *name, size_t n,
    const void *record, int name_at)
{
	uint64_t hash = snap_hash_name(w->seed, name, n);

	return slot_fill(slot_of_name(w, which, name, n, name_at, hash), (uint32_t)(hash >> 32),
	    writer_number(w, record));
}

int writer_enter_id(struct writer *w, enum snap_section which, uint32_t id, const void *record)
{
	int r = slot_fill(slot_of_id(w, which, id), id, writer_number(w, record));

	/* Ids are hashed without a seed: another one would not help. */
	return r == -EAGAIN ? -EINVAL : r;
}

void writer_filter_add(struct writer *w, enum snap_section which, const char *name, size_t n)
{
	uint64_t *words = (uint64_t *)(w->base + w->section[which].offset);
	uint64_t hash = snap_hash_name(w->seed, name, n);

	words[hash & (w->section[which].size / sizeof(*words) - 1)] |= snap_filter_bits(hash);
}

bool writer_has_name(
    const struct writer *w, enum snap_section which, const char *name, size_t n, int name_at)
{
	uint64_t hash = snap_hash_name(w->seed, name, n);
	const struct snap_slot *s = slot_of_name(w, which, name, n, name_at, hash);

	return s && s->record != 0;
}

bool writer_has_id(const struct writer *w, enum snap_section which, uint32_t id)
{
	const struct snap_slot *s = slot_of_id(w, which, id);

	return s && s->record != 0;
}

/* ---- users ------------------------------------------------------------------------------ */

/* By ascending id. Radix sort in three passes: there may be a million. */
static int sort_pairs(struct writer_pair *pairs, size_t n)
{
	struct writer_pair *from = pairs, *to, *other;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = pairs[i - 1].id <= pairs[i].id;
	if (sorted)
		return 0;
	other = malloc(n * sizeof(*other));
	if (!other)
		return -ENOMEM;
	to = other;
	for (unsigned shift = 0; shift < 33; shift += 11) {
		size_t count[2048] = {0}, sum = 0;
		struct writer_pair *t = from;

		for (size_t i = 0; i < n; i++)
			count[from[i].id >> shift & 2047]++;
		for (size_t b = 0; b < 2048; b++) {
			size_t c = count[b];

			count[b] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			to[count[from[i].id >> shift & 2047]++] = from[i];
		from = to;
		to = t;
	}
	memcpy(pairs, from, n * sizeof(*pairs));
	free(other);
	return 0;
}

int writer_order(struct writer *w, enum snap_section which, struct writer_pair *pairs, size_t n)
{
	uint8_t *order = w->base + w->section[which].offset;
	int r = sort_pairs(pairs, n);

	for (size_t i = 0; r == 0 && i < n; i++)
		memcpy(order + i * sizeof(uint32_t), &pairs[i].number, sizeof(uint32_t));
	return r;
}

/* The first pass: who is in it, and what it takes. */
static int list_users(struct writer *w)
{
	const struct snap_meta *m = &w->src->meta;

	if (w->src->nusers > UINT32_MAX / 2)
		return -EINVAL;
	w->users = malloc((w->src->nusers + 1) * sizeof(*w->users));
	if (!w->users)
		return -ENOMEM;
	for (size_t i = 0; i < w->src->nusers; i++) {
		const struct snap_user *u = w->src->user(w->src->arg, i);
		bool refused = u->state == SNAP_REFUSED;

		if (refused && w->kind == SNAP_IDENTITY)
			continue;
		if (!refused && !snap_id_allowed(u->uid, m->uid_first, m->uid_last))
			return -EINVAL;
		if (!w->content->measure_user(w, u))
			return -EINVAL;
		w->users[w->nusers++] = (struct writer_user){
		    .uid = refused ? SNAP_ID_NONE : u->uid,
		    .index = (uint32_t)i,
		};
	}
	return 0;
}

/* ---- the file --------------------------------------------------------------------------- */

static void seal(struct writer *w)
{
	const struct snap_meta *m = &w->src->meta;
	struct snap_header h = {
	    .magic = SNAP_MAGIC,
	    .version = SNAP_VERSION,
	    .kind = w->kind,
	    .size = w->size,
	    .generation = m->generation,
	    .issued_at = m->issued_at,
	    .valid_until = m->valid_until,
	    .uid_first = m->uid_first,
	    .uid_last = m->uid_last,
	    .gid_first = m->gid_first,
	    .gid_last = m->gid_last,
	    .nusers = (uint32_t)w->nusers,
	    .ngroups = w->kind == SNAP_IDENTITY ? (uint32_t)w->src->ngroups : 0,
	    .nprojects = w->kind == SNAP_IDENTITY ? 0 : (uint32_t)w->src->nprojects,
	    .seed = w->seed,
	};

	if (w->split_names)
		h.flags |= SNAP_SPLIT_NAMES;
	if (m->uid_last < m->gid_first || m->gid_last < m->uid_first)
		h.flags |= SNAP_SPLIT_IDS;
	memcpy(h.section, w->section, sizeof(h.section));
	h.body_sum = snap_sum(h.generation, w->base + SNAP_HEADER_SIZE, w->size - SNAP_HEADER_SIZE);
	h.header_sum = snap_sum(h.kind, &h, offsetof(struct snap_header, header_sum));
	memcpy(w->base, &h, sizeof(h));
}

static int store(const struct writer *w, int fd)
{
	for (uint64_t done = 0; done < w->size;) {
		ssize_t n = pwrite(fd, w->base + done, w->size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The second pass; again with another seed should the names fall too unluckily. */
static int fill(struct writer *w)
{
	int r = -EAGAIN;

	for (int i = 0; i < SEED_TRIES && r == -EAGAIN; i++) {
		writer_free(w);
		w->size = SNAP_HEADER_SIZE;
		if (getrandom(&w->seed, sizeof(w->seed), 0) != sizeof(w->seed))
			return -EIO;
		w->content->layout(w);
		r = writer_allocate(w);
		if (r == 0)
			r = w->content->put(w);
	}
	return r == -EAGAIN ? -EINVAL : r;
}

int snap_write(int fd, enum snap_kind kind, const struct snap_source *src)
{
	struct writer w = {
	    .src = src,
	    .kind = kind,
	    .content = kind == SNAP_IDENTITY ? &identity_content : &access_content,
	};
	int r;

	if (src->ngroups > UINT32_MAX / 2 || src->nprojects > UINT32_MAX / 2)
		return -EINVAL;
	r = w.content->begin(&w);
	if (r == 0)
		r = list_users(&w);
	if (r == 0)
		r = fill(&w);
	if (r == 0) {
		seal(&w);
		r = store(&w, fd);
	}
	writer_free(&w);
	free(w.teams);
	free(w.users);
	return r;
}
