/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "base/attr.h"

static const struct {
	int what;
	rlim_t most;
} limits[] = {
#ifndef __SANITIZE_ADDRESS__ /* its shadow is larger than any limit */
    {RLIMIT_AS, SANDBOX_MEMORY},
#endif
    {RLIMIT_CPU, SANDBOX_SECONDS},
    {RLIMIT_CORE, 0},
    {RLIMIT_FSIZE, 0},
    {RLIMIT_NOFILE, 0},
    {RLIMIT_NPROC, 0},
    {RLIMIT_MEMLOCK, 0},
};

/* Reading and writing what is open, memory, time, randomness, and the end. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(time),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#ifdef __SANITIZE_ADDRESS__
    SCMP_SYS(sigaltstack),
#endif
};

/*
 * What the libraries try, and do without: lasso looks whether a key is the name of a file before it
 * takes it for the key, and xmlsec for the system's certificates, which nothing here asks.
 */
static const int refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(newfstatat),
};

static void release_filter(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int set_limits(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l = {limits[i].most, limits[i].most};

		if (setrlimit(limits[i].what, &l) < 0)
			return -errno;
	}
	return 0;
}

/* Every right to a file is handled and none is granted; a kernel without Landlock goes without. */
static int lock_files(void)
{
	static const struct landlock_ruleset_attr attr = {
	    .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int rc = 0;

	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = -errno;
	close((int)fd);
	return rc;
}

static int add_rules(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = seccomp_rule_add(ctx, action, calls[i], 0);
		if (rc == -EDOM)
			rc = 0; /* this architecture never had it */
	}
	return rc;
}

static int filter(void)
{
	_cleanup_(release_filter) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? 0 : -ENOMEM;

	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_ERRNO(EACCES), refused, ARRAY_SIZE(refused));
	return rc < 0 ? rc : seccomp_load(ctx);
}

int sandbox_enter(void)
{
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	rc = lock_files();
	if (rc == 0)
		rc = set_limits();
	return rc < 0 ? rc : filter();
}
