/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "write.h"

#define SEED_TRIES   8
#define FILTER_NAMES 8 /* in a word, at most: one in twenty absent names passes */
/*
 * Written in steps of a huge page, each at a multiple of it: the page cache then keeps the file in
 * such pages where the file system has them, and a lookup in a large file misses the TLB less.
 */
#define STEP	     (2u << 20)

static_assert(
    STEP % SNAP_ALIGN == 0 && SNAP_SUBJECT_MAX % SNAP_ALIGN == 0 && STEP > SNAP_HEADER_SIZE,
    "whatever is behind the window's first step can be moved to its start");

/* ---- layout ----------------------------------------------------------------------------- */

void writer_section(struct writer *w, enum snap_section which, uint64_t bytes)
{
	w->section[which] = (struct snap_extent){.offset = w->size, .size = bytes};
	w->size = survey_align(w->size + bytes);
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

void writer_records(struct writer *w, uint64_t head)
{
	w->at = w->size;
	w->head = w->size + head;
	writer_section(w, SNAP_SEC_RECORDS, head + w->survey->of[w->kind].bytes);
}

uint8_t *writer_record(struct writer *w, uint64_t bytes)
{
	uint8_t *p = w->base + w->at;

	w->at += survey_align(bytes);
	return p;
}

uint32_t writer_number(const struct writer *w, const void *record)
{
	return (uint32_t)((uint64_t)((const uint8_t *)record - w->base) / SNAP_ALIGN);
}

/* ---- the head --------------------------------------------------------------------------- */

static int head_allocate(struct writer *w)
{
	void *p;

	if (w->size > SNAP_SIZE_MAX)
		return -EINVAL;
	p = mmap(NULL, w->head, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	/* Fewer page faults; that it may be refused does not matter. */
	(void)madvise(p, w->head, MADV_HUGEPAGE);
	w->base = p;
	return 0;
}

static void head_free(struct writer *w)
{
	if (w->base)
		munmap(w->base, w->head);
	w->base = NULL;
}

/* Again with another seed should the names fall too unluckily. */
static int head_fill(struct writer *w)
{
	int r = -EAGAIN;

	for (int i = 0; i < SEED_TRIES && r == -EAGAIN; i++) {
		head_free(w);
		w->size = SNAP_HEADER_SIZE;
		if (getrandom(&w->seed, sizeof(w->seed), 0) != sizeof(w->seed))
			return -EIO;
		w->content->layout(w);
		r = head_allocate(w);
		if (r == 0)
			r = writer_enter_users(w);
		if (r == 0)
			r = w->content->put_head(w);
	}
	return r == -EAGAIN ? -EINVAL : r;
}

/* ---- the file --------------------------------------------------------------------------- */

/* Where the file goes; the sum is of all behind the header. */
struct output {
	int fd;
	uint64_t at; /* of the window, a multiple of STEP */
	struct snap_lanes sum;
	uint8_t *window; /* a step, and the largest record behind it */
	size_t filled;
};

static int store(int fd, const uint8_t *p, uint64_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t put = pwrite(fd, p, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		p += put;
		n -= (uint64_t)put;
		at += (uint64_t)put;
	}
	return 0;
}

static int output_add(struct output *o, const uint8_t *p, uint64_t n)
{
	uint64_t header = o->at == 0 ? SNAP_HEADER_SIZE : 0;
	int r;

	if (n == 0)
		return 0;
	o->sum = snap_sum_blocks(o->sum, p + header, n - header);
	r = store(o->fd, p, n, o->at);
	o->at += n;
	return r;
}

/* All of the head that is whole steps; the window begins with what is left. */
static int put_base(const struct writer *w, struct output *o)
{
	uint64_t whole = w->head / STEP * STEP;

	o->filled = w->head - whole;
	memcpy(o->window, w->base + whole, o->filled);
	return output_add(o, w->base, whole);
}

/* The window's first step, if it is full. */
static int put_step(struct output *o)
{
	int r;

	if (o->filled < STEP)
		return 0;
	r = output_add(o, o->window, STEP);
	o->filled -= STEP;
	memmove(o->window, o->window + STEP, o->filled);
	return r;
}

static int put_users(struct writer *w, struct output *o)
{
	int r = 0;

	for (size_t i = 0; i < w->survey->nusers && r == 0; i++) {
		const struct survey_user *s = &w->survey->users[i];
		uint64_t n = survey_align(survey_bytes(s, w->kind));
		uint8_t *record;

		if (!survey_has(s, w->kind))
			continue;
		record = o->window + o->filled;
		memset(record, 0, n);
		w->content->put_user(w, w->src->user(w->src->arg, i), s, o->at + o->filled, record);
		o->filled += n;
		r = put_step(o);
	}
	return r < 0 ? r : output_add(o, o->window, o->filled);
}

static struct snap_header make_header(const struct writer *w, uint64_t body_sum)
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
	    .nusers = (uint32_t)w->survey->of[w->kind].nusers,
	    .ngroups = w->kind == SNAP_IDENTITY ? (uint32_t)w->src->ngroups : 0,
	    .nprojects = w->kind == SNAP_IDENTITY ? 0 : (uint32_t)w->src->nprojects,
	    .seed = w->seed,
	    .body_sum = body_sum,
	};

	if (w->kind == SNAP_IDENTITY && w->survey->split_names)
		h.flags |= SNAP_SPLIT_NAMES;
	if (m->uid_last < m->gid_first || m->gid_last < m->uid_first)
		h.flags |= SNAP_SPLIT_IDS;
	memcpy(h.section, w->section, sizeof(h.section));
	h.header_sum = snap_sum(h.kind, &h, offsetof(struct snap_header, header_sum));
	return h;
}

/* The header, zeros until now, comes last: without it the file is none. */
static int put_file(struct writer *w, struct output *o)
{
	int r = put_base(w, o);
	struct snap_header h;

	if (r == 0)
		r = put_users(w, o);
	if (r < 0)
		return r;
	h = make_header(w, snap_sum_end(o->sum, w->size - SNAP_HEADER_SIZE));
	memcpy(w->base, &h, sizeof(h));
	r = store(o->fd, w->base, SNAP_HEADER_SIZE, 0);
	if (r < 0)
		return r;
	return fsync(o->fd) < 0 ? -errno : 0;
}

int snap_write_surveyed(int fd, enum snap_kind kind, const struct snap_survey *survey)
{
	struct writer w = {
	    .survey = survey,
	    .src = survey->src,
	    .kind = kind,
	    .content = kind == SNAP_IDENTITY ? &identity_content : &access_content,
	};
	struct output o = {
	    .fd = fd,
	    .sum = snap_sum_begin(survey->src->meta.generation),
	};
	int r;

	if (survey->of[kind].broken)
		return -EINVAL;
	w.numbers = malloc((survey->nusers + 1) * sizeof(*w.numbers));
	o.window = malloc(STEP + SNAP_SUBJECT_MAX);
	r = w.numbers && o.window ? head_fill(&w) : -ENOMEM;
	if (r == 0)
		r = put_file(&w, &o);
	head_free(&w);
	free(w.numbers);
	free(o.window);
	return r;
}

int snap_write(int fd, enum snap_kind kind, const struct snap_source *src)
{
	struct snap_survey *survey;
	int r = snap_survey_new(src, &survey);

	if (r < 0)
		return r;
	r = snap_write_surveyed(fd, kind, survey);
	snap_survey_free(survey);
	return r;
}
