/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "audit.h"
#include "base/clock.h"
#include "base/io.h"
#include "command.h"
#include "host_feed.h"

#define PATH_SIZE 600

struct paths {
	const char *database;
	char fresh[PATH_SIZE], kept[PATH_SIZE];
};

/* "2026-05-03T09:00:00Z" without the colons, for a file's name. */
static void name_files(const char *database, struct paths *p)
{
	char now[CLOCK_TEXT], stamp[CLOCK_TEXT];
	size_t n = 0;

	clock_format(clock_now(), now);
	for (const char *s = now; *s; s++)
		if (*s != ':' && *s != '-')
			stamp[n++] = *s;
	stamp[n] = '\0';
	p->database = database;
	snprintf(p->fresh, sizeof(p->fresh), "%s.restoring", database);
	snprintf(p->kept, sizeof(p->kept), "%s.before-restore-%s", database, stamp);
}

static int with_suffix(const char *path, const char *suffix, char out[static PATH_SIZE])
{
	int n = snprintf(out, PATH_SIZE, "%s%s", path, suffix);
	return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* Hosts must learn that history was rewound: before the restored database is ever served. */
static int mark_restored(struct tx *t, void *arg)
{
	int r = feed_restore_epoch(t);

	return r < 0 ? r : audit_append(t, NULL, "database.restore", "deployment", NULL);
}

static int prepare_copy(const char *from, const struct paths *p)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	_cleanup_store_ struct store *s = NULL;
	char path[PATH_SIZE], url[PATH_SIZE + 16];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (with_suffix(p->fresh, suffixes[i], path) == 0)
			unlink(path);
	int r = store_copy(from, p->fresh);
	if (r < 0)
		return r;
	snprintf(url, sizeof(url), "sqlite:%s", p->fresh);
	r = store_open(url, &s);
	if (r == 0)
		r = migrate_run(s);
	return r < 0 ? r : store_tx(s, STORE_WRITE, mark_restored, NULL);
}

/* What the old database has not written back yet must not be taken for the new one's. */
static int keep_old(const struct paths *p)
{
	static const char *const suffixes[] = {"-wal", "-shm"};
	char from[PATH_SIZE], to[PATH_SIZE];

	if (link(p->database, p->kept) < 0)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		int r = with_suffix(p->database, suffixes[i], from);
		if (r == 0)
			r = with_suffix(p->kept, suffixes[i], to);
		if (r < 0)
			return r;
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int replace(const struct config *cfg, const struct paths *p)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int r = state_owner(cfg, &uid, &gid);

	if (r == 0 && geteuid() == 0 && chown(p->fresh, uid, gid) < 0)
		r = -errno;
	if (r == 0)
		r = keep_old(p);
	if (r == 0 && rename(p->fresh, p->database) < 0)
		r = -errno;
	return r < 0 ? r : io_sync_parent(p->database);
}

int command_restore(int argc, char **argv, struct config *cfg)
{
	const char *database = store_path(cfg->database);
	struct paths p;

	if (argc != 2)
		return command_usage("restore FILE");
	if (!database)
		return command_failed(
		    "%s: only a database of SQLite is restored like this", cfg->database);
	_cleanup_close_ int lock = state_lock(cfg);
	if (lock < 0)
		return command_failed("%s: %s", cfg->state_dir, state_error(lock));
	if (access(argv[1], R_OK) < 0)
		return command_failed("%s: %s", argv[1], strerror(errno));
	int r = store_check(argv[1]);
	if (r < 0)
		return command_failed("%s: %s", argv[1], state_error(r));
	name_files(database, &p);
	r = prepare_copy(argv[1], &p);
	if (r == 0)
		r = replace(cfg, &p);
	if (r < 0) {
		unlink(p.fresh);
		return command_failed("%s: %s", database, state_error(r));
	}
	printf("%s is restored from %s.\n", database, argv[1]);
	if (access(p.kept, F_OK) == 0)
		printf("What was there before is in %s.\n", p.kept);
	return EXIT_OK;
}
