/* SPDX-License-Identifier: MIT */
#ifndef STAGE_H
#define STAGE_H

/*
 * pam_prism through the real libpam, with service files, users and snapshots of the test's own.
 * The users come from a passwd file by nss_wrapper, which must be loaded first: so a program of
 * this kind ends in STAGE_MAIN(), which starts it again with the wrapper, as root, or skips.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <sys/stat.h>
#include "base/attr.h"
#include "world.h"

#define CHEN	"Dr. Chen <chen@uni.edu>"
#define IGNORED PAM_CRED_ERR /* what the module behind ours answers when ours says PAM_IGNORE */

__attribute__((unused)) static const char *const SERVICES[] = {
    "sshd", "su", "su-l", "sudo", "cron", "login", "systemd-user"};

static struct world w;
static char dir[PATH_MAX], confdir[PATH_MAX], module[PATH_MAX];

static const char *in_dir(const char *name)
{
	static char path[4][PATH_MAX + 64];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		test_fail(__FILE__, __LINE__, "cannot write %s", path);
}

static void write_services(const char *more)
{
	for (size_t i = 0; i < ARRAY_SIZE(SERVICES); i++) {
		char path[PATH_MAX + 64], text[8 * PATH_MAX], args[5 * PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", confdir, SERVICES[i]);
		snprintf(args, sizeof(args),
		    "%s dir=%s socket=%s/agent.sock ready=%s/ready passwd=%s/passwd.local "
		    "home_timeout=150 %s",
		    module, dir, dir, dir, dir, more);
		snprintf(text, sizeof(text),
		    "auth [success=done ignore=ignore default=die] %s\n"
		    "auth required pam_debug.so auth=cred_err cred=cred_err\n"
		    "account [success=done ignore=ignore default=die] %s\n"
		    "account required pam_debug.so acct=cred_err\n"
		    "session [success=done ignore=ignore default=die] %s\n"
		    "session required pam_debug.so open_session=cred_err close_session=cred_err\n",
		    args, args, args);
		write_text(path, text);
	}
}

static void set_users(const char *more)
{
	static const char local[] = "root:x:0:0:root:/root:/bin/sh\n"
				    "carol:x:1000:1000::/home/carol:/bin/sh\n"
				    "dave:x:10050:10050:local in our range:/home/dave:/bin/sh\n";
	static const char ours[] = "alice:*:10001:10001::/efs/home/alice:/bin/sh\n"
				   "mallory:*:10002:10002::/efs/home/mallory:/bin/sh\n"
				   "nobody2:*:10099:10099::/efs/home/x:/bin/sh\n"
				   "ldapuser:*:5000:5000::/home/l:/bin/sh\n"
				   "far:*:3500000:3500000::/home/f:/bin/sh\n"
				   "zero:*:0:0::/root:/bin/sh\n";
	char all[4096];

	write_text(in_dir("passwd.local"), local);
	snprintf(all, sizeof(all), "%s%s%s", local, ours, more);
	write_text(in_dir("passwd.all"), all);
}

/* Everybody as they should be: alice a member of genomics-lab, her home known to be ready. */
static void stage(void)
{
	snprintf(dir, sizeof(dir), "%s", test_tmpdir());
	snprintf(confdir, sizeof(confdir), "%s/pam.d", dir);
	snprintf(module, sizeof(module), "%s/pam_prism.so", secure_getenv("T_PAM_BUILD"));
	mkdir(confdir, 0755);
	mkdir(in_dir("ready"), 0755);
	unlink(in_dir("agent.sock"));
	write_services("");
	set_users("");
	write_text(in_dir("ready/10001"), "");
	world_init(&w);
	world_project(&w, "genomics-lab", CHEN);
	world_grant(world_person(&w, "alice", 10001), 0);
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(world_write(&w, dir, SNAP_IDENTITY), 0);
}

struct talk {
	char text[2048];
	bool fails;
};

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	struct talk *t = arg;

	if (t->fails)
		return PAM_CONV_ERR;
	*ret = calloc((size_t)n, sizeof(**ret));
	for (int i = 0; i < n; i++) {
		const size_t used = strlen(t->text);

		/* Not pam_debug's remarks. Ours never asks nor remarks. */
		if (msg[i]->msg_style == PAM_ERROR_MSG)
			snprintf(t->text + used, sizeof(t->text) - used, "%s%s", used ? "|" : "",
			    msg[i]->msg);
	}
	return PAM_SUCCESS;
}

static struct talk said;

/* What the stack answers to one call; what the person read is in "said". */
__attribute__((unused)) static int ask(
    const char *service, const char *user, int (*call)(pam_handle_t *, int), int flags)
{
	const struct pam_conv conv = {.conv = converse, .appdata_ptr = &said};
	pam_handle_t *pamh = NULL;
	int r;

	said.text[0] = '\0';
	r = pam_start_confdir(service, user, &conv, confdir, &pamh);
	if (r == PAM_SUCCESS)
		r = call(pamh, flags);
	pam_end(pamh, r);
	return r;
}

__attribute__((unused)) static int account(const char *service, const char *user)
{
	return ask(service, user, pam_acct_mgmt, 0);
}
enum change {
	SUSPENDED,
	ENDED,
	EXPIRED,
	PAUSED,
	NO_LOGIN,
	STALE,
	PERSON_SUSPENDED,
	PERSON_ENDED,
	PERSON_REFUSED,
	NO_GRANT,
};

