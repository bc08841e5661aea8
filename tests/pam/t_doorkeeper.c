/* SPDX-License-Identifier: MIT */
/* Whom auth asks at all, where, and how it shows the code. */
#include <dirent.h>
#include "door.h"
#include "pam_prism/options.h"
#include "pam_prism/prompt.h"

#define BLOCK "\342\226\210"

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* ---- whom ----------------------------------------------------------------------------------- */

TEST("I3.3 local users, root, strangers and other directories' users are left to the other modules")
{
	static const char *const users[] = {
	    "root", "carol", "dave", "zero", "stranger", "nobody2", "ldapuser", "far", ""};

	door_stage();
	world_grant(world_person(&w, "carol", 10010), 0);
	world_grant(world_person(&w, "dave", 10050), 0);
	world_grant(world_person(&w, "zero", 10003), 0);
	world_grant(world_person(&w, "ldapuser", 10004), 0);
	world_grant(world_person(&w, "stranger", 10005), 0);
	world_grant(world_person(&w, "far", 10006), 0);
	w.people[6].user.state = SNAP_REFUSED;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	door_open();
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		const int r = signs_in("sshd", users[i]);

		if (r != IGNORED)
			test_fail(__FILE__, __LINE__, "%s: %d", users[i], r);
		EXPECT_STR(at_terminal.errors, "");
	}
	EXPECT_INT(seen->begins, 0);
}

TEST(
    "SSSD CVE-2018-16838 with a list that cannot be read, ours get its sentence, others a password")
{
	for (int how = 0; how <= 9; how++) {
		door_stage();
		door_open();
		damage(how);
		EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
		EXPECT_HAS(at_terminal.errors, "cannot read its list of members");
		EXPECT_INT(signs_in("sshd", "carol"), IGNORED);
		EXPECT_INT(signs_in("sshd", "root"), IGNORED);
		EXPECT_INT(signs_in("sshd", "ldapuser"), IGNORED);
		EXPECT_STR(at_terminal.errors, "");
		EXPECT_INT(seen->begins, 0);
	}
}

TEST("LESSONS 16 whose record is damaged is told so, instead of signing in for nothing")
{
	door_stage();
	w.people[0].user.state = 9;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_HAS(at_terminal.errors, "Your entry on this workstation is damaged");
	EXPECT_INT(seen->begins, 0);
}

/* ---- where ---------------------------------------------------------------------------------- */

TEST("LESSONS 21 auth asks in sshd alone, and without a look at the user elsewhere")
{
	door_stage();
	door_open();
	for (size_t i = 0; i < ARRAY_SIZE(SERVICES); i++) {
		const int want = strcmp(SERVICES[i], "sshd") == 0 ? PAM_SUCCESS : IGNORED;

		EXPECT_INT(signs_in(SERVICES[i], "alice"), want);
	}
	EXPECT_INT(seen->begins, 1);
	connects("login", NULL);
	EXPECT_INT(pam_authenticate(open_handle, 0), IGNORED);
	EXPECT(!strstr(at_terminal.prompt[0], "Sign in"));
	hang_up();
}

TEST("LESSONS 21 sso_services= names others, but never those where nobody sits")
{
	static const char *const never[] = {"cron", "crond", "atd", "systemd-user"};
	struct options o;

	door_stage();
	write_services("sso_services=sshd,sudo,cron,crond,atd,systemd-user");
	door_open();
	EXPECT_INT(signs_in("sudo", "alice"), PAM_SUCCESS);
	EXPECT_STR(seen->begin.service, "sudo");
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(seen->begins, 2);
	EXPECT_INT(signs_in("cron", "alice"), IGNORED);
	EXPECT_INT(signs_in("systemd-user", "alice"), IGNORED);
	EXPECT_INT(signs_in("su", "alice"), IGNORED);
	EXPECT_INT(seen->begins, 2);
	options_parse(NULL, 1, (const char *[]){"sso_services=cron,crond,atd,systemd-user,x"}, &o);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		EXPECT(!options_sso(&o, never[i]));
	EXPECT(options_sso(&o, "x") && !options_sso(&o, "") && !options_sso(&o, "sshd"));
	write_services("sso_services=");
	EXPECT_INT(signs_in("sshd", "alice"), IGNORED);
}

