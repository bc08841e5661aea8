/* SPDX-License-Identifier: MIT */
/*
 * A process that lives while generations come and go: it follows them, disturbs nothing, and makes
 * no system call that it need not make.
 */
#include <dirent.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include "nss/module.h"

/* Publish a generation whose number is everybody's gecos. */
static void publish(size_t nusers, uint64_t generation)
{
	struct world *w = world_new(nusers, 4);
	char gecos[32];

	snprintf(gecos, sizeof(gecos), "%llu", (unsigned long long)generation);
	for (size_t i = 0; i < nusers; i++)
		w->users[i].u.gecos = gecos;
	if (world_publish(w, module_dir(), generation) != 0)
		abort();
	world_free(w);
}

/* The generation that a lookup sees; 0: it failed. */
static uint64_t seen(const struct module *m)
{
	struct passwd p;
	char b[1024];
	int e = 0;

	if (m->getpwnam("user0001", &p, b, sizeof(b), &e) != NSS_STATUS_SUCCESS)
		return 0;
	return strtoull(p.pw_gecos, NULL, 10);
}

static void remove_snapshot(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", module_dir(), SNAPSHOT_IDENTITY);
	unlink(path);
}

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Run fn in a child, which says what went wrong by its exit status: 0 is well. */
static int in_child(int (*fn)(const struct module *m), const struct module *m)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn(m));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST("D4 the lookup after a publication sees it, through 200 generations of changing size")
{
	struct module m = module_load();
	unsigned fds;

	publish(5, 1);
	EXPECT_INT(seen(&m), 1);
	fds = count_fds();
	for (uint64_t g = 2; g <= 200; g++) {
		publish(5 + g * g % 997, g);
		errno = 4711;
		EXPECT_INT(seen(&m), g);
		EXPECT_INT(errno, 4711);
	}
	EXPECT_INT(count_fds(), fds);
}

/* How many mappings of snapshots there are. */
static size_t mapped_files(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	size_t n = 0;

	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/snap/") != NULL;
	fclose(f);
	return n;
}

TEST("D6 after growing and shrinking it keeps two files at most")
{
	struct module m = module_load();
	size_t before = mapped_files();

	for (uint64_t g = 1; g < 60; g++) {
		publish(10 + g % 7 * 100 * g, g);
		EXPECT_INT(seen(&m), g);
		EXPECT(mapped_files() - before <= 2);
	}
}

TEST("D4 a file that appears later is picked up, within two seconds")
{
	struct module m = module_load();
	uint64_t got = 0;

	remove_snapshot();
	EXPECT_INT(seen(&m), 0);
	publish(5, 7);
	for (int i = 0; i < 40 && got == 0; i++) {
		got = seen(&m);
		sleep_ms(50);
	}
	EXPECT_INT(got, 7);
}

TEST("D6 a file that goes away leaves the old data")
{
	struct module m = module_load();

	publish(5, 1);
	EXPECT_INT(seen(&m), 1);
	remove_snapshot();
	EXPECT_INT(seen(&m), 1);
}

TEST("D6 after dlclose() pointers into it still work")
{
	struct module m = module_load();

	publish(5, 1);
	EXPECT_INT(seen(&m), 1);
	EXPECT_INT(dlclose(m.handle), 0);
	EXPECT_INT(seen(&m), 1);
	publish(5, 2);
	EXPECT_INT(seen(&m), 2);
}

