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

/*
 * The group ids of a user's record, copied behind *end. What lies there in the array is nobody's
 * until *end has moved. Of the record's strings only their length is of interest here.
 */
static __attribute__((__noinline__)) enum nss_status append(const struct map_region *region,
    const uint8_t *record, uint64_t left, gid_t primary, const struct array *a, long *end)
{
	uint64_t gids = map_load(&region->gids), ids = snap_load64(record);
	uint32_t len = (uint16_t)snap_load64(record + 8);
	const uint8_t *next = record + sizeof(struct snap_person) + ((len + 3) & ~3u);
	uint64_t n = ids >> 32;
	long room = *a->size, to = *end;
	gid_t *out = *a->groups;

	if (!map_id_allowed(map_load(&region->uids), (uint32_t)ids))
		return NSS_STATUS_NOTFOUND;
	/* Not their private group: the name is a local account's. getent(1) does not know one. */
	if (primary != (gid_t)ids && primary != (gid_t)-1)
		return NSS_STATUS_NOTFOUND;
	if (n > SNAP_GROUPS_MAX || (uint64_t)(next - record) + n * sizeof(gid_t) > left)
		return NSS_STATUS_UNAVAIL;
	if (to + (long)n > room || a->limit > 0) {
		if (!array_grow(a, to + (long)n))
			return NSS_STATUS_TRYAGAIN;
		room = a->limit > 0 && a->limit < *a->size ? a->limit : *a->size;
		out = *a->groups;
	}
	for (const uint8_t *last = next + n * sizeof(gid_t); next < last && to < room;
	     next += sizeof(gid_t)) {
		gid_t gid = snap_load32(next);

		/* A gid that is the system's own would be real power: it goes nowhere. */
		if (map_id_allowed(gids, gid))
			out[to++] = gid;
	}
	*end = to;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_prism_initgroups_dyn(const char *user, gid_t group, long *start, long *size,
    gid_t **groupsp, long limit, int *errnop)
{
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
			    snap_hash_name(map_load(&v.region->seed), user, n), user, n,
			    sizeof(struct snap_person));
		status = at == 0 ? NSS_STATUS_NOTFOUND
				 : append(v.region, v.base + at, v.size - at, group, &a, &end);
	} while (map_changed(&v));
	if (status == NSS_STATUS_SUCCESS)
		*start = end;
	else if (status != NSS_STATUS_NOTFOUND)
		*errnop = status == NSS_STATUS_TRYAGAIN ? ENOMEM : EBADMSG;
	return status;
}
