/* SPDX-License-Identifier: MIT */
#ifndef NSS_PRISM_ENTRY_H
#define NSS_PRISM_ENTRY_H

/*
 * From records to what the caller asked for, all within the caller's buffer.
 *
 * NSS_STATUS_SUCCESS; NOTFOUND: the record's id is none that may come out of here; TRYAGAIN with
 * ERANGE: the buffer is too small; UNAVAIL with EBADMSG: the record is damaged. Nothing here looks
 * at or changes errno.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include "map.h"

struct caller {
	char *buf;
	size_t len;
	int *errnop;
};

_hot_ enum nss_status entry_fail(const struct caller *c, enum nss_status status, int error)
{
	*c->errnop = error;
	return status;
}

_hot_ enum nss_status entry_no_data(int *errnop)
{
	*errnop = map_error();
	return NSS_STATUS_UNAVAIL;
}

/*
 * The password field is "*": no file can make it one that lets anybody in. It is written here, over
 * what the record has in its place, and so is the NUL that ends the last string.
 */
_hot_ char *entry_put_star(char *s)
{
	return memcpy(s, "*", 2);
}

/* A record of a user, each half of its head in one load. What its offsets are is taken out late. */
struct person {
	uint64_t ids, offsets;
};

_hot_ struct person person_load(const struct map_view *v, uint64_t at)
{
	return (struct person){snap_load64(v->base + at), snap_load64(v->base + at + 8)};
}

_hot_ uint32_t person_uid(const struct person *p)
{
	return (uint32_t)p->ids;
}

_hot_ uint16_t person_len(const struct person *p)
{
	return (uint16_t)p->offsets;
}

_hot_ uint16_t person_gecos(const struct person *p)
{
	return (uint16_t)(p->offsets >> 16);
}

/* Every string begins within the entry, and a name and the "*" fit before the second one. */
_hot_ bool person_sound(const struct person *p)
{
	uint16_t len = person_len(p);

	if (person_gecos(p) < 4)
		return false;
	if (person_gecos(p) >= len)
		return false;
	if ((uint16_t)(p->offsets >> 32) >= len)
		return false;
	return p->offsets >> 48 < len;
}

/* Whether so many bytes of strings of the record at "at" lie within the file. */
_hot_ bool person_has(const struct map_view *v, uint64_t at, size_t n)
{
	return at + sizeof(struct snap_person) + n <= v->size;
}

_hot_ const uint8_t *person_strings(const struct map_view *v, uint64_t at)
{
	return v->base + at + sizeof(struct snap_person);
}

/* What a lookup knows of a record's id: nothing, or which one it must be (and that it may). */
#define ANY_ID UINT64_MAX

_hot_ bool entry_id_right(const uint64_t *range, uint32_t id, uint64_t want)
{
	return want == ANY_ID ? map_id_allowed(map_load(range), id) : id == (uint32_t)want;
}

_hot_ void person_fill(const struct person *p, uint32_t uid, char *buf, struct passwd *ret)
{
	buf[person_len(p) - 1] = '\0';
	*ret = (struct passwd){
	    .pw_name = buf,
	    .pw_passwd = entry_put_star(buf + person_gecos(p) - 2),
	    .pw_uid = uid,
	    .pw_gid = uid,
	    .pw_gecos = buf + person_gecos(p),
	    .pw_dir = buf + (uint16_t)(p->offsets >> 32),
	    .pw_shell = buf + (uint16_t)(p->offsets >> 48),
	};
}

/*
 * Most entries end within the first two lines of a record that is not the file's last, and most
 * callers have the room: then two lines are copied. This is the whole path of a usual lookup, and
 * short on purpose: while it waits for its record the processor begins with the caller's next ones,
 * as many as it has room for. From some 150 instructions on it is one less, and a quarter slower.
 * The same goes for a copy that depends on the length, and for looks at what was just copied.
 */
#define ENTRY_ONE_LINE	(SNAP_ALIGN - sizeof(struct snap_person))
#define ENTRY_TWO_LINES (2 * SNAP_ALIGN - sizeof(struct snap_person))

/* Any entry and any buffer, and what is wrong with them. */
enum nss_status person_give_any(const struct map_region *region, const uint8_t *record,
    uint64_t left, uint64_t want, char *buf, size_t len, int *errnop, struct passwd *ret)
    __attribute__((visibility("hidden"), cold));