__attribute__((unused)) static void change_world(enum change c)
{
	static const int64_t may3 = 1777800000;
	struct world_person *alice;
	struct snap_grant *g;

	world_init(&w);
	world_project(&w, "genomics-lab", CHEN);
	alice = world_person(&w, "alice", 10001);
	g = world_grant(alice, 0);
	alice->user.state = c == PERSON_SUSPENDED ? SNAP_SUSPENDED
			    : c == PERSON_ENDED	  ? SNAP_ENDED
			    : c == PERSON_REFUSED ? SNAP_REFUSED
						  : SNAP_ACTIVE;
	g->state = c == SUSPENDED ? SNAP_SUSPENDED : c == ENDED ? SNAP_ENDED : SNAP_ACTIVE;
	g->ended_at = c == SUSPENDED || c == ENDED ? may3 : 0;
	g->not_after = c == EXPIRED ? may3 : 0;
	w.projects[0].state = c == PAUSED ? SNAP_SUSPENDED : SNAP_ACTIVE;
	g->perms = c == NO_LOGIN ? SNAP_PERM_WRITE : SNAP_PERM_LOGIN;
	w.meta.valid_until = c == STALE ? may3 : 0;
	w.meta.issued_at = may3; /* the clock of the machine may be anything */
	alice->user.ngrants = c == NO_GRANT ? 0 : 1;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
}

__attribute__((unused)) static void damage(int how)
{
	static char junk[8192];
	const char *path = in_dir(SNAPSHOT_ACCESS);

	unlink(path);
	switch (how) {
	case 0: /* missing */
		break;
	case 1: /* empty */
		write_text(path, "");
		break;
	case 2: /* foreign */
		write_text(path, "PRISMSNP but not really one, and much too short to be");
		break;
	case 3: { /* truncated */
		EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
		EXPECT_INT(truncate(path, 1500), 0);
		break;
	}
	case 4: /* somebody else's */
		EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
		EXPECT_INT(chown(path, 1000, 1000), 0);
		break;
	case 5: /* writable by all */
		EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
		EXPECT_INT(chmod(path, 0666), 0);
		break;
	case 6: /* a link */
		EXPECT_INT(world_write(&w, dir, SNAP_KEYS), 0);
		EXPECT_INT(symlink(in_dir(SNAPSHOT_KEYS), path), 0);
		break;
	case 7: /* another kind under this name */
		EXPECT_INT(world_write(&w, dir, SNAP_KEYS), 0);
		EXPECT_INT(rename(in_dir(SNAPSHOT_KEYS), path), 0);
		break;
	case 8: /* a pipe: must not hang */
		EXPECT_INT(mkfifo(path, 0600), 0);
		break;
	default: /* noise */
		memset(junk, 0xa5, sizeof(junk) - 1);
		write_text(path, junk);
	}
	unlink(in_dir(SNAPSHOT_KEYS));
}

/* The sanitizer's library must be the first of all, so it is named before the wrapper. */
static void preload_list(char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];

	out[0] = '\0';
	while (maps && fgets(line, sizeof(line), maps)) {
		char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (path && strstr(path, "/libasan.so") && !strstr(out, path))
			snprintf(out + strlen(out), size - strlen(out), "%s ", path);
	}
	if (maps)
		fclose(maps);
	snprintf(out + strlen(out), size - strlen(out), "libnss_wrapper.so");
}

/* An environment of nothing but what the wrapper needs. */
static void start_again(char **argv)
{
	char list[3 * PATH_MAX], build[PATH_MAX], base[] = "/tmp/prism-test-pam-XXXXXX";
	char vars[6][4 * PATH_MAX];
	char *env[ARRAY_SIZE(vars) + 1] = {NULL};
	const char *b = secure_getenv("B");
	const char *asan = secure_getenv("ASAN_OPTIONS");

	if (!realpath(b ? b : "build", build) || !mkdtemp(base))
		return;
	preload_list(list, sizeof(list));
	snprintf(vars[0], sizeof(vars[0]), "LD_PRELOAD=%s", list);
	snprintf(vars[1], sizeof(vars[1]), "NSS_WRAPPER_PASSWD=%s/passwd.all", base);
	snprintf(vars[2], sizeof(vars[2]), "NSS_WRAPPER_GROUP=%s/group", base);
	snprintf(vars[3], sizeof(vars[3]), "T_PAM_BUILD=%s", build);
	snprintf(vars[4], sizeof(vars[4]), "T_PAM_DIR=%s", base);
	snprintf(vars[5], sizeof(vars[5]), "ASAN_OPTIONS=%s", asan ? asan : "");
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		env[i] = vars[i];
	execve("/proc/self/exe", argv, env);
}

static const char *why_not(void)
{
	void *wrapper = dlopen("libnss_wrapper.so", RTLD_LAZY);

	if (!wrapper)
		return "libnss_wrapper.so is not installed";
	dlclose(wrapper);
	return geteuid() == 0 ? NULL : "snapshots must be root's: run as root";
}

__attribute__((unused)) static int stage_main(int argc, char **argv)
{
	const char *base = secure_getenv("T_PAM_DIR"), *why;
	char group[PATH_MAX];

	if (!base) {
		why = why_not();
		if (why) {
			printf("ok 1 - D6 PAM # SKIP %s\n1..1\n", why);
			return 0;
		}
		start_again(argv);
		perror("t_pam: cannot start again");
		return 99;
	}
	snprintf(test_dir, sizeof(test_dir), "%s", base);
	snprintf(group, sizeof(group), "%s/group", base);
	write_text(group, "root:x:0:\n");
	return test_run(argc, argv);
}

#define STAGE_MAIN()                           \
	int main(int argc, char **argv)        \
	{                                      \
		return stage_main(argc, argv); \
	}

#endif
