/* SPDX-License-Identifier: MIT */
#include "entry.h"
#include "nss_prism.h"

_hot_ enum nss_status find_name(const struct map_view *v, const char *name, size_t n,
    const struct caller *c, struct group *result)
{
	uint64_t hash = snap_hash_name(map_load(&v->region->seed), name, n), at;
	bool split = (map_load(&v->region->flags) & SNAP_SPLIT_NAMES) != 0;
	bool of_group = snap_name_of_group(name, n);
	struct snap_table t;

	if ((of_group || !split) && map_table(v, SNAP_SEC_GRNAM, &t)) {
		at = snap_find_name(v->base, v->size, &t, hash, name, n, sizeof(struct snap_team));
		if (at != 0)
			return team_give(v, at, c, result);
	}
	if ((!of_group || !split) && map_table(v, SNAP_SEC_NAME, &t)) {
		at =
		    snap_find_name(v->base, v->size, &t, hash, name, n, sizeof(struct snap_person));
		if (at != 0)
			return private_give(v, at, c, result);
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
		if (!map_begin(&v))
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
	struct snap_table t;
	uint64_t at;

	if (map_id_allowed(map_load(&v->region->gids), gid) && map_table(v, SNAP_SEC_GID, &t)) {
		at = snap_find_id(v->base, v->size, &t, gid);
		if (at != 0)
			return team_give(v, at, c, result);
	}
	if (map_id_allowed(map_load(&v->region->uids), gid) && map_table(v, SNAP_SEC_UID, &t)) {
		at = snap_find_id(v->base, v->size, &t, gid);
		if (at != 0)
			return private_give(v, at, c, result);
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
		if (!map_begin(&v))
			return entry_no_data(errnop);
		status = find_gid(&v, gid, &c, result);
		if (status == NSS_STATUS_SUCCESS && result->gr_gid != gid)
			status = entry_fail(&c, NSS_STATUS_UNAVAIL, EBADMSG);
	} while (map_changed(&v));
	return status;
}
