/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "entry.h"
#include "nss_prism.h"

/* The caller's array, as glibc hands it over: "size" elements of which "start" are in use. */
struct array {
	gid_t **groups;
	long *size;
	long limit; /* 0 or less: none */
};

/* Room for so many elements, or for "limit" of them. */
static bool array_grow(const struct array *a, long need)
{
	long size = *a->size > 0 ? *a->size : 1;
	int saved = errno;
	gid_t *p;

	if (a->limit > 0 && need > a->limit)
		need = a->limit;
	if (need <= *a->size)
		return true;
	while (size < need)
		size *= 2;
	if (a->limit > 0 && size > a->limit)
		size = a->limit;
	p = realloc(*a->groups, (size_t)size * sizeof(*p));
	errno = saved;
	if (!p)
		return false;
	*a->groups = p;
	*a->size = size;
	return true;
}

/* Appends behind *end. What lies behind *end in the array is nobody's until it is moved. */
_hot_ enum nss_status append(const struct map_view *v, uint64_t at, gid_t skip,
    const struct array *a, const struct caller *c, long *end)
{
	uint64_t gids = map_load(&v->region->gids), first;
	struct person p;
	long room, to;
	gid_t *out;

	if (!person_load(v, at, &p))
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!map_id_allowed(map_load(&v->region->uids), p.uid))
		return NSS_STATUS_NOTFOUND;
	first = at + sizeof(struct snap_person) + ((p.len + 3u) & ~3u);
	if (p.ngids > SNAP_GROUPS_MAX || first + 4ull * p.ngids > v->size)
		return entry_fail(c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!array_grow(a, *end + (long)p.ngids))
		return entry_fail(c, NSS_STATUS_TRYAGAIN, ENOMEM);
	room = a->limit > 0 && a->limit < *a->size ? a->limit : *a->size;
	out = *a->groups;
	to = *end;
	for (uint32_t i = 0; i < p.ngids && to < room; i++) {
		gid_t gid = snap_load32(v->base + first + 4ull * i);

		/* A gid that is the system's own would be real power: it goes nowhere. */
		if (gid != skip && map_id_allowed(gids, gid))
			out[to++] = gid;
	}
	*end = to;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_prism_initgroups_dyn(const char *user, gid_t group, long *start, long *size,
    gid_t **groupsp, long limit, int *errnop)
{
	const struct caller c = {.errnop = errnop};
	const struct array a = {groupsp, size, limit};
	size_t n = strlen(user);
	enum nss_status status;
	struct map_view v;
	long end;

	do {
		uint64_t at = 0;

		end = *start;
		if (!map_begin(&v, SNAP_SEC_NAME))
			return entry_no_data(errnop);
		if (n - 1 < SNAP_NAME_MAX)
			at = snap_find_name(v.base, v.size, &v.table,
			    snap_hash_name(v.seed, user, n), user, n, sizeof(struct snap_person));
		status = at == 0 ? NSS_STATUS_NOTFOUND : append(&v, at, group, &a, &c, &end);
	} while (map_changed(&v));
	if (status == NSS_STATUS_SUCCESS)
		*start = end;
	return status;
}
