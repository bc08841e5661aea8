/* SPDX-License-Identifier: MIT */
#include "entry.h"
#include "nss_prism.h"

/* Whether a user may have a name of this hash; no is certain. */
_hot_ bool filter_has(const struct map_view *v, uint64_t hash)
{
	uint64_t bits = snap_filter_bits(hash);
	struct snap_table words; /* as many bytes each as a slot */

	return map_table(v, SNAP_SEC_FILTER, &words) &&
	       (snap_slot_load(&words, hash) & bits) == bits;
}

_hot_ enum nss_status find_name(const struct map_view *v, const char *name, size_t n,
    const struct caller *c, struct group *result)
{
	bool split = (map_load(&v->region->flags) & SNAP_SPLIT_NAMES) != 0;
	bool of_group = snap_name_of_group(name, n);
	uint64_t hash = snap_hash_name(map_load(&v->region->seed), name, n), at;
	struct snap_table people;

	if (of_group || !split) {
		at = snap_find_name(
		    v->base, v->size, &v->table, hash, name, n, sizeof(struct snap_team));
		if (at != 0)
			return team_give(v, at, ANY_ID, c, result);
	}
	if ((!of_group || !split) && filter_has(v, hash) && map_table(v, SNAP_SEC_NAME, &people)) {
		at = snap_find_name(
		    v->base, v->size, &people, hash, name, n, sizeof(struct snap_person));
		if (at != 0)
			return private_give(v, at, ANY_ID, c, result);
	}
	return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_prism_getgrnam_r(
    const char *name, struct group *result, char *buffer, size_t buflen, int *errnop)
{
	const struct caller c = {buffer, buflen, errnop};
	size_t n = strlen(name);
	enum nss_status status;
	struct map_view v;

	do {
		if (!map_begin(&v, SNAP_SEC_GRNAM))
			return entry_no_data(errnop);
		status = n - 1 < SNAP_NAME_MAX ? find_name(&v, name, n, &c, result)
					       : NSS_STATUS_NOTFOUND;
	} while (map_changed(&v));
	return status;
}

/* An id outside a range cannot be in its table; where the ranges share ids both are asked. */
_hot_ enum nss_status find_gid(
    const struct map_view *v, gid_t gid, const struct caller *c, struct group *result)
{
	struct snap_table people;
	uint64_t at;

	if (map_id_allowed(map_load(&v->region->gids), gid)) {
		at = snap_find_id(v->base, v->size, &v->table, gid);
		if (at != 0)
			return team_give(v, at, gid, c, result);
	}
	if (map_id_allowed(map_load(&v->region->uids), gid) &&
	    map_table(v, SNAP_SEC_UID, &people)) {
		at = snap_find_id(v->base, v->size, &people, gid);
		if (at != 0)
			return private_give(v, at, gid, c, result);
	}
	return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_prism_getgrgid_r(
    gid_t gid, struct group *result, char *buffer, size_t buflen, int *errnop)
{
	const struct caller c = {buffer, buflen, errnop};
	enum nss_status status;
	struct map_view v;

	do {
		if (!map_begin(&v, SNAP_SEC_GID))
			return entry_no_data(errnop);
		status = find_gid(&v, gid, &c, result);
	} while (map_changed(&v));
	return status;
}
