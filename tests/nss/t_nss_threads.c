/* SPDX-License-Identifier: MIT */
/*
 * Threads that look up while another publishes as fast as it can, and children that are forked in
 * the midst of it. Also built and run with -fsanitize=thread (t-nss-tsan.sh).
 */
#include <pthread.h>
#include <time.h>
#include "nss/module.h"

#define READERS	    3
#define USERS_LEAST 50

static struct module module;
static int stop; /* __atomic */
static uint64_t lookups, published;
static char failure[256];
static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what, unsigned long long a, unsigned long long b)
{
	pthread_mutex_lock(&failure_lock);
	if (!failure[0])
		snprintf(failure, sizeof(failure), "%s: %llu, %llu", what, a, b);
	pthread_mutex_unlock(&failure_lock);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sizes go up and down so that regions are reused and outgrown. */
static void publish(uint64_t generation)
{
	size_t nusers = USERS_LEAST + generation * generation % 1500;
	struct world *w = world_new(nusers, 4);
	char gecos[32];

	snprintf(gecos, sizeof(gecos), "%llu", (unsigned long long)generation);
	for (size_t i = 0; i < nusers; i++)
		w->users[i].u.gecos = gecos;
	if (world_publish(w, module_dir(), generation) != 0)
		abort();
	world_free(w);
	__atomic_store_n(&published, generation, __ATOMIC_RELEASE);
}

static void *publisher(void *arg)
{
	for (uint64_t g = 2; !__atomic_load_n(&stop, __ATOMIC_RELAXED); g++)
		publish(g);
	return arg;
}

/* One user, whole and of one generation. Returns that generation. */
static uint64_t check_user(uint64_t i)
{
	struct passwd p;
	char name[40], home[80], b[512];
	int e = 0;

	snprintf(name, sizeof(name), "user%04llu", (unsigned long long)i);
	snprintf(home, sizeof(home), "/efs/home/%s", name);
	if ((i % 2 ? module.getpwnam(name, &p, b, sizeof(b), &e)
		   : module.getpwuid(WORLD_UID + (uid_t)i, &p, b, sizeof(b), &e)) !=
	    NSS_STATUS_SUCCESS) {
		fail("a user is not there, errno", i, (unsigned)e);
		return 0;
	}
	if (strcmp(p.pw_name, name) != 0 || strcmp(p.pw_dir, home) != 0 ||
	    strcmp(p.pw_shell, "/bin/bash") != 0 || p.pw_uid != WORLD_UID + i)
		fail("a user is mixed up, of generation", i, strtoull(p.pw_gecos, NULL, 10));
	return strtoull(p.pw_gecos, NULL, 10);
}

static void check_group(char *b, size_t size)
{
	struct group g;
	size_t n = 0;
	char name[40];
	int e = 0;

	if (module.getgrnam("p-alpha", &g, b, size, &e) != NSS_STATUS_SUCCESS) {
		fail("a group is not there, errno", (unsigned)e, 0);
		return;
	}
	for (; g.gr_mem[n]; n++) {
		snprintf(name, sizeof(name), "user%04zu", n);
		if (strcmp(g.gr_mem[n], name) != 0)
			fail("a wrong member", n, 0);
	}
	if (n < USERS_LEAST)
		fail("too few members", n, 0);
}

static void *reader(void *arg)
{
	uint64_t last = 0, n = 0, i = (uintptr_t)arg;
	double fresh = seconds();
	size_t size = 1 << 16;
	char *b = malloc(size);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t least = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
		uint64_t g = check_user(i = (i * 31 + 7) % USERS_LEAST);

		if (g < last)
			fail("back in time", last, g);
		/* Another thread may be about to map it, and not get to run for a while. */
		if (g >= least)
			fresh = seconds();
		else if (seconds() > fresh + 0.9)
			fail("published but not seen", least, g);
		last = g;
		if (n++ % 64 == 0)
			check_group(b, size);
	}
	__atomic_fetch_add(&lookups, n, __ATOMIC_RELAXED);
	free(b);
	return NULL;
}

static void start(pthread_t threads[READERS + 1])
{
	remove(module_dir());
	module = module_load();
	publish(1);
	stop = 0;
	lookups = 0;
	failure[0] = '\0';
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, reader, (void *)i);
	pthread_create(&threads[READERS], NULL, publisher, NULL);
}

static void finish(pthread_t threads[READERS + 1])
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i <= READERS; i++)
		pthread_join(threads[i], NULL);
	printf("# %llu lookups, %llu generations\n", (unsigned long long)lookups,
	    (unsigned long long)published);
	if (failure[0])
		test_fail(__FILE__, __LINE__, "%s", failure);
	EXPECT(lookups > 1000);
	EXPECT(published > 5);
}

TEST("D6 threads follow a publisher: every entry whole, none lost, never back in time")
{
	pthread_t threads[READERS + 1];
	double end = seconds() + 4;

	start(threads);
	while (seconds() < end && !__atomic_load_n(&stop, __ATOMIC_RELAXED))
		usleep(10000);
	finish(threads);
}

#ifndef __SANITIZE_THREAD__ /* its runtime does not support fork() with threads */
TEST("D6 children forked in the midst of it follow too, whatever a thread was doing")
{
	pthread_t threads[READERS + 1];
	unsigned bad = 0;

	start(threads);
	for (int n = 0; n < 200 && bad == 0; n++) {
		uint64_t least = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			double end = seconds() + 5;

			alarm(10);
			/* New data must come to the child, which has no other thread to get them.
			 */
			while (check_user(1) < least + 2 && seconds() < end)
				;
			_exit(failure[0] || check_user(2) < least + 2);
		}
		waitpid(pid, &status, 0);
		bad += status != 0;
	}
	finish(threads);
	EXPECT_INT(bad, 0);
}
#endif

TEST("D6 threads that all ask first, at once, all get an answer")
{
	for (int round = 0; round < 20; round++) {
		pthread_t threads[READERS];

		publish(1000 + (uint64_t)round);
		module = module_load();
		stop = 0;
		failure[0] = '\0';
		for (uintptr_t i = 0; i < READERS; i++)
			pthread_create(&threads[i], NULL, reader, (void *)i);
		usleep(2000);
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		for (int i = 0; i < READERS; i++)
			pthread_join(threads[i], NULL);
		EXPECT_STR(failure, "");
	}
}

TEST_MAIN()
