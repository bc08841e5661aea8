/* SPDX-License-Identifier: MIT */
/*
 * nsscold SERVICE UID [RUNS]: one getpwuid() in a fresh process, as a login does it: glibc finds
 * and loads libnss_SERVICE.so.2 (LD_LIBRARY_PATH), the module opens its data. With RUNS it starts
 * itself that often and prints the median in microseconds; without, the nanoseconds of one.
 * SERVICE "a,b" takes turns and prints a line each.
 */
#include <err.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX     2000
#define SERVICES_MAX 8

extern int __nss_configure_lookup(const char *database, const char *line);

static int one_lookup(const char *service, uid_t uid)
{
	struct timespec a, b;
	struct passwd *p;

	clock_gettime(CLOCK_MONOTONIC, &a);
	__nss_configure_lookup("passwd", service);
	p = getpwuid(uid);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%lld\n", (b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec);
	return p ? 0 : 1;
}

static long long spawn(const char *self, const char *service, const char *uid)
{
	char out[64] = "";
	int p[2], status;
	pid_t pid;

	if (pipe(p) < 0)
		err(2, "pipe");
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		execl(self, self, service, uid, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		errx(2, "%s: no user %s", service, uid);
	if (read(p[0], out, sizeof(out) - 1) <= 0)
		errx(2, "no answer");
	close(p[0]);
	return strtoll(out, NULL, 10);
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static long long ns[SERVICES_MAX][RUNS_MAX];
	long runs = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	char *names[SERVICES_MAX], *rest;
	int n = 0;

	if (argc < 3 || runs > RUNS_MAX)
		errx(2, "usage: nsscold SERVICE[,SERVICE...] UID [RUNS]");
	if (runs == 0)
		return one_lookup(argv[1], (uid_t)strtoul(argv[2], NULL, 10));
	for (rest = argv[1]; n < SERVICES_MAX && rest; n++)
		names[n] = strsep(&rest, ",");
	for (long i = 0; i < runs; i++)
		for (int s = 0; s < n; s++)
			ns[s][i] = spawn("/proc/self/exe", names[s], argv[2]);
	for (int s = 0; s < n; s++) {
		qsort(ns[s], (size_t)runs, sizeof(ns[s][0]), compare);
		printf("%s\t%.1f\t%.1f\n", names[s], (double)ns[s][runs / 2] / 1e3,
		    (double)ns[s][runs * 99 / 100] / 1e3);
	}
	return 0;
}
