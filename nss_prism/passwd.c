/* SPDX-License-Identifier: MIT */
#include "entry.h"
#include "nss_prism.h"

enum nss_status _nss_prism_getpwnam_r(
    const char *name, struct passwd *result, char *buffer, size_t buflen, int *errnop)
{
	const struct caller c = {buffer, buflen, errnop};
	size_t n = strlen(name);
	enum nss_status status;
	struct map_view v;

	do {
		uint64_t at = 0;

		if (!map_begin(&v, SNAP_SEC_NAME))
			return entry_no_data(errnop);
		if (n - 1 < SNAP_NAME_MAX)
			at = snap_find_name(v.base, v.size, &v.table,
			    snap_hash_name(v.seed, name, n), name, n, sizeof(struct snap_person));
		status = at == 0 ? NSS_STATUS_NOTFOUND : person_give(&v, at, ANY_ID, &c, result);
	} while (map_changed(&v));
	return status;
}

enum nss_status _nss_prism_getpwuid_r(
    uid_t uid, struct passwd *result, char *buffer, size_t buflen, int *errnop)
{
	const struct caller c = {buffer, buflen, errnop};
	enum nss_status status;
	struct map_view v;

	do {
		uint64_t at = 0;

		if (!map_begin(&v, SNAP_SEC_UID))
			return entry_no_data(errnop);
		if (map_id_allowed(map_load(&v.region->uids), uid))
			at = snap_find_id(v.base, v.size, &v.table, uid);
		status = at == 0 ? NSS_STATUS_NOTFOUND : person_give(&v, at, uid, &c, result);
	} while (map_changed(&v));
	return status;
}
