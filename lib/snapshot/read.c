/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "format.h"
#include "lookup.h"
#include "snapshot.h"

/* ---- the container ---------------------------------------------------------------------- */

static int check_file(int fd, unsigned flags, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((flags & SNAP_ROOT_OWNED) != 0 && (st.st_uid != 0 || (st.st_mode & 022) != 0))
		return -EPERM;
	if (st.st_size < SNAP_HEADER_SIZE || (uint64_t)st.st_size > SNAP_SIZE_MAX)
		return -EBADMSG;
	*ret_size = (size_t)st.st_size;
	return 0;
}

static const struct snap_header *header_of(const struct snap *s)
{
	return (const struct snap_header *)s->base;
}

static int check_content(const struct snap *s, enum snap_kind kind, unsigned flags)
{
	const struct snap_header *h = header_of(s);
	int r = snap_check_header(s->base, s->size, kind);

	if (r < 0 || (flags & SNAP_VERIFY) == 0)
		return r;
	return snap_sum(h->generation, s->base + SNAP_HEADER_SIZE, s->size - SNAP_HEADER_SIZE) ==
		       h->body_sum
		   ? 0
		   : -EBADMSG;
}

int snap_open(const char *path, enum snap_kind kind, unsigned flags, struct snap *ret)
{
	struct snap s = {0};
	void *p;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = check_file(fd, flags, &s.size);
	if (r < 0) {
		close(fd);
		return r;
	}
	p = mmap(NULL, s.size, PROT_READ, MAP_SHARED, fd, 0);
	r = p == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0)
		return r;
	s.base = p;
	r = check_content(&s, kind, flags);
	if (r < 0) {
		snap_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void snap_close(struct snap *s)
{
	if (s->base)
		munmap((void *)(uintptr_t)s->base, s->size);
	s->base = NULL;
	s->size = 0;
}

void snap_meta(const struct snap *s, struct snap_meta *ret)
{
	const struct snap_header *h = header_of(s);

	*ret = (struct snap_meta){
	    .generation = h->generation,
	    .issued_at = h->issued_at,
	    .valid_until = h->valid_until,
	    .uid_first = h->uid_first,
	    .uid_last = h->uid_last,
	    .gid_first = h->gid_first,
	    .gid_last = h->gid_last,
	};
}

bool snap_superseded(const struct snap *s)
{
	return snap_load32(s->base + SNAP_SUPERSEDED_AT) != 0;
}

size_t snap_count_users(const struct snap *s)
{
	return header_of(s)->nusers;
}

/* ---- subjects --------------------------------------------------------------------------- */

static struct snap_table table_of(const struct snap *s, enum snap_section which)
{
	const struct snap_extent *e = &header_of(s)->section[which];

	return (struct snap_table){
	    .slots = s->base + e->offset,
	    .mask = (uint32_t)(e->size / sizeof(struct snap_slot) - 1),
	};
}

/* A string within a record: its offset is inside, and so is its NUL. */
static bool string_sound(const uint8_t *record, size_t size, size_t at)
{
	return at < size && memchr(record + at, '\0', size - at) != NULL;
}

/* The record at this offset if its bounds and its checksum hold; "size" is its second field. */
static const uint8_t *record_at(const struct snap *s, uint64_t at, size_t least, size_t *ret_size)
{
	const struct snap_header *h = header_of(s);
	const uint8_t *p = s->base + at;
	uint32_t size;

	if (at < SNAP_HEADER_SIZE || at > s->size - SNAP_ALIGN)
		return NULL;
	size = snap_load32(p + sizeof(uint64_t));
	if (size < least || size > SNAP_SUBJECT_MAX || size > s->size - at)
		return NULL;
	if (snap_load64(p) != snap_sum(snap_record_key(h->generation, h->kind, at),
				  p + sizeof(uint64_t), size - sizeof(uint64_t)))
		return NULL;
	*ret_size = size;
	return p;
}

static size_t keys_at(const struct snap_subject_record *r)
{
	return sizeof(*r) + r->ngrants * sizeof(struct snap_grant_record);
}

static bool subject_sound(const struct snap_subject_record *r, size_t size)
{
	if (r->ngrants > SNAP_GRANTS_MAX || r->nkeys > SNAP_KEYS_MAX)
		return false;
	if (keys_at(r) + r->nkeys * sizeof(struct snap_key_record) > size)
		return false;
	return string_sound((const uint8_t *)r, size, r->name) &&
	       string_sound((const uint8_t *)r, size, r->home) && r->state <= UINT8_MAX;
}

static int subject_at(const struct snap *s, uint64_t at, struct snap_subject *ret)
{
	const struct snap_header *h = header_of(s);
	const struct snap_subject_record *r;
	uint32_t uid;
	size_t size;

	r = (const struct snap_subject_record *)record_at(s, at, sizeof(*r), &size);
	if (!r || !subject_sound(r, size))
		return -EBADMSG;
	uid = r->uid;
	if (!snap_id_allowed(uid, h->uid_first, h->uid_last)) {
		if (r->state != SNAP_REFUSED)
			return -EBADMSG;
		uid = SNAP_ID_NONE;
	}
	*ret = (struct snap_subject){
	    .name = (const char *)r + r->name,
	    .home = (const char *)r + r->home,
	    .uid = uid,
	    .state = (uint8_t)r->state,
	    .ngrants = r->ngrants,
	    .nkeys = r->nkeys,
	    .record_ = (const uint8_t *)r,
	    .size_ = size,
	};
	return 0;
}

static bool has_subjects(const struct snap *s)
{
	return header_of(s)->kind == SNAP_ACCESS || header_of(s)->kind == SNAP_KEYS;
}

/*
 * The name stands behind a part of variable length, so the table's candidates are read as whole
 * records. A damaged one on the way must not hide what is behind it, nor pass for "not listed".
 */
int snap_subject_by_name(const struct snap *s, const char *name, struct snap_subject *ret)
{
	struct snap_table t = table_of(s, SNAP_SEC_NAME);
	size_t n = strnlen(name, SNAP_NAME_MAX + 1);
	struct snap_subject found;
	bool damaged = false;
	uint64_t hash;

	if (n == 0 || n > SNAP_NAME_MAX || !has_subjects(s))
		return -ENOENT;
	hash = snap_hash_name(header_of(s)->seed, name, n);
	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		uint64_t slot = snap_slot_load(&t, hash + i);

		if (slot >> 32 == 0)
			break;
		if ((uint32_t)slot != (uint32_t)(hash >> 32))
			continue;
		if (subject_at(s, (slot >> 32) * SNAP_ALIGN, &found) < 0) {
			damaged = true;
		} else if (strcmp(found.name, name) == 0) {
			*ret = found;
			return 0;
		}
	}
	return damaged ? -EBADMSG : -ENOENT;
}

