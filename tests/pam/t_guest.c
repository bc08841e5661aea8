/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include "base/clock.h"
#include "fake_agent.h"
#include "pam_prism/account.h"
#include "pam_prism/options.h"
#include "stage.h"

/* ---- options, auth, session --------------------------------------------------------------- */

TEST("STYLE 5 options: bad ones change nothing, and no timeout exceeds the cap")
{
	const char *bad[] = {"home_timeout=10001", "home_timeout=0",
	    "home_timeout=", "home_timeout=1s", "home_timeout=-1", "dir=relative",
	    "socket=", "bogus", "DIR=/x", "dir"};
	const char *good[] = {
	    "home_timeout=10000", "dir=/d", "socket=/s", "ready=/r", "passwd=/p", "nohome="};
	struct options o, d;

	options_parse(NULL, 0, NULL, &d);
	EXPECT_STR(d.dir, "/var/lib/prism/nss");
	EXPECT_STR(d.socket, "/run/prism/agent.sock");
	EXPECT_STR(d.ready, "/var/lib/prism/ready");
	EXPECT_STR(d.passwd, "/etc/passwd");
	EXPECT_INT(d.home_timeout, 3000);
	options_parse(NULL, ARRAY_SIZE(bad), bad, &o);
	EXPECT_STR(o.dir, d.dir);
	EXPECT_STR(o.socket, d.socket);
	EXPECT_INT(o.home_timeout, d.home_timeout);
	options_parse(NULL, ARRAY_SIZE(good), good, &o);
	EXPECT_INT(o.home_timeout, 10000);
	EXPECT_STR(o.dir, "/d");
	EXPECT_STR(o.nohome, "");
	EXPECT(options_listed("sudo,cron", "cron") && options_listed("sudo,cron", "sudo"));
	EXPECT(!options_listed("sudo,cron", "su") && !options_listed("sudo,cron", "sudo,cron"));
	EXPECT(!options_listed("sudo,cron", "") && !options_listed("", "sshd"));
	EXPECT(options_listed(",,x,", "x") && !options_listed(",,x,", ""));
}

TEST("D6 PAM nohome= names the services that need no home")
{
	stage();
	unlink(in_dir("ready/10001"));
	write_services("nohome=sshd,su");
	EXPECT_INT(account("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("su", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("sudo", "alice"), PAM_AUTHINFO_UNAVAIL);
}

TEST("D1 auth sets no credentials; sessions of ours open and close, others' are ignored")
{
	stage();
	EXPECT_INT(ask("su", "alice", pam_authenticate, 0), IGNORED);
	EXPECT_INT(ask("sshd", "carol", pam_authenticate, 0), IGNORED);
	EXPECT_INT(ask("sshd", "alice", pam_setcred, PAM_ESTABLISH_CRED), IGNORED);
	EXPECT_INT(ask("sshd", "alice", pam_open_session, 0), PAM_SUCCESS);
	EXPECT_INT(ask("sshd", "alice", pam_close_session, 0), PAM_SUCCESS);
	EXPECT_INT(ask("sshd", "carol", pam_open_session, 0), IGNORED);
	EXPECT_INT(ask("sshd", "ldapuser", pam_open_session, 0), IGNORED);
	damage(0);
	EXPECT_INT(ask("sshd", "alice", pam_open_session, 0), IGNORED);
	EXPECT_INT(ask("sshd", "alice", pam_close_session, 0), IGNORED);
	EXPECT_STR(said.text, "");
}
/* ---- a guest in another's process --------------------------------------------------------- */

TEST("LESSONS 11 no descriptor, no errno, no directory of the process is touched")
{
	const struct options o = {.dir = dir,
	    .socket = in_dir("agent.sock"),
	    .ready = "/nonexistent",
	    .passwd = in_dir("passwd.local"),
	    .nohome = "",
	    .home_timeout = 50};
	static const char *const users[] = {"alice", "carol", "nobody2", "ldapuser", "stranger"};
	struct finding f;
	char cwd[PATH_MAX];
	int before;

	stage();
	account("sshd", "alice");
	account("sshd", "nobody2"); /* syslog's own descriptor, once */
	EXPECT_INT(chdir("/"), 0);
	before = count_fds();
	for (int how = -1; how <= 9; how++) {
		if (how >= 0)
			damage(how);
		for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
			account("sshd", users[i]);
			account_check(&o, users[i], "sshd", NULL, &f);
		}
	}
	EXPECT_INT(count_fds(), before);
	EXPECT_STR(getcwd(cwd, sizeof(cwd)), "/");
}

TEST("STYLE 16 the entry points give errno back as it was")
{
	const struct pam_conv conv = {.conv = converse, .appdata_ptr = &said};
	const char *argv[] = {"dir=/nonexistent", "socket=/nonexistent"};
	pam_handle_t *pamh = NULL;

	stage();
	EXPECT_INT(pam_start_confdir("sshd", "alice", &conv, confdir, &pamh), PAM_SUCCESS);
	errno = 4242;
	pam_sm_acct_mgmt(pamh, 0, 2, argv);
	EXPECT_INT(errno, 4242);
	pam_sm_open_session(pamh, 0, 2, argv);
	EXPECT_INT(errno, 4242);
	pam_sm_close_session(pamh, 0, 2, argv);
	EXPECT_INT(errno, 4242);
	pam_end(pamh, 0);
}

static void *account_often(void *arg)
{
	const struct options *o = arg;
	intptr_t wrong = 0;

	for (int i = 0; i < 300; i++) {
		struct finding f;

		account_check(o, "alice", "sshd", NULL, &f);
		wrong += f.code != PAM_SUCCESS;
		account_check(o, "carol", "sshd", NULL, &f);
		wrong += f.code != PAM_IGNORE;
		account_check(o, "nobody2", "sshd", NULL, &f);
		wrong += f.code != PAM_PERM_DENIED;
	}
	return (void *)wrong;
}

TEST("D1 several threads may ask at once, while the snapshot is replaced")
{
	pthread_t t[4];
	struct options o = {.dir = dir, .socket = "/nonexistent", .nohome = "", .home_timeout = 50};
	char passwd[PATH_MAX], ready[PATH_MAX];
	char other[PATH_MAX + 64];

	stage();
	snprintf(passwd, sizeof(passwd), "%s", in_dir("passwd.local"));
	snprintf(ready, sizeof(ready), "%s", in_dir("ready"));
	o.passwd = passwd;
	o.ready = ready;
	snprintf(other, sizeof(other), "%s/next", dir);
	mkdir(other, 0700);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		EXPECT_INT(pthread_create(&t[i], NULL, account_often, &o), 0);
	for (int i = 0; i < 100; i++) {
		char from[PATH_MAX + 128];

		w.meta.generation++;
		EXPECT_INT(world_write(&w, other, SNAP_ACCESS), 0);
		snprintf(from, sizeof(from), "%s/%s", other, SNAPSHOT_ACCESS);
		EXPECT_INT(rename(from, in_dir(SNAPSHOT_ACCESS)), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		void *wrong = NULL;

		pthread_join(t[i], &wrong);
		EXPECT_INT((intptr_t)wrong, 0);
	}
}

TEST("SSSD 7725 the decision costs a login less than a millisecond")
{
	clock_t start;

	stage();
	start = clock();
	for (int i = 0; i < 200; i++)
		EXPECT_INT(account("sudo", "alice"), PAM_SUCCESS);
	EXPECT((clock() - start) / (CLOCKS_PER_SEC / 1000) <
	       200 * 5); /* with libpam's own start, and slack */
}

STAGE_MAIN()
