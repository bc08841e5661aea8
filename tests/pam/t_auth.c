/* SPDX-License-Identifier: MIT */
#include "door.h"
#include "fake_agent.h"
#include <sys/stat.h>
#include "pam_prism/login.h"
#include "pam_prism/options.h"
#include "pam_prism/prompt.h"

#define BLOCK "\342\226\210"

static const char *host(void)
{
	static char name[65];

	gethostname(name, sizeof(name) - 1);
	return name;
}

/* ---- approved ------------------------------------------------------------------------------ */

TEST("I3.3 one prompt shows the URL, the code and the QR code, and says what to check")
{
	const char *text = at_terminal.prompt[0];
	char want[256];

	door_stage();
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(at_terminal.prompts, 1);
	EXPECT_INT(at_terminal.styles[0], PAM_PROMPT_ECHO_OFF);
	EXPECT_HAS(text, URL "?user_code=" CODE);
	EXPECT_HAS(text, "or    " URL "  and enter the code  " CODE);
	EXPECT_HAS(text, "Approve only then, and only what you started yourself,\n"
			 "     within 90 seconds.\n  3. Press Enter here: ");
	EXPECT_HAS(text, "Press Enter here: ");
	EXPECT_HAS(text, "Check that the page names the workstation \"ws1\", the user \"alice\"");
	snprintf(want, sizeof(want), "Sign in to use ws1 (its hostname is %s) as alice.", host());
	EXPECT_HAS(text, want);
	EXPECT_HAS(text, BLOCK);
	EXPECT(!strchr(text, '\033'));
	EXPECT(strlen(text) < 6000);
	EXPECT_STR(at_terminal.errors, "");
}

TEST("I3.3 a hostname that is the name on the page as well is said once")
{
	door_stage();
	door.host = host();
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT(!strstr(at_terminal.prompt[0], "its hostname"));
	EXPECT_HAS(at_terminal.prompt[0], host());
}

TEST("I3.3 the agent hears who asks, for what service, from where, for how long, and of its end")
{
	door_stage();
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(seen->begins, 1);
	EXPECT_STR(seen->begin.user, "alice");
	EXPECT_STR(seen->begin.service, "sshd");
	EXPECT_STR(seen->begin.origin, "10.77.0.50");
	EXPECT_INT(seen->begin.ms, 90000);
	EXPECT_INT(seen->waits, 1);
	EXPECT(seen->last_wait.handle == HANDLE && seen->last_wait.ms <= 90000);
	EXPECT(seen->last_wait.ms > 85000);
	EXPECT_INT(seen->ends, 1);
	EXPECT(seen->last_end.handle == HANDLE);
}

TEST("I3.3 a remote host's name is printable when the agent hears it, and cut to its room")
{
	char name[1000];

	door_stage();
	door_open();
	memset(name, 'h', sizeof(name) - 1);
	name[999] = '\0';
	memcpy(name, "a\033[2Jb c\n\303\266", 11);
	name[11] = 'h';
	connects("sshd", "alice");
	EXPECT_INT(pam_set_item(open_handle, PAM_RHOST, name), PAM_SUCCESS);
	EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
	EXPECT(strncmp(seen->begin.origin, "a?[2Jb?c???h", 12) == 0);
	EXPECT_INT(strlen(seen->begin.origin), AGENT_ORIGIN_MAX);
	EXPECT_INT(pam_set_item(open_handle, PAM_RHOST, NULL), PAM_SUCCESS);
	EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
	EXPECT_STR(seen->begin.origin, "");
	hang_up();
}

TEST("I3.3 whoever presses Enter early waits until the approval comes, and no longer")
{
	for (int eager = 0; eager < 2; eager++) {
		int64_t start, took;

		door_stage();
		door.after_ms = 400;
		door.eager = eager;
		door_open();
		start = clock_mono_ms();
		EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
		took = clock_mono_ms() - start;
		EXPECT(took >= 400 && took < 400 + 1500);
		EXPECT(seen->waits <= 5);
	}
}

