/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/nss/data.h"
#include "bench/nss/ops.h"

#define BUFFER_SIZE (1u << 20)
#define GIDS_MAX    4096
#define ABSENT	    1000000 /* different keys that do not exist */

struct answer {
	char *buffer;
	gid_t *gids;
	struct passwd user;
	struct group group;
	long ngids;
	int error;
};

struct keys {
	struct key *all;
	size_t n;
	uint32_t last;
};

static struct keys users, groups;

/* ---- keys ------------------------------------------------------------------------------- */

static void load_file(const char *path, struct keys *ret)
{
	FILE *f = fopen(path, "re");
	size_t room = 0;
	char line[256];

	if (!f)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');
		struct key *k;

		if (!colon || colon - line >= (ptrdiff_t)sizeof(k->name))
			errx(2, "%s: %s", path, line);
		*colon = '\0';
		if (ret->n == room) {
			room = room > 0 ? 2 * room : 1024;
			ret->all = realloc(ret->all, room * sizeof(*ret->all));
			if (!ret->all)
				err(2, "keys");
		}
		k = &ret->all[ret->n++];
		memset(k, 0, sizeof(*k));
		memcpy(k->name, line, strlen(line));
		k->id = (uint32_t)strtoul(colon + 1, NULL, 10);
		if (k->id > ret->last)
			ret->last = k->id;
	}
	fclose(f);
	if (ret->n == 0)
		errx(2, "%s: empty", path);
}

void keys_load(const char *users_path, const char *groups_path)
{
	load_file(users_path, &users);
	load_file(groups_path, &groups);
}

static uint64_t random_next(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Absent names look like those that exist, absent ids lie above the highest in use. */
void key_fill(struct key *k, const struct op *op, uint64_t *seed)
{
	const struct keys *from = op->of_group ? &groups : &users;
	const struct key *one = &from->all[random_next(seed) % from->n];

	*k = *one;
	if (!op->miss)
		return;
	snprintf(k->name, sizeof(k->name), "%.2sx%06u%.20s", one->name,
	    (unsigned)(random_next(seed) % ABSENT), one->name + 2);
	k->id = from->last + 1000 + (uint32_t)(random_next(seed) % ABSENT);
}

/* ---- calls ------------------------------------------------------------------------------ */

static int outcome(enum nss_status s)
{
	return s == NSS_STATUS_SUCCESS ? 1 : s == NSS_STATUS_NOTFOUND ? 0 : -1;
}

static int call_pwnam(const struct module *m, struct answer *a, const struct key *k)
{
	return outcome(m->getpwnam(k->name, &a->user, a->buffer, BUFFER_SIZE, &a->error));
}

static int call_pwuid(const struct module *m, struct answer *a, const struct key *k)
{
	return outcome(m->getpwuid(k->id, &a->user, a->buffer, BUFFER_SIZE, &a->error));
}

static int call_grnam(const struct module *m, struct answer *a, const struct key *k)
{
	return outcome(m->getgrnam(k->name, &a->group, a->buffer, BUFFER_SIZE, &a->error));
}

static int call_grgid(const struct module *m, struct answer *a, const struct key *k)
{
	return outcome(m->getgrgid(k->id, &a->group, a->buffer, BUFFER_SIZE, &a->error));
}

static int call_initgr(const struct module *m, struct answer *a, const struct key *k)
{
	long start = 1, size = GIDS_MAX;
	enum nss_status s = m->initgroups(k->name, k->id, &start, &size, &a->gids, -1, &a->error);

	a->ngids = start;
	return outcome(s) < 0 ? -1 : start > 1;
}

#define FUNCTION(f) offsetof(struct module, f)

const struct op ops[] = {
    {"pwnam", false, false, call_pwnam, FUNCTION(getpwnam)},
    {"pwnam_miss", false, true, call_pwnam, FUNCTION(getpwnam)},
    {"pwuid", false, false, call_pwuid, FUNCTION(getpwuid)},
    {"pwuid_miss", false, true, call_pwuid, FUNCTION(getpwuid)},
    {"grnam", true, false, call_grnam, FUNCTION(getgrnam)},
    {"grnam_miss", true, true, call_grnam, FUNCTION(getgrnam)},
    {"grnam_none", false, true, call_grnam, FUNCTION(getgrnam)},
    {"grgid", true, false, call_grgid, FUNCTION(getgrgid)},
    {"grgid_miss", true, true, call_grgid, FUNCTION(getgrgid)},
    {"initgr", false, false, call_initgr, FUNCTION(initgroups)},
    {"initgr_miss", false, true, call_initgr, FUNCTION(initgroups)},
    {0},
};

bool op_present(const struct op *op, const struct module *m)
{
	void *function;

	memcpy(&function, (const char *)m + op->function, sizeof(function));
	return function != NULL;
}

struct answer *answer_new(void)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		err(2, "answer");
	a->buffer = malloc(BUFFER_SIZE);
	a->gids = calloc(GIDS_MAX, sizeof(gid_t));
	if (!a->buffer || !a->gids)
		err(2, "answer");
	/* No page fault of the caller's own in the part that is timed. */
	memset(a->buffer, 1, BUFFER_SIZE);
	return a;
}