/* Everything that a login or an ls asks, found and not found; 0 if all answers are right. */
static int ask(const struct module *m)
{
	static char b[1 << 16];
	static gid_t array[64];
	long start = 1, size = 64;
	gid_t *gids = array;
	struct passwd p;
	struct group g;
	int e = 0;

	return m->getpwnam("user0001", &p, b, sizeof(b), &e) != NSS_STATUS_SUCCESS ||
	       m->getpwnam("user9999x", &p, b, sizeof(b), &e) != NSS_STATUS_NOTFOUND ||
	       m->getpwuid(WORLD_UID, &p, b, sizeof(b), &e) != NSS_STATUS_SUCCESS ||
	       m->getpwuid(0, &p, b, sizeof(b), &e) != NSS_STATUS_NOTFOUND ||
	       m->getpwuid(55555, &p, b, sizeof(b), &e) != NSS_STATUS_NOTFOUND ||
	       m->getgrnam("p-alpha", &g, b, sizeof(b), &e) != NSS_STATUS_SUCCESS ||
	       m->getgrnam("user0002", &g, b, sizeof(b), &e) != NSS_STATUS_SUCCESS ||
	       m->getgrnam("p-none", &g, b, sizeof(b), &e) != NSS_STATUS_NOTFOUND ||
	       m->getgrgid(WORLD_GID + 2, &g, b, sizeof(b), &e) != NSS_STATUS_SUCCESS ||
	       m->getgrgid(27, &g, b, sizeof(b), &e) != NSS_STATUS_NOTFOUND ||
	       m->getpwnam("user0001", &p, b, 3, &e) != NSS_STATUS_TRYAGAIN ||
	       m->initgroups("user0003", WORLD_UID + 3, &start, &size, &gids, -1, &e) !=
		   NSS_STATUS_SUCCESS ||
	       m->initgroups("nobody", 1, &start, &size, &gids, -1, &e) != NSS_STATUS_NOTFOUND;
}

/* From here on the kernel kills the process at any call but read, write and exit. */
static int ask_without_calls(const struct module *m)
{
	int bad = ask(m);

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		_exit(77);
	for (int i = 0; i < 10000 && bad == 0; i++)
		bad = ask(m);
	syscall(SYS_exit, bad);
	return 0;
}

TEST("D4 no system call in a warm lookup, found, not found or too small a buffer")
{
	struct module m = module_load();
	int r;

	publish(100, 1);
	r = in_child(ask_without_calls, &m);
	if (r == 77)
		SKIP("no strict seccomp here");
	EXPECT_INT(r, 0);
}

static int wait_for_parent[2];

/* In a chroot, with the current file superseded: old data, and an attempt once a second. */
static int stay_in_chroot(const struct module *m)
{
	char byte;
	int bad;

	if (seen(m) != 1 || chroot(test_tmpdir()) < 0)
		return 77;
	/* The parent publishes. */
	if (read(wait_for_parent[0], &byte, 1) != 1)
		return 2;
	bad = seen(m) != 1;
	/* That was this second's attempt: the next ones make no call. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		_exit(77);
	for (int i = 0; i < 20000; i++)
		bad |= seen(m) != 1;
	syscall(SYS_exit, bad);
	return 0;
}

TEST("D6 in a chroot: the old data stay, and looking for new ones is rare")
{
	struct module m = module_load();
	int status = 0;
	pid_t pid;

	publish(100, 1);
	EXPECT_INT(pipe(wait_for_parent), 0);
	pid = fork();
	if (pid == 0)
		_exit(stay_in_chroot(&m));
	sleep_ms(100);
	publish(100, 2);
	EXPECT_INT(write(wait_for_parent[1], "x", 1), 1);
	waitpid(pid, &status, 0);
	close(wait_for_parent[0]);
	close(wait_for_parent[1]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no chroot or no strict seccomp here");
	EXPECT_INT(status, 0);
}

/* No room for more address space: old data until there is. */
static int starve(const struct module *m)
{
	struct rlimit tight = {1 << 20, RLIM_INFINITY}, wide = {RLIM_INFINITY, RLIM_INFINITY};
	uint64_t got = 0;

	if (seen(m) != 1 || setrlimit(RLIMIT_AS, &tight) < 0)
		return 77;
	if (seen(m) != 1)
		return 1;
	if (setrlimit(RLIMIT_AS, &wide) < 0)
		return 2;
	publish(20000, 2);
	if (setrlimit(RLIMIT_AS, &tight) < 0)
		return 2;
	for (int i = 0; i < 1000; i++)
		if (seen(m) != 1)
			return 3;
	if (setrlimit(RLIMIT_AS, &wide) < 0)
		return 2;
	for (int i = 0; i < 60 && got != 2; i++) {
		got = seen(m);
		sleep_ms(50);
	}
	return got == 2 ? 0 : 4;
}

TEST("D4 without address space the old data stay, and the new ones come when there is some")
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	SKIP("the sanitizer needs address space");
#endif
	struct module m = module_load();
	int r;

	publish(100, 1);
	r = in_child(starve, &m);
	if (r == 77)
		SKIP("no RLIMIT_AS here");
	EXPECT_INT(r, 0);
}

TEST_MAIN()
