/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>
#include "base/clock.h"
#include "pam_prism/account.h"
#include "stage.h"

/* ---- refusals ----------------------------------------------------------------------------- */

static const struct refusal {
	enum change change;
	int code;
	const char *has;
} REFUSALS[] = {
    {SUSPENDED, PAM_PERM_DENIED,
	"Your membership in genomics-lab was suspended on 3 May 2026; ask " CHEN "."},
    {ENDED, PAM_ACCT_EXPIRED, "Your membership in genomics-lab ended on 3 May 2026; ask " CHEN "."},
    {EXPIRED, PAM_ACCT_EXPIRED,
	"Your membership in genomics-lab expired on 3 May 2026; ask " CHEN " to extend it."},
    {PAUSED, PAM_PERM_DENIED, "The project genomics-lab is paused or archived; ask " CHEN "."},
    {NO_LOGIN, PAM_PERM_DENIED, "Your role in genomics-lab does not include logging in"},
    {STALE, PAM_PERM_DENIED, "its list of members ran out on 3 May 2026; ask its administrator"},
    {PERSON_SUSPENDED, PAM_PERM_DENIED, "Your Prism account is suspended; ask"},
    {PERSON_ENDED, PAM_ACCT_EXPIRED, "Your Prism account was closed; ask"},
    {PERSON_REFUSED, PAM_PERM_DENIED, "This workstation's own rules refuse your account"},
    {NO_GRANT, PAM_PERM_DENIED, "You are not a member of any project of this workstation;"},
};

TEST("LESSONS 1 every service refuses for every reason, with its sentence")
{
	stage();
	for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
		change_world(REFUSALS[i].change);
		for (size_t s = 0; s < ARRAY_SIZE(SERVICES); s++) {
			EXPECT_INT(account(SERVICES[s], "alice"), REFUSALS[i].code);
			EXPECT_HAS(said.text, REFUSALS[i].has);
			EXPECT(!strchr(said.text, '|')); /* once */
		}
	}
}

TEST("D1 an active member is admitted by every service without a word")
{
	stage();
	for (size_t s = 0; s < ARRAY_SIZE(SERVICES); s++) {
		EXPECT_INT(account(SERVICES[s], "alice"), PAM_SUCCESS);
		EXPECT_STR(said.text, "");
	}
}

TEST("LESSONS 3 not_after refuses in the very second, with nothing written or fetched in between")
{
	const int64_t end = clock_now() + 2;
	int before, after;

	stage();
	w.people[0].grants[0].not_after = end;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	before = account("sshd", "alice");
	if (clock_now() >= end)
		SKIP("the machine is too slow");
	EXPECT_INT(before, PAM_SUCCESS);
	while (clock_now() < end)
		usleep(1000);
	after = account("sshd", "alice");
	EXPECT_INT(after, PAM_ACCT_EXPIRED);
	EXPECT_HAS(said.text, "expired on");
}

TEST("S1.23 sudo's PAM_SILENT does not silence a refusal, nor does a deaf conversation admit")
{
	stage();
	change_world(ENDED);
	EXPECT_INT(ask("sudo", "alice", pam_acct_mgmt, PAM_SILENT), PAM_ACCT_EXPIRED);
	EXPECT_HAS(said.text, "ended on 3 May 2026");
	said.fails = true;
	EXPECT_INT(account("cron", "alice"), PAM_ACCT_EXPIRED);
	said.fails = false;
}