TEST("I3.3 PAM_SILENT hides neither the prompt nor a reason")
{
	door_stage();
	door.wait = -EACCES;
	door_open();
	connects("sshd", "alice");
	EXPECT_INT(pam_authenticate(open_handle, PAM_SILENT), PAM_AUTH_ERR);
	hang_up();
	EXPECT_INT(at_terminal.prompts, 1);
	EXPECT_STR(at_terminal.errors, "The login was refused in the browser.");
}

/* ---- not approved -------------------------------------------------------------------------- */

static const struct {
	int begin, wait;
	const char *text;
	int code;
	const char *has;
} OUTCOMES[] = {
    {-ENETUNREACH, 0, NULL, PAM_AUTHINFO_UNAVAIL, "cannot reach the Prism service"},
    {-ENETUNREACH, 0, NULL, PAM_AUTHINFO_UNAVAIL,
	"Your key still lets you in, unless your project asks for a recent sign-in."},
    {-ENETUNREACH, 0, "The proxy refuses.", PAM_AUTHINFO_UNAVAIL, "The proxy refuses."},
    {-EUSERS, 0, NULL, PAM_AUTHINFO_UNAVAIL, "Too many logins are waiting"},
    {-ENOENT, 0, NULL, PAM_AUTH_ERR, "lets nobody of this name sign in"},
    {-EIO, 0, NULL, PAM_AUTHINFO_UNAVAIL, "Signing in does not work on this workstation"},
    {-EIO, 0, "a\033[31mb\r\n\302\233\303\266c", PAM_AUTHINFO_UNAVAIL, "a[31mb\303\266c"},
    {0, -EACCES, NULL, PAM_AUTH_ERR, "The login was refused in the browser."},
    {0, -EACCES, "Yes!", PAM_AUTH_ERR, "The login was refused in the browser."},
    {0, -ETIMEDOUT, NULL, PAM_MAXTRIES,
	"Nobody approved this login within 90 seconds, and its time is over; connect again"},
    {0, -ENOENT, NULL, PAM_MAXTRIES, "connect again for a new code"},
    {0, -EBADMSG, NULL, PAM_AUTH_ERR, "could not be verified"},
    {0, -ENETUNREACH, NULL, PAM_AUTHINFO_UNAVAIL, "can no longer reach the Prism service"},
    {0, -EPIPE, NULL, PAM_AUTHINFO_UNAVAIL, "The login could not be completed"},
};

TEST("I3.3 every way that a login is not approved has its code and one sentence, at once")
{
	for (size_t i = 0; i < ARRAY_SIZE(OUTCOMES); i++) {
		const int64_t start = clock_mono_ms();
		int r;

		door_stage();
		door.begin = OUTCOMES[i].begin;
		door.wait = OUTCOMES[i].wait;
		door.text = OUTCOMES[i].text;
		door_open();
		r = signs_in("sshd", "alice");
		if (r != OUTCOMES[i].code)
			test_fail(__FILE__, __LINE__, "row %zu: %d", i, r);
		EXPECT_HAS(at_terminal.errors, OUTCOMES[i].has);
		EXPECT(!strchr(at_terminal.errors, '|') && !strchr(at_terminal.errors, '\033'));
		EXPECT_INT(at_terminal.prompts, OUTCOMES[i].begin == 0);
		EXPECT_INT(seen->ends, OUTCOMES[i].begin == 0);
		EXPECT(clock_mono_ms() - start < 1500);
	}
}

TEST("I3.3 when nobody approves, the login ends by its deadline, and says so")
{
	for (int eager = 0; eager < 2; eager++) {
		int64_t start, took;

		door_stage();
		write_services("login_timeout=1");
		door.after_ms = 5000;
		door.eager = eager;
		door_open();
		start = clock_mono_ms();
		EXPECT_INT(signs_in("sshd", "alice"), PAM_MAXTRIES);
		took = clock_mono_ms() - start;
		EXPECT(took >= 1000 && took < 1000 + 1500);
		EXPECT(seen->waits < 8);
		EXPECT_INT(seen->begin.ms, 1000);
		EXPECT_HAS(at_terminal.prompt[0], "within 1 seconds.");
		EXPECT_INT(seen->ends, 1);
		EXPECT_HAS(at_terminal.errors, "Nobody approved this login within 1 seconds");
	}
}

