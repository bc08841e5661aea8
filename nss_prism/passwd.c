/* SPDX-License-Identifier: MIT */
#include "entry.h"
#include "nss_prism.h"

enum nss_status person_give_any(const struct map_region *region, const uint8_t *record,
    uint64_t left, uint64_t want, char *buf, size_t len, int *errnop, struct passwd *ret)
{
	const struct caller c = {buf, len, errnop};
	const struct map_view v = {.region = region, .base = record, .size = left};
	struct person p = person_load(&v, 0);
	size_t n = person_len(&p);

	if (n > SNAP_ENTRY_MAX || !person_sound(&p) || !person_has(&v, 0, n))
		return entry_fail(&c, NSS_STATUS_UNAVAIL, EBADMSG);
	if (!entry_id_right(&region->uids, person_uid(&p), want))
		return NSS_STATUS_NOTFOUND;
	if (len < n)
		return entry_fail(&c, NSS_STATUS_TRYAGAIN, ERANGE);
	memcpy(buf, person_strings(&v, 0), n);
	person_fill(&p, person_uid(&p), buf, ret);
	return NSS_STATUS_SUCCESS;
}

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
			    snap_hash_name(map_load(&v.region->seed), name, n), name, n,
			    sizeof(struct snap_person));
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