TEST("D6 SSO freshness is asked of sshd alone, with the command that renews it")
{
	stage();
	w.projects[0].sso_max_age = 3600;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(account("sshd", "alice"), PAM_PERM_DENIED);
	EXPECT_HAS(said.text, "run \"prism login\"");
	EXPECT_INT(account("su", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("sudo", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("cron", "alice"), PAM_SUCCESS);
	w.people[0].grants[0].sso_at = clock_now() - 3000;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(account("sshd", "alice"), PAM_SUCCESS);
}
/* ---- whose user is it? -------------------------------------------------------------------- */

TEST("D6 PAM a uid of Prism's ranges without a record is refused, other directories' users are not "
     "ours")
{
	stage();
	EXPECT_INT(account("sshd", "nobody2"), PAM_PERM_DENIED);
	EXPECT_HAS(said.text, "You are not a member of any project");
	EXPECT_INT(account("sshd", "ldapuser"), IGNORED);
	EXPECT_INT(account("sshd", "far"), IGNORED);
	EXPECT_INT(account("sshd", "zero"), IGNORED);
	EXPECT_STR(said.text, "");
	EXPECT_INT(account("sshd", "stranger"), PAM_USER_UNKNOWN);
	w.meta.uid_last = 3999999;
	world_grant(world_person(&w, "zero", 10003), 0);
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(account("sshd", "far"), PAM_PERM_DENIED);
	EXPECT_INT(account("sshd", "zero"), IGNORED);
}

TEST("D6 PAM the uid that the system resolves must be the snapshot's")
{
	stage();
	world_grant(world_person(&w, "ldapuser", 10003), 0);
	world_grant(world_person(&w, "mallory", 10004), 0);
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(account("sshd", "ldapuser"), PAM_PERM_DENIED);
	EXPECT_HAS(said.text, "the user ids differ");
	EXPECT_INT(account("sshd", "mallory"), PAM_PERM_DENIED);
	EXPECT_HAS(said.text, "the user ids differ");
}

TEST("F3 Name clash: whom the host itself has disowned stays with the directory that has the name")
{
	stage();
	world_grant(world_person(&w, "ldapuser", 10003), 0);
	w.people[1].user.state = SNAP_REFUSED;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	EXPECT_INT(account("sshd", "ldapuser"), IGNORED);
}

TEST("SSSD CVE-2018-16838 an unreadable snapshot refuses Prism's users and nobody else")
{
	for (int how = 0; how <= 9; how++) {
		stage();
		damage(how);
		for (size_t s = 0; s < ARRAY_SIZE(SERVICES); s++) {
			EXPECT_INT(account(SERVICES[s], "alice"), PAM_AUTHINFO_UNAVAIL);
			EXPECT_HAS(said.text, "cannot read its list of members");
			EXPECT_INT(account(SERVICES[s], "root"), IGNORED);
			EXPECT_INT(account(SERVICES[s], "carol"), IGNORED);
			EXPECT_INT(account(SERVICES[s], "dave"), IGNORED);
			EXPECT_INT(account(SERVICES[s], "ldapuser"), IGNORED);
			EXPECT_STR(said.text, "");
		}
	}
}

TEST("LESSONS 20 a workstation that has joined no service locks nobody of another directory out")
{
	char path[PATH_MAX];

	stage();
	damage(0);
	EXPECT_INT(account("sshd", "nobody2"), PAM_AUTHINFO_UNAVAIL);
	snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_IDENTITY);
	EXPECT_INT(unlink(path), 0);
	for (size_t s = 0; s < ARRAY_SIZE(SERVICES); s++) {
		EXPECT_INT(account(SERVICES[s], "nobody2"), IGNORED);
		EXPECT_INT(account(SERVICES[s], "ldapuser"), IGNORED);
		EXPECT_STR(said.text, "");
	}
}

TEST("D6 PAM ranges moved by the host hold even when access.v1.snap is gone")
{
	stage();
	w.people[0].user.uid = 3500000;
	w.people[0].user.name = "far";
	w.meta.uid_first = 3500000;
	w.meta.uid_last = 3599999;
	EXPECT_INT(world_write(&w, dir, SNAP_IDENTITY), 0);
	damage(0);
	EXPECT_INT(account("sshd", "far"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_INT(account("sshd", "ldapuser"), IGNORED);
}

TEST("D6 PAM a snapshot that this process has no room for is a doubt, not an absence")
{
	struct rlimit old, tight = {.rlim_cur = 8ul << 30};

#ifdef __SANITIZE_ADDRESS__
	SKIP("the sanitizer's own memory is beyond any limit");
#endif
	stage();
	w.people[0].user.uid = 3500000;
	w.people[0].user.name = "far";
	w.meta.uid_first = 3500000;
	w.meta.uid_last = 3599999;
	EXPECT_INT(world_write(&w, dir, SNAP_IDENTITY), 0);
	damage(0);
	EXPECT_INT(truncate(in_dir(SNAPSHOT_IDENTITY), 64l << 30), 0);
	EXPECT_INT(getrlimit(RLIMIT_AS, &old), 0);
	tight.rlim_max = old.rlim_max;
	EXPECT_INT(setrlimit(RLIMIT_AS, &tight), 0);
	int far = account("sshd", "far"), carol = account("sshd", "carol");

	setrlimit(RLIMIT_AS, &old);
	EXPECT_INT(far, PAM_AUTHINFO_UNAVAIL);
	EXPECT_INT(carol, IGNORED);
}

TEST("LESSONS 20 local users are left alone, whatever the snapshot says of their name")
{
	stage();
	world_grant(world_person(&w, "carol", 10010), 0)->state = SNAP_ENDED;
	world_grant(world_person(&w, "dave", 10050), 0)->state = SNAP_ENDED;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	for (size_t s = 0; s < ARRAY_SIZE(SERVICES); s++) {
		EXPECT_INT(account(SERVICES[s], "carol"), IGNORED);
		EXPECT_INT(account(SERVICES[s], "dave"), IGNORED);
		EXPECT_INT(account(SERVICES[s], "root"), IGNORED);
		EXPECT_STR(said.text, "");
	}
}

TEST("LESSONS 16 no damaged byte of the snapshot admits a former member or touches a local user")
{
	char passwd[PATH_MAX];
	const struct options o = {.dir = dir,
	    .socket = "/nonexistent",
	    .ready = "/nonexistent",
	    .passwd = passwd,
	    .nohome = "su",
	    .home_timeout = 10};
	static uint8_t bytes[65536];
	struct finding f;
	ssize_t n;
	int fd;

	stage();
	snprintf(passwd, sizeof(passwd), "%s/passwd.local", dir);
	world_grant(world_person(&w, "mallory", 10002), 0)->state = SNAP_ENDED;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	fd = open(in_dir(SNAPSHOT_ACCESS), O_RDWR | O_CLOEXEC);
	n = read(fd, bytes, sizeof(bytes));
	EXPECT(n > 1024 && n < (ssize_t)sizeof(bytes));
	for (ssize_t i = 0; i < n; i++) {
		static const uint8_t masks[] = {0xff, 0x01, 0x03};

		for (size_t m = 0; m < sizeof(masks); m++) {
			const uint8_t bad = bytes[i] ^ masks[m];

			EXPECT_INT(pwrite(fd, &bad, 1, i), 1);
			account_check(&o, "mallory", "su", NULL, &f);
			EXPECT(f.code == PAM_ACCT_EXPIRED || f.code == PAM_PERM_DENIED ||
			       f.code == PAM_AUTHINFO_UNAVAIL);
			EXPECT(f.text[0]);
			account_check(&o, "carol", "su", NULL, &f);
			EXPECT_INT(f.code, PAM_IGNORE);
		}
		EXPECT_INT(pwrite(fd, &bytes[i], 1, i), 1);
	}
	close(fd);
	account_check(&o, "alice", "su", NULL, &f);
	EXPECT_INT(f.code, PAM_SUCCESS);
}

STAGE_MAIN()