static void sleeps_over_it(void)
{
	usleep(1200000);
}

TEST("I3.3 Enter after the deadline still asks once: what was approved in time counts")
{
	door_stage();
	write_services("login_timeout=1");
	door_open();
	at_terminal.meanwhile = sleeps_over_it;
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(seen->last_wait.ms, 0);
	door.wait = -ENOENT;
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_MAXTRIES);
	EXPECT_HAS(at_terminal.errors, "Nobody approved this login within 1 seconds");
}

TEST("I3.3 a deaf conversation authenticates nobody, and the agent hears of the end")
{
	door_stage();
	door_open();
	at_terminal.absent = true;
	EXPECT_INT(signs_in("sshd", "alice"), PAM_CONV_ERR);
	EXPECT_INT(seen->waits, 0);
	EXPECT_INT(seen->ends, 1);
}

TEST("I3.3 a password typed by habit is not used; who types again starts over")
{
	door_stage();
	door_open();
	at_terminal.answers[0] = "hunter2";
	EXPECT_INT(signs_in("sshd", "alice"), PAM_SUCCESS);
	EXPECT_INT(at_terminal.prompts, 2);
	EXPECT_HAS(at_terminal.prompt[1], "Nothing is to be typed here");
	EXPECT_HAS(at_terminal.prompt[1], CODE);
	EXPECT_INT(at_terminal.styles[1], PAM_PROMPT_ECHO_OFF);
	/* As sshd's password method does, which answers each prompt by itself. */
	at_terminal.answers[1] = "hunter2";
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTH_ERR);
	EXPECT_INT(at_terminal.prompts, 2);
	EXPECT_INT(seen->waits, 0);
	EXPECT_INT(seen->ends, 1);
	EXPECT_HAS(at_terminal.errors, "given up because something was typed");
	EXPECT(!strstr(at_terminal.errors, "hunter2"));
}

/* ---- an agent that misbehaves -------------------------------------------------------------- */

/* "second": in the reply to the wait. */
static void meets(enum flaw flaw, bool second, int64_t most)
{
	const int64_t start = clock_mono_ms();
	int64_t took;
	int r;

	door_stage();
	write_services("login_timeout=1");
	*(second ? &door.wait_flaw : &door.begin_flaw) = flaw;
	door_open();
	r = signs_in("sshd", "alice");
	took = clock_mono_ms() - start;
	if (r != PAM_AUTHINFO_UNAVAIL || took > most)
		test_fail(__FILE__, __LINE__, "flaw %d of %d: %d after %lld ms", (int)flaw, second,
		    r, (long long)took);
	EXPECT_HAS(at_terminal.errors, "agent does not answer");
	EXPECT_INT(at_terminal.prompts, second);
}

TEST("LESSONS 9 no reply that is malformed admits anybody, or takes longer than the deadline")
{
	for (int flaw = OTHER_VERB; flaw <= HANG_UP; flaw++) {
		if (flaw == NO_ANSWER)
			continue;
		meets(flaw, false, 1000 + 1500);
		if (flaw != ESCAPE) /* no such text in it */
			meets(flaw, true, 1000 + 1500);
	}
}

TEST("LESSONS 9 an agent that says nothing is waited for until the deadline, at both questions")
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setjmp(test_escape) == 0) {
			snprintf(test_dir + strlen(test_dir), 10, "/aside");
			mkdir(test_dir, 0755);
			meets(NO_ANSWER, false, LOGIN_START_MS + 1500);
			door_close();
			_exit(0);
		}
		fflush(stdout);
		_exit(1);
	}
	meets(NO_ANSWER, true, 1000 + 1500 + 500 + 1500);
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
}

static void agent_starts_anew(void)
{
	door_close();
	door.wait = -ENOENT;
	door_open();
}

TEST("I3.3 an agent that is started anew while the code is shown says that it does not know it")
{
	door_stage();
	door_open();
	at_terminal.meanwhile = agent_starts_anew;
	EXPECT_INT(signs_in("sshd", "alice"), PAM_MAXTRIES);
	EXPECT_HAS(at_terminal.errors, "its Prism agent was started anew; connect again");
}