_hot_ enum nss_status person_give(const struct map_view *v, uint64_t at, uint64_t want,
    const struct caller *c, struct passwd *ret)
{
	struct person p = person_load(v, at);

	if (__builtin_expect(!entry_id_right(&v->region->uids, person_uid(&p), want) ||
				 c->len < ENTRY_TWO_LINES || person_len(&p) > ENTRY_TWO_LINES ||
				 !person_sound(&p) || !person_has(v, at, ENTRY_TWO_LINES),
		0))
		return person_give_any(
		    v->region, v->base + at, v->size - at, want, c->buf, c->len, c->errnop, ret);
	memcpy(c->buf, person_strings(v, at), ENTRY_TWO_LINES);
	person_fill(&p, want == ANY_ID ? person_uid(&p) : (uint32_t)want, c->buf, ret);
	return NSS_STATUS_SUCCESS;
}

/* Room for n pointers at the start of the buffer; 0 if they do not fit with "strings" bytes. */
_hot_ size_t entry_pointers(const struct caller *c, uint64_t n, uint64_t strings)
{
	size_t pad = -(uintptr_t)c->buf & (sizeof(char *) - 1);
	uint64_t end = pad + n * sizeof(char *);

	return end + strings <= c->len ? (size_t)end : 0;
}

/* The private group: the user's name and id, nobody listed. */
_hot_ enum nss_status private_give(
    const struct map_view *v, uint64_t at, uint64_t want, const struct caller *c, struct group *ret)
{
	struct person p = person_load(v, at);
	size_t n = person_gecos(&p), end = entry_pointers(c, 1, n);
	char *name, **members;

	if (person_len(&p) > SNAP_ENTRY_MAX || !person_sound(&p) || !person_has(v, at, n))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!entry_id_right(&v->region->uids, person_uid(&p), want))
		return NSS_STATUS_NOTFOUND;
	if (end == 0)
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ERANGE);
	name = c->buf + end;
	members = (char **)(void *)name - 1;
	members[0] = NULL;
	if (n <= ENTRY_ONE_LINE && c->len - end >= ENTRY_ONE_LINE)
		memcpy(name, person_strings(v, at), ENTRY_ONE_LINE);
	else
		memcpy(name, person_strings(v, at), n);
	*ret = (struct group){
	    .gr_name = name,
	    .gr_passwd = entry_put_star(name + n - 2),
	    .gr_gid = person_uid(&p),
	    .gr_mem = members,
	};
	return NSS_STATUS_SUCCESS;
}

/* A project's group. Whether the buffer is large enough is known before its members are read. */
_hot_ enum nss_status team_give(
    const struct map_view *v, uint64_t at, uint64_t want, const struct caller *c, struct group *ret)
{
	uint64_t ids = snap_load64(v->base + at), lengths = snap_load64(v->base + at + 8);
	uint64_t left = v->size - at - sizeof(struct snap_team);
	uint32_t gid = (uint32_t)ids, n = (uint32_t)(ids >> 32);
	uint32_t len = (uint32_t)lengths, name_len = (uint32_t)(lengths >> 32);
	const uint8_t *strings = v->base + at + sizeof(struct snap_team), *lens = strings + len;
	size_t end, next = (size_t)name_len + 3;
	char *name, **members;

	if (len > left || n > left - len || name_len > SNAP_NAME_MAX || next > len)
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!entry_id_right(&v->region->gids, gid, want))
		return NSS_STATUS_NOTFOUND;
	end = entry_pointers(c, n + 1ull, len);
	if (end == 0)
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ERANGE);
	name = c->buf + end;
	members = (char **)(void *)name - n - 1;
	memcpy(name, strings, len);
	name[len - 1] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		members[i] = name + next;
		next += lens[i];
	}
	members[n] = NULL;
	/* Then every name that was pointed to begins and ends within the copy. */
	if (next != len)
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	*ret = (struct group){
	    .gr_name = name,
	    .gr_passwd = entry_put_star(name + name_len + 1),
	    .gr_gid = gid,
	    .gr_mem = members,
	};
	return NSS_STATUS_SUCCESS;
}

#endif
