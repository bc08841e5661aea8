/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench/nss/floor.h"

typedef enum nss_status status_t;

status_t _nss_floor_getpwnam_r(const char *, struct passwd *, char *, size_t, int *);
status_t _nss_floor_getpwuid_r(uid_t, struct passwd *, char *, size_t, int *);
status_t _nss_floor_getgrnam_r(const char *, struct group *, char *, size_t, int *);
status_t _nss_floor_getgrgid_r(gid_t, struct group *, char *, size_t, int *);
status_t _nss_floor_initgroups_dyn(const char *, gid_t, long *, long *, gid_t **, long, int *);

static const char *table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void map_once(void)
{
	int fd = open(FLOOR_PATH, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	table = p == MAP_FAILED ? NULL : p;
}

static inline const struct floor_header *header(void)
{
	pthread_once(&once, map_once);
	return (const struct floor_header *)table;
}

static inline const void *find(const struct floor_header *h, enum floor_table t, uint64_t hash,
    const char *name, size_t n, uint32_t id)
{
	const struct floor_slot *slots = (const struct floor_slot *)(table + h->table[t]);

	for (uint64_t i = hash & h->mask[t]; slots[i].record != 0; i = (i + 1) & h->mask[t]) {
		const char *r = table + (uint64_t)slots[i].record * 64;
		const struct floor_group *g = (const struct floor_group *)r;

		if (slots[i].tag != (uint32_t)(hash >> 32))
			continue;
		if (t == FLOOR_PWNAM && memcmp(r + sizeof(struct floor_user), name, n + 1) == 0)
			return r;
		if (t == FLOOR_GRNAM &&
		    memcmp((const uint32_t *)(g + 1) + g->nmembers, name, n + 1) == 0)
			return r;
		if ((t == FLOOR_PWUID || t == FLOOR_GRGID) && *(const uint32_t *)r == id)
			return r;
	}
	return NULL;
}

static inline status_t no_room(int *errnop)
{
	*errnop = ERANGE;
	return NSS_STATUS_TRYAGAIN;
}

static inline status_t give_user(
    const struct floor_user *r, struct passwd *ret, char *buf, size_t len, int *errnop)
{
	if (!r)
		return NSS_STATUS_NOTFOUND;
	if (len < r->len)
		return no_room(errnop);
	memcpy(buf, r + 1, r->len);
	*ret = (struct passwd){
	    buf, buf + r->passwd, r->uid, r->gid, buf + r->gecos, buf + r->dir, buf + r->shell};
	return NSS_STATUS_SUCCESS;
}

static inline status_t give_group(
    const struct floor_group *r, struct group *ret, char *buf, size_t len, int *errnop)
{
	const uint32_t *offsets = (const uint32_t *)(r + 1);
	size_t pad = -(uintptr_t)buf & 7, pointers;
	char **members = (char **)(void *)(buf + pad), *s;

	if (!r)
		return NSS_STATUS_NOTFOUND;
	pointers = (r->nmembers + 1) * sizeof(char *);
	if (len < pad + pointers + r->len)
		return no_room(errnop);
	s = buf + pad + pointers;
	for (uint32_t i = 0; i < r->nmembers; i++)
		members[i] = s + offsets[i];
	members[r->nmembers] = NULL;
	memcpy(s, offsets + r->nmembers, r->len);
	*ret = (struct group){s, s + r->passwd, r->gid, members};
	return NSS_STATUS_SUCCESS;
}

status_t _nss_floor_getpwnam_r(const char *name, struct passwd *ret, char *buf, size_t len, int *e)
{
	const struct floor_header *h = header();
	size_t n = strlen(name);

	if (!h)
		return NSS_STATUS_UNAVAIL;
	return give_user(find(h, FLOOR_PWNAM, floor_hash(name, n), name, n, 0), ret, buf, len, e);
}

status_t _nss_floor_getpwuid_r(uid_t uid, struct passwd *ret, char *buf, size_t len, int *e)
{
	const struct floor_header *h = header();

	if (!h)
		return NSS_STATUS_UNAVAIL;
	return give_user(find(h, FLOOR_PWUID, floor_hash_id(uid), NULL, 0, uid), ret, buf, len, e);
}

status_t _nss_floor_getgrnam_r(const char *name, struct group *ret, char *buf, size_t len, int *e)
{
	const struct floor_header *h = header();
	size_t n = strlen(name);

	if (!h)
		return NSS_STATUS_UNAVAIL;
	return give_group(find(h, FLOOR_GRNAM, floor_hash(name, n), name, n, 0), ret, buf, len, e);
}

status_t _nss_floor_getgrgid_r(gid_t gid, struct group *ret, char *buf, size_t len, int *e)
{
	const struct floor_header *h = header();

	if (!h)
		return NSS_STATUS_UNAVAIL;
	return give_group(find(h, FLOOR_GRGID, floor_hash_id(gid), NULL, 0, gid), ret, buf, len, e);
}

status_t _nss_floor_initgroups_dyn(
    const char *name, gid_t skip, long *start, long *size, gid_t **groups, long limit, int *e)
{
	const struct floor_header *h = header();
	size_t n = strlen(name);
	const struct floor_user *r;

	if (!h)
		return NSS_STATUS_UNAVAIL;
	r = find(h, FLOOR_PWNAM, floor_hash(name, n), name, n, 0);
	if (!r)
		return NSS_STATUS_NOTFOUND;
	for (unsigned i = 0; i < r->ngids && (limit <= 0 || *start < limit); i++) {
		gid_t gid = floor_gids(r)[i];

		if (gid == skip)
			continue;
		if (*start == *size) {
			gid_t *p = realloc(*groups, 2 * (size_t)*size * sizeof(*p));

			if (!p)
				return no_room(e);
			*groups = p;
			*size *= 2;
		}
		(*groups)[(*start)++] = gid;
	}
	return NSS_STATUS_SUCCESS;
}