TEST("I3.3 no agent: a clear sentence at once and PAM_AUTHINFO_UNAVAIL")
{
	const int64_t start = clock_mono_ms();
	pid_t pid;

	door_stage();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_HAS(at_terminal.errors, "agent does not answer");
	EXPECT_HAS(at_terminal.errors, "log in with your key");
	EXPECT(clock_mono_ms() - start < 1000);
	pid = agent_start(in_dir("agent.sock"), CLOSES_AT_ONCE);
	EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	agent_end(pid);
	EXPECT(clock_mono_ms() - start < 1500);
	EXPECT_INT(at_terminal.prompts, 0);
}

/* ---- whose login is it? --------------------------------------------------------------------- */

TEST("I3.3 an approval for another user or another uid admits nobody")
{
	static const struct {
		const char *user;
		uint32_t uid;
	} rows[] = {{"mallory", 10001}, {"mallory", 10002}, {"alice", 10002}, {"alice", 1},
	    {"alice2", 10001}, {"alic", 10001}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		door_stage();
		door.user = rows[i].user;
		door.uid = rows[i].uid;
		door_open();
		connects("sshd", "alice");
		EXPECT_INT(pam_authenticate(open_handle, 0), PAM_AUTH_ERR);
		EXPECT_HAS(at_terminal.errors, "not for the account that asked for it");
		hang_up();
	}
}

static void becomes_mallory(void)
{
	pam_set_item(open_handle, PAM_USER, "mallory");
}

static void becomes_root(void)
{
	pam_set_item(open_handle, PAM_USER, "root");
}

static void loses_her_name(void)
{
	pam_set_item(open_handle, PAM_USER, NULL);
}

/* nss_wrapper looks at the file again when its second has changed. */
static void another_uid(const char *line)
{
	static time_t second;
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = ++second}};

	write_text(in_dir("passwd.all"), line);
	EXPECT_INT(utimensat(AT_FDCWD, in_dir("passwd.all"), times, 0), 0);
}

static void moves_to_another_uid(void)
{
	another_uid("alice:*:10077:10077::/efs/home/alice:/bin/sh\n");
}

static void moves_back(void)
{
	another_uid("");
}

static void moves_in_the_snapshot(void)
{
	w.people[0].user.uid = 10078;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
}

static void becomes_local(void)
{
	write_text(in_dir("passwd.local"), "alice:x:10001:10001::/home/alice:/bin/sh\n");
}

static void loses_the_snapshot(void)
{
	damage(0);
}

TEST(
    "authd CVE-2024-9313 whatever changes while the code is shown, the approval is for nobody else")
{
	static void (*const changes[])(void) = {becomes_mallory, becomes_root, loses_her_name,
	    moves_to_another_uid, moves_in_the_snapshot, becomes_local, loses_the_snapshot};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int r;

		door_stage();
		world_grant(world_person(&w, "mallory", 10002), 0);
		EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
		door_open();
		at_terminal.meanwhile = changes[i];
		r = signs_in("sshd", "alice");
		if (changes[i] == moves_to_another_uid)
			moves_back();
		if (r != (changes[i] == loses_the_snapshot ? PAM_AUTHINFO_UNAVAIL : PAM_AUTH_ERR))
			test_fail(__FILE__, __LINE__, "change %zu: %d", i, r);
		EXPECT_INT(seen->ends, 1);
	}
}

TEST("authd CVE-2024-9313 behind an approval the account phase admits its user and nobody else")
{
	static const char *const others[] = {"mallory", "root", "carol", "ldapuser", "nobody2"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		door_stage();
		world_grant(world_person(&w, "mallory", 10002), 0);
		EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
		door_open();
		connects("sshd", "alice");
		EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
		EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_SUCCESS);
		EXPECT_INT(pam_set_item(open_handle, PAM_USER, others[i]), PAM_SUCCESS);
		EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_PERM_DENIED);
		EXPECT_HAS(at_terminal.errors, "approved for another account");
		EXPECT_INT(pam_set_item(open_handle, PAM_USER, "alice"), PAM_SUCCESS);
		EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_SUCCESS);
		hang_up();
	}
}

