/* SPDX-License-Identifier: MIT */
/*
 * A process that forks while another of its threads is mapping a new generation. The child has that
 * thread's half-done work and no such thread. Here it is made to happen at each of the module's
 * calls of mmap(), which this program's own mmap() stands in for.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include "nss/module.h"

enum { PLACES_MAX = 64, WILD = 3 };

static struct {
	uint8_t *at;
	size_t length;
} places[PLACES_MAX]; /* where the kernel has put what the module asked for */
static size_t nplaces;
static bool watching, wild;
static int fork_at; /* the number of the call to fork in; 0: none */
static struct module module;
static int child_status = -1;

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

static uint64_t seen(void)
{
	struct passwd p;
	char b[1024];
	int e = 0;

	watching = true;
	enum nss_status s = module.getpwnam("user0001", &p, b, sizeof(b), &e);

	watching = false;
	return s == NSS_STATUS_SUCCESS ? strtoull(p.pw_gecos, NULL, 10) : 0;
}

/* MAP_FIXED replaces whatever is there: it must be the module's own. */
static bool own(const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < nplaces; i++)
		if (at >= places[i].at && at + length <= places[i].at + places[i].length)
			return true;
	return false;
}

static void fork_here(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t got = seen();

		_exit(wild ? WILD : got == 3 ? 0 : 1);
	}
	waitpid(pid, &child_status, 0);
	watching = true;
}

void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (length + page - 1) & ~(page - 1);
	bool watched = watching;
	void *p;

	if (watched && fork_at > 0 && --fork_at == 0)
		fork_here();
	if (watched && flags & MAP_FIXED && !own(at, whole)) {
		wild = true;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	p = (void *)syscall(SYS_mmap, at, length, prot, flags, fd, offset);
	if (watched && !(flags & MAP_FIXED) && p != MAP_FAILED && nplaces < PLACES_MAX) {
		places[nplaces].at = p;
		places[nplaces++].length = whole;
	}
	return p;
}

TEST("D4 a child forked in the middle of a change of files maps over nothing but its own")
{
	for (int call = 1; call <= 3; call++) {
		module = module_load();
		nplaces = 0;
		publish(5, 1);
		EXPECT_INT(seen(), 1);
		publish(5, 2);
		EXPECT_INT(seen(), 2);
		EXPECT(nplaces == 2);
		/* The first place is too small for this one: room, zeros over the old, the file. */
		publish(3000, 3);
		fork_at = call;
		child_status = -1;
		EXPECT_INT(seen(), 3);
		EXPECT_INT(fork_at, 0);
		EXPECT(!wild);
		EXPECT(WIFEXITED(child_status));
		EXPECT_INT(WEXITSTATUS(child_status), 0);
	}
}

TEST_MAIN()