TEST("STYLE 5 options of auth: bad ones change nothing, no timeout reaches LoginGraceTime")
{
	const char *bad[] = {"login_timeout=111", "login_timeout=0",
	    "login_timeout=", "qr=", "login_timeout=90s", "login_timeout=-1", "qr=maybe", "qr=Yes",
	    "sso_services"};
	const char *good[] = {"login_timeout=110", "qr=no", "sso_services=sshd,login"};
	struct options o;

	options_parse(NULL, ARRAY_SIZE(bad), bad, &o);
	EXPECT_INT(o.login_timeout, 90);
	EXPECT_INT(o.qr, QR_AUTO);
	EXPECT_STR(o.sso_services, "sshd");
	options_parse(NULL, ARRAY_SIZE(good), good, &o);
	EXPECT_INT(o.login_timeout, 110);
	EXPECT_INT(o.qr, QR_NO);
	EXPECT_STR(o.sso_services, "sshd,login");
	EXPECT(OPTION_LOGIN_TIMEOUT_MAX < 120);
}

/* ---- how it is shown ------------------------------------------------------------------------ */

TEST("I3.3 the QR code is off by option, and where nobody knows what the terminal can show")
{
	static const struct {
		const char *options, *service;
		bool want;
	} rows[] = {
	    {"", "sshd", true},
	    {"qr=auto", "sshd", true},
	    {"qr=yes", "sshd", true},
	    {"qr=no", "sshd", false},
	    {"sso_services=su", "su", false},
	    {"sso_services=su qr=yes", "su", true},
	    {"sso_services=su qr=no", "su", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		door_stage();
		write_services(rows[i].options);
		door_open();
		EXPECT_INT(signs_in(rows[i].service, "alice"), PAM_SUCCESS);
		if (!!strstr(at_terminal.prompt[0], BLOCK) != rows[i].want)
			test_fail(__FILE__, __LINE__, "row %zu", i);
		EXPECT_HAS(at_terminal.prompt[0], "?user_code=" CODE);
	}
}

TEST("I3.3 a QR code that no terminal shows is left out, and the prompt stays small")
{
	for (unsigned side = 0; side <= AGENT_QR_MAX; side++) {
		const bool drawn = side >= 21 && side <= 53 && (side - 21) % 4 == 0;

		door_stage();
		door.qr_side = (uint8_t)side;
		door_open();
		EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
		if (!!strstr(at_terminal.prompt[0], BLOCK) != drawn)
			test_fail(__FILE__, __LINE__, "side %u", side);
		EXPECT(strlen(at_terminal.prompt[0]) < 6000);
		EXPECT_HAS(at_terminal.prompt[0], "Press Enter here: ");
	}
}

TEST("I3.3 the prompt fits for the longest texts there are, and a host's name cannot spoil it")
{
	static struct agent_login l;
	_cleanup_buf_ struct buf b = BUF_INIT(PROMPT_MAX);

	memset(l.url, 'u', AGENT_URL_MAX);
	memset(l.url_complete, 'c', AGENT_URL_MAX);
	memset(l.code, 'd', AGENT_CODE_MAX);
	memset(l.host, 'h', AGENT_HOST_MAX);
	memset(l.qr, 0, sizeof(l.qr));
	l.qr_side = 53;
	prompt_show(&l, "alice", "w\033[1ms\n1\302\205", true, 110, &b);
	EXPECT_INT(buf_error(&b), 0);
	EXPECT_HAS(buf_str(&b), "(its hostname is w[1ms1) as alice.\n");
	EXPECT(!strchr(buf_str(&b), '\033'));
	EXPECT_HAS(buf_str(&b), "Press Enter here: ");
	l.url_complete[0] = '\0';
	buf_clear(&b);
	prompt_show(&l, "alice", "ws1", false, 90, &b);
	EXPECT_HAS(buf_str(&b), "1. Open  uuu");
	EXPECT(!strstr(buf_str(&b), " or "));
}

/* ---- a guest in another's process ----------------------------------------------------------- */

TEST("LESSONS 11 auth leaves no descriptor behind, whatever comes of it")
{
	int before;

	door_stage();
	door_open();
	signs_in("sshd", "alice");
	signs_in("sshd", "carol");
	before = count_fds();
	for (int flaw = SOUND; flaw <= HANG_UP; flaw++) {
		if (flaw == NO_ANSWER)
			continue;
		door.wait_flaw = (enum flaw)flaw;
		door_open();
		signs_in("sshd", "alice");
		door_close();
		signs_in("sshd", "alice");
		signs_in("sshd", "carol");
	}
	EXPECT_INT(count_fds(), before);
}

TEST("STYLE 16 auth gives errno back as it was")
{
	const char *argv[] = {"dir=/nonexistent", "socket=/nonexistent"};

	door_stage();
	connects("sshd", "alice");
	errno = 4242;
	pam_sm_authenticate(open_handle, 0, 2, argv);
	EXPECT_INT(errno, 4242);
	pam_sm_setcred(open_handle, 0, 2, argv);
	EXPECT_INT(errno, 4242);
	hang_up();
}

STAGE_MAIN()
