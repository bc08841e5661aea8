/* SPDX-License-Identifier: MIT */
#ifndef TESTS_NSS_MODULE_H
#define TESTS_NSS_MODULE_H

/*
 * The NSS module as glibc meets it: compiled from the same sources, only that its files lie in this
 * test's own folder, and loaded with dlopen(). Each module_load() is a fresh one that has not
 * mapped anything yet.
 */
#include <dlfcn.h>
#include <glob.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include "snap_world.h"

extern char **environ;

struct module {
	enum nss_status (*getpwnam)(const char *, struct passwd *, char *, size_t, int *);
	enum nss_status (*getpwuid)(uid_t, struct passwd *, char *, size_t, int *);
	enum nss_status (*getgrnam)(const char *, struct group *, char *, size_t, int *);
	enum nss_status (*getgrgid)(gid_t, struct group *, char *, size_t, int *);
	enum nss_status (*initgroups)(const char *, gid_t, long *, long *, gid_t **, long, int *);
	enum nss_status (*setpwent)(int);
	enum nss_status (*getpwent)(struct passwd *, char *, size_t, int *);
	enum nss_status (*endpwent)(void);
	enum nss_status (*setgrent)(int);
	enum nss_status (*getgrent)(struct group *, char *, size_t, int *);
	enum nss_status (*endgrent)(void);
	void *handle;
};

#ifdef __SANITIZE_ADDRESS__
#define MODULE_SANITIZE "-fsanitize=address,undefined"
#elif defined(__SANITIZE_THREAD__)
#define MODULE_SANITIZE "-fsanitize=thread"
#else
#define MODULE_SANITIZE "-fno-common"
#endif

/* Where the module looks. */
__attribute__((unused)) static const char *module_dir(void)
{
	static char dir[128];

	snprintf(dir, sizeof(dir), "%s/snap", test_tmpdir());
	return dir;
}

static inline void module_build(const char *out)
{
	char define[192];
	const char *cc = secure_getenv("CC");
	const char *args[64] = {cc ? cc : "cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g", "-fPIC",
	    "-shared", "-Wno-tsan", MODULE_SANITIZE, "-fno-sanitize-recover=undefined",
	    "-Wl,-z,nodelete", "-Ilib/snapshot", "-o", out, define, "lib/snapshot/check.c"};
	size_t n = 16;
	glob_t sources;
	int status;
	pid_t pid;

	snprintf(define, sizeof(define), "-DSNAPSHOT_DIR_OVERRIDE=\"%s\"", module_dir());
	if (glob("nss_prism/*.c", 0, NULL, &sources) != 0)
		abort();
	for (size_t i = 0; i < sources.gl_pathc && n < 63; i++)
		args[n++] = sources.gl_pathv[i];
	if (posix_spawnp(&pid, args[0], NULL, NULL, (char *const *)(uintptr_t)args, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0) {
		printf("# the module cannot be built\n");
		exit(99);
	}
	globfree(&sources);
}

static inline void module_symbol(void *h, const char *function, void *ret)
{
	char symbol[64];
	void *p;

	snprintf(symbol, sizeof(symbol), "_nss_prism_%s", function);
	p = dlsym(h, symbol);
	if (!p)
		abort();
	memcpy(ret, &p, sizeof(p));
}

__attribute__((unused)) static const char *module_file(void)
{
	static char built[128];

	if (!built[0]) {
		char path[128];

		snprintf(path, sizeof(path), "%s/module.so", test_tmpdir());
		module_build(path);
		memcpy(built, path, sizeof(built));
	}
	return built;
}

__attribute__((unused)) static struct module module_load(void)
{
	struct image code = image_read(module_file());
	static unsigned n;
	struct module m;
	char path[128];
	void *h;

	snprintf(path, sizeof(path), "%s/module-%u.so", test_tmpdir(), n++);
	image_write(&code, path);
	free(code.p);
	h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!h) {
		printf("# %s\n", dlerror());
		exit(99);
	}
	m.handle = h;
	module_symbol(h, "getpwnam_r", &m.getpwnam);
	module_symbol(h, "getpwuid_r", &m.getpwuid);
	module_symbol(h, "getgrnam_r", &m.getgrnam);
	module_symbol(h, "getgrgid_r", &m.getgrgid);
	module_symbol(h, "initgroups_dyn", &m.initgroups);
	module_symbol(h, "setpwent", &m.setpwent);
	module_symbol(h, "getpwent_r", &m.getpwent);
	module_symbol(h, "endpwent", &m.endpwent);
	module_symbol(h, "setgrent", &m.setgrent);
	module_symbol(h, "getgrent_r", &m.getgrent);
	module_symbol(h, "endgrent", &m.endgrent);
	return m;
}

#endif