int snap_subject_by_uid(const struct snap *s, uint32_t uid, struct snap_subject *ret)
{
	const struct snap_header *h = header_of(s);
	struct snap_table t = table_of(s, SNAP_SEC_UID);
	struct snap_subject found;
	uint64_t at;

	if (!has_subjects(s) || !snap_id_allowed(uid, h->uid_first, h->uid_last))
		return -ENOENT;
	at = snap_find_id(s->base, s->size, &t, uid);
	if (at == 0)
		return -ENOENT;
	if (subject_at(s, at, &found) < 0 || found.uid != uid)
		return -EBADMSG;
	*ret = found;
	return 0;
}

static int project_get(const struct snap *s, uint32_t index, struct snap_project *ret)
{
	const struct snap_header *h = header_of(s);
	const struct snap_project_record *r;
	uint32_t number;
	size_t size;

	if (index >= h->nprojects)
		return -EBADMSG;
	number = snap_load32(s->base + h->section[SNAP_SEC_PROJECTS].offset + 4ull * index);
	r = (const struct snap_project_record *)record_at(
	    s, (uint64_t)number * SNAP_ALIGN, sizeof(*r), &size);
	if (!r || r->state > UINT8_MAX || !string_sound((const uint8_t *)r, size, r->slug) ||
	    !string_sound((const uint8_t *)r, size, r->name) ||
	    !string_sound((const uint8_t *)r, size, r->contact))
		return -EBADMSG;
	*ret = (struct snap_project){
	    .slug = (const char *)r + r->slug,
	    .name = (const char *)r + r->name,
	    .contact = (const char *)r + r->contact,
	    .state = (uint8_t)r->state,
	    .sso_max_age = r->sso_max_age,
	};
	return 0;
}

int snap_subject_grant(const struct snap *s, const struct snap_subject *u, uint32_t i,
    struct snap_grant *ret, struct snap_project *ret_project)
{
	const struct snap_grant_record *g;
	int r;

	if (i >= u->ngrants)
		return -EBADMSG;
	g = (const struct snap_grant_record *)(u->record_ + sizeof(struct snap_subject_record)) + i;
	if (g->state > UINT8_MAX)
		return -EBADMSG;
	r = project_get(s, g->project, ret_project);
	if (r < 0)
		return r;
	*ret = (struct snap_grant){
	    .project = g->project,
	    .perms = g->perms,
	    .state = (uint8_t)g->state,
	    .not_after = g->not_after,
	    .ended_at = g->ended_at,
	    .sso_at = g->sso_at,
	};
	return 0;
}

int snap_subject_key(
    const struct snap *s, const struct snap_subject *u, uint32_t i, struct snap_key *ret)
{
	const struct snap_subject_record *r = (const struct snap_subject_record *)u->record_;
	const struct snap_key_record *k;

	if (i >= u->nkeys)
		return -EBADMSG;
	k = (const struct snap_key_record *)(u->record_ + keys_at(r)) + i;
	if (k->line >= u->size_ || k->len >= u->size_ - k->line ||
	    u->record_[k->line + k->len] != '\0' ||
	    memchr(u->record_ + k->line, '\0', k->len) != NULL)
		return -EBADMSG;
	*ret = (struct snap_key){
	    .line = (const char *)u->record_ + k->line,
	    .not_after = k->not_after,
	};
	return 0;
}
