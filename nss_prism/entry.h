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

/* The password field is "*": no file can make it one that lets anybody in. */
_hot_ bool entry_star(const char *s)
{
	return memcmp(s, "*", 2) == 0;
}

/* A record of a user, its numbers loaded and checked. */
struct person {
	const uint8_t *strings;
	uint32_t uid, ngids;
	uint16_t len, gecos, home, shell;
};

/* Three of 16 bits, in one word: whether each is below "end". */
_hot_ bool all_below(uint64_t three, uint64_t end)
{
	const uint64_t high = 0x800080008000;

	return (((three & high) | ((three | high) - end * 0x100010001)) & high) == 0 &&
	       end <= SNAP_ENTRY_MAX;
}

/* False: damaged. SNAP_ALIGN bytes of the record lie within the file. */
_hot_ bool person_load(const struct map_view *v, uint64_t at, struct person *ret)
{
	uint64_t ids = snap_load64(v->base + at), offsets = snap_load64(v->base + at + 8);

	*ret = (struct person){
	    .strings = v->base + at + sizeof(struct snap_person),
	    .uid = (uint32_t)ids,
	    .ngids = (uint32_t)(ids >> 32),
	    .len = (uint16_t)offsets,
	    .gecos = (uint16_t)(offsets >> 16),
	    .home = (uint16_t)(offsets >> 32),
	    .shell = (uint16_t)(offsets >> 48),
	};
	return __builtin_expect(all_below(offsets >> 16, ret->len) && ret->gecos > 3 &&
				    at + sizeof(struct snap_person) + ret->len <= v->size,
	    1);
}

/* What a lookup knows of a record's id: nothing, or which one it must be (and that it may). */
#define ANY_ID UINT64_MAX

_hot_ bool entry_id_right(uint64_t range, uint32_t id, uint64_t want)
{
	return want == ANY_ID ? map_id_allowed(range, id) : id == (uint32_t)want;
}

_hot_ enum nss_status person_give(const struct map_view *v, uint64_t at, uint64_t want,
    const struct caller *c, struct passwd *ret)
{
	struct person p;

	if (!person_load(v, at, &p))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!entry_id_right(map_load(&v->region->uids), p.uid, want))
		return NSS_STATUS_NOTFOUND;
	if (c->len < p.len)
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ERANGE);
	memcpy(c->buf, p.strings, p.len);
	if (c->buf[p.len - 1] != '\0' || !entry_star(c->buf + p.gecos - 2))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	*ret = (struct passwd){
	    .pw_name = c->buf,
	    .pw_passwd = c->buf + p.gecos - 2,
	    .pw_uid = p.uid,
	    .pw_gid = p.uid,
	    .pw_gecos = c->buf + p.gecos,
	    .pw_dir = c->buf + p.home,
	    .pw_shell = c->buf + p.shell,
	};
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
	struct person p;
	size_t end;
	char *name, **members;

	if (!person_load(v, at, &p))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!entry_id_right(map_load(&v->region->uids), p.uid, want))
		return NSS_STATUS_NOTFOUND;
	end = entry_pointers(c, 1, p.gecos);
	if (end == 0)
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ERANGE);
	name = c->buf + end;
	members = (char **)(void *)name - 1;
	members[0] = NULL;
	memcpy(name, p.strings, p.gecos);
	if (!entry_star(name + p.gecos - 2))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	*ret = (struct group){
	    .gr_name = name,
	    .gr_passwd = name + p.gecos - 2,
	    .gr_gid = p.uid,
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
	if (!entry_id_right(map_load(&v->region->gids), gid, want))
		return NSS_STATUS_NOTFOUND;
	end = entry_pointers(c, n + 1ull, len);
	if (end == 0)
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ERANGE);
	name = c->buf + end;
	members = (char **)(void *)name - n - 1;
	memcpy(name, strings, len);
	for (uint32_t i = 0; i < n; i++) {
		members[i] = name + next;
		next += lens[i];
	}
	members[n] = NULL;
	/* Then every name that was pointed to begins and ends within the copy. */
	if (next != len || name[len - 1] != '\0' || !entry_star(name + name_len + 1))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	*ret = (struct group){
	    .gr_name = name,
	    .gr_passwd = name + name_len + 1,
	    .gr_gid = gid,
	    .gr_mem = members,
	};
	return NSS_STATUS_SUCCESS;
}

#endif