bool answer_right(const struct op *op, const struct answer *a, const struct key *k)
{
	if (op->call == call_initgr)
		return a->ngids == 1 + DATA_MEMBER_OF;
	if (op->of_group)
		return a->group.gr_gid == k->id && strcmp(a->group.gr_name, k->name) == 0;
	return a->user.pw_uid == k->id && strcmp(a->user.pw_name, k->name) == 0;
}

/* Every key once, for who answers from a cache. */
void keys_prime(const struct op *op, const struct module *m, struct answer *a)
{
	const struct keys *from = op->of_group ? &groups : &users;

	for (size_t i = 0; i < from->n && !op->miss; i++)
		op->call(m, a, &from->all[i]);
}

/* ---- glibc's own functions, as everybody calls them ------------------------------------- */

static enum nss_status status_of(int error, const void *found)
{
	if (error != 0)
		return error == ERANGE ? NSS_STATUS_TRYAGAIN : NSS_STATUS_UNAVAIL;
	return found ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

static enum nss_status glibc_pwnam(const char *name, struct passwd *p, char *b, size_t n, int *e)
{
	struct passwd *found = NULL;

	*e = getpwnam_r(name, p, b, n, &found);
	return status_of(*e, found);
}

static enum nss_status glibc_pwuid(uid_t uid, struct passwd *p, char *b, size_t n, int *e)
{
	struct passwd *found = NULL;

	*e = getpwuid_r(uid, p, b, n, &found);
	return status_of(*e, found);
}

static enum nss_status glibc_grnam(const char *name, struct group *g, char *b, size_t n, int *e)
{
	struct group *found = NULL;

	*e = getgrnam_r(name, g, b, n, &found);
	return status_of(*e, found);
}

static enum nss_status glibc_grgid(gid_t gid, struct group *g, char *b, size_t n, int *e)
{
	struct group *found = NULL;

	*e = getgrgid_r(gid, g, b, n, &found);
	return status_of(*e, found);
}

static enum nss_status glibc_initgroups(
    const char *user, gid_t group, long *start, long *size, gid_t **to, long limit, int *e)
{
	int n = (int)*size;

	(void)limit;
	*e = 0;
	if (getgrouplist(user, group, *to, &n) < 0)
		return NSS_STATUS_TRYAGAIN;
	*start = n;
	return NSS_STATUS_SUCCESS;
}

static const struct module glibc = {
    .getpwnam = glibc_pwnam,
    .getpwuid = glibc_pwuid,
    .getgrnam = glibc_grnam,
    .getgrgid = glibc_grgid,
    .initgroups = glibc_initgroups,
};

/* ---- modules ---------------------------------------------------------------------------- */

static void *function_of(void *module, const char *service, const char *function)
{
	char symbol[128];

	snprintf(symbol, sizeof(symbol), "_nss_%s_%s", service, function);
	return dlsym(module, symbol);
}

void module_load(const char *path, struct module *ret)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct module m = {.name = "files"};
	void *h = RTLD_DEFAULT;

	if (strncmp(path, "glibc:", 6) == 0) {
		m = glibc;
		snprintf(m.name, sizeof(m.name), "%s", path + 6);
		*ret = m;
		return;
	}
	if (strcmp(path, "libc") != 0) {
		if (sscanf(base, "libnss_%31[^.]", m.name) != 1)
			errx(2, "%s: not libnss_NAME.so.2", path);
		h = dlopen(path, RTLD_NOW);
		if (!h)
			errx(2, "%s", dlerror());
	}
	*(void **)&m.getpwnam = function_of(h, m.name, "getpwnam_r");
	*(void **)&m.getpwuid = function_of(h, m.name, "getpwuid_r");
	*(void **)&m.getgrnam = function_of(h, m.name, "getgrnam_r");
	*(void **)&m.getgrgid = function_of(h, m.name, "getgrgid_r");
	*(void **)&m.initgroups = function_of(h, m.name, "initgroups_dyn");
	*ret = m;
}
