/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "fake_agent.h"
#include "pam_prism/options.h"
#include "stage.h"

TEST("D6 PAM agent dead: admit whose home was last known ready, else say so")
{
	stage();
	EXPECT_INT(account("sshd", "alice"), PAM_SUCCESS);
	unlink(in_dir("ready/10001"));
	EXPECT_INT(account("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_HAS(said.text, "Your home directory is not ready");
	EXPECT_HAS(said.text, "try again in a minute");
	EXPECT_INT(account("login", "alice"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_INT(account("su", "alice"), PAM_AUTHINFO_UNAVAIL);
	EXPECT_INT(account("sudo", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("cron", "alice"), PAM_SUCCESS);
	EXPECT_INT(account("systemd-user", "alice"), PAM_SUCCESS);
}

TEST("D6 PAM only a file that root left there counts as the memory of a ready home")
{
	stage();
	EXPECT_INT(chown(in_dir("ready/10001"), 10001, 10001), 0);
	EXPECT_INT(account("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	unlink(in_dir("ready/10001"));
	EXPECT_INT(symlink("/etc/hostname", in_dir("ready/10001")), 0);
	EXPECT_INT(account("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	unlink(in_dir("ready/10001"));
	EXPECT_INT(mkdir(in_dir("ready/10001"), 0755), 0);
	EXPECT_INT(account("sshd", "alice"), PAM_AUTHINFO_UNAVAIL);
	rmdir(in_dir("ready/10001"));
}

static const struct {
	enum behaviour how;
	bool remembered; /* is the home remembered as ready? */
	int want;
} AGENTS[] = {
    {ANSWERS, false, PAM_SUCCESS},
    {REFUSES, true, PAM_AUTHINFO_UNAVAIL},
    {WRONG_VERB, false, PAM_AUTHINFO_UNAVAIL},
    {WRONG_VERB, true, PAM_SUCCESS},
    {WRONG_MAGIC, false, PAM_AUTHINFO_UNAVAIL},
    {HALF, false, PAM_AUTHINFO_UNAVAIL},
    {OVERSIZE, false, PAM_AUTHINFO_UNAVAIL},
    {CLOSES_AT_ONCE, false, PAM_AUTHINFO_UNAVAIL},
    {CLOSES_AT_ONCE, true, PAM_SUCCESS},
    {CLOSES_AFTER_READ, false, PAM_AUTHINFO_UNAVAIL},
    {NEVER_READS, false, PAM_AUTHINFO_UNAVAIL},
    {NEVER_ACCEPTS, true, PAM_SUCCESS},
    {SILENT, false, PAM_AUTHINFO_UNAVAIL},
    {SILENT, true, PAM_SUCCESS},
    {LATE, true, PAM_SUCCESS},
};

TEST("LESSONS 9 whatever the agent does, the account phase ends within its deadline")
{
	for (size_t i = 0; i < ARRAY_SIZE(AGENTS); i++) {
		const pid_t pid = (stage(), agent_start(in_dir("agent.sock"), AGENTS[i].how));
		int64_t start, took;
		int r;

		if (!AGENTS[i].remembered)
			unlink(in_dir("ready/10001"));
		start = clock_mono_ms();
		r = account("sshd", "alice");
		took = clock_mono_ms() - start;
		agent_end(pid);
		if (r != AGENTS[i].want || took > 150 + 250)
			test_fail(
			    __FILE__, __LINE__, "row %zu: %d after %lld ms", i, r, (long long)took);
		if (AGENTS[i].how == REFUSES)
			EXPECT_STR(said.text, "The home volume does not answer.");
		else
			EXPECT(!said.text[0] == (r == PAM_SUCCESS));
	}
}

TEST("D6 PAM a refused person's home is not asked for")
{
	pid_t pid;
	int64_t start, took;

	stage();
	change_world(ENDED);
	write_services("home_timeout=3000"); /* asked or not: a busy machine's pause is neither */
	pid = agent_start(in_dir("agent.sock"), SILENT);
	start = clock_mono_ms();
	EXPECT_INT(account("sshd", "alice"), PAM_ACCT_EXPIRED);
	EXPECT_INT(account("sshd", "carol"), IGNORED);
	took = clock_mono_ms() - start;
	agent_end(pid);
	EXPECT(took < 2000);
}

STAGE_MAIN()