TEST("authd CVE-2024-9313 between approval and account the uid may not change, nor the name be "
     "local")
{
	static void (*const changes[])(void) = {
	    moves_to_another_uid, moves_in_the_snapshot, becomes_local};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int r;

		door_stage();
		door_open();
		connects("sshd", "alice");
		EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
		changes[i]();
		r = pam_acct_mgmt(open_handle, 0);
		hang_up();
		if (changes[i] == moves_to_another_uid)
			moves_back();
		if (r != PAM_PERM_DENIED)
			test_fail(__FILE__, __LINE__, "change %zu: %d", i, r);
	}
}

/* ---- freshness ------------------------------------------------------------------------------ */

static void ask_for_freshness(void)
{
	door_stage();
	w.projects[0].sso_max_age = 3600;
	EXPECT_INT(world_write(&w, dir, SNAP_ACCESS), 0);
}

TEST("I3.4 a stale login is made good by signing in in the same conversation, there alone")
{
	ask_for_freshness();
	door.projects[0] = "genomics-lab";
	door_open();
	connects("sshd", "alice");
	EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_PERM_DENIED);
	EXPECT_HAS(at_terminal.errors, "run \"prism login\" on your own computer");
	EXPECT_HAS(at_terminal.errors, "without your key: ssh -o PubkeyAuthentication=no");
	EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
	EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_SUCCESS);
	hang_up();
	connects("sshd", "alice");
	EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_PERM_DENIED);
	hang_up();
}

TEST("I3.4 an approval that names no project, or another one, leaves the key's age as it was")
{
	ask_for_freshness();
	for (int i = 0; i < 2; i++) {
		door.projects[0] = i ? "genomics-lab2" : NULL;
		door_open();
		at_terminal.errors[0] = '\0';
		connects("sshd", "alice");
		EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
		EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_PERM_DENIED);
		EXPECT_HAS(at_terminal.errors, "asks for a more recent sign-in");
		EXPECT_HAS(at_terminal.errors, "just now was not a sign-in of that kind");
		hang_up();
	}
}

TEST("I3.4 an approval ends with the next attempt in the same conversation")
{
	ask_for_freshness();
	door.projects[0] = "genomics-lab";
	door_open();
	connects("sshd", "alice");
	EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
	EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_SUCCESS);
	door.wait = -EACCES;
	door_open();
	at_terminal.prompts = 0;
	EXPECT_INT(pam_authenticate(open_handle, 0), PAM_AUTH_ERR);
	EXPECT_INT(pam_acct_mgmt(open_handle, 0), PAM_PERM_DENIED);
	hang_up();
}

TEST("F3 Suspend/expire: signing in opens nothing that has ended; it is told after the approval")
{
	static const enum change changes[] = {SUSPENDED, ENDED, EXPIRED, PAUSED, NO_LOGIN,
	    PERSON_SUSPENDED, PERSON_ENDED, NO_GRANT, STALE};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		door_stage();
		change_world(changes[i]);
		door.projects[0] = "genomics-lab";
		door_open();
		connects("sshd", "alice");
		EXPECT_INT(pam_authenticate(open_handle, 0), PAM_SUCCESS);
		EXPECT_STR(at_terminal.errors, "");
		EXPECT(pam_acct_mgmt(open_handle, 0) != PAM_SUCCESS);
		EXPECT(at_terminal.errors[0]);
		hang_up();
	}
}

TEST("I3.3 a stranger reads the same, whatever state the member is in")
{
	static char first[sizeof(at_terminal.prompt[0])];
	static const enum change changes[] = {
	    SUSPENDED, ENDED, EXPIRED, PERSON_SUSPENDED, PERSON_ENDED, NO_GRANT, STALE};

	door_stage();
	door.wait = -EACCES;
	door_open();
	EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTH_ERR);
	memcpy(first, at_terminal.prompt[0], sizeof(first));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		change_world(changes[i]);
		EXPECT_INT(signs_in("sshd", "alice"), PAM_AUTH_ERR);
		EXPECT_STR(at_terminal.prompt[0], first);
		EXPECT_STR(at_terminal.errors, "The login was refused in the browser.");
	}
}

STAGE_MAIN()
