/* SPDX-License-Identifier: MIT */

/* What the prompt shows: which page, which code, and the picture of both. */
#include <sys/wait.h>
#include "login_host.h"
#include "prism-sync/login_check.h"
#include "prism-sync/login_qr.h"

TEST("I3.3 the network half cannot send people to a page that is not the service's")
{
	static const struct {
		const char *url, *complete, *code;
		bool ok;
	} rows[] = {
	    {BASE "/device", "", "WDJB-MJHT", true},
	    {BASE "/device", BASE "/device?user_code=WDJB-MJHT", "WDJB-MJHT", true},
	    {BASE, "", "AB", false},
	    /* pages of the service where something else can be agreed to */
	    {BASE "/oauth2/authorize?client_id=prism-cli", "", "AB", false},
	    {BASE "/device?user_code=CD", "", "AB", false},
	    {BASE "/device/", "", "AB", false},
	    {BASE "/device", BASE "/sso/uni/start?return=/device", "AB", false},
	    {BASE "/device", BASE "/device?user_code=CD", "AB", false},
	    {BASE "/device", BASE "/device?user_code=AB&x=1", "AB", false},
	    {BASE "/device", BASE "/device", "AB", false},
	    {"", "", "AB", false},
	    {"https://evil.example/device", "", "AB", false},
	    {BASE ".evil.example/device", "", "AB", false},
	    {BASE "@evil.example/device", "", "AB", false},
	    {BASE ":8443/device", "", "AB", false},
	    {"http://prism.uni.edu/device", "", "AB", false},
	    {BASE "/device", "https://evil.example/?user_code=AB", "AB", false},
	    {BASE "/device", BASE "/device?user_code=AB\n", "AB", false},
	    {BASE "/device\033[2J", "", "AB", false},
	    {BASE "/de vice", "", "AB", false},
	    {BASE "/device\xe2\x80\xae", "", "AB", false},
	    {BASE "/device", "", "", false},
	    {BASE "/device", "", "A B", false},
	    {BASE "/device", "", "go to evil.example", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(8192);
		char text[AGENT_TEXT_MAX];

		open_world();
		EXPECT_INT(start_ms("alice", "", 60000, text), 0);
		put_begun(&b, w.sent[0].handle, rows[i].url, rows[i].complete, rows[i].code);
		logins_begun(w.logins, b.data, b.len);
		EXPECT_INT(w.nanswers, 1);
		if (last()->result != (rows[i].ok ? 0 : -EBADMSG))
			test_fail(__FILE__, __LINE__, "row %zu gives %d", i, last()->result);
		EXPECT_INT(logins_waiting(w.logins), rows[i].ok ? 1 : 0);
		EXPECT(rows[i].complete[0] && rows[i].ok ? last()->login.qr_side > 20
							 : last()->login.qr_side == 0);
	}
}

TEST("I3.3 a host that an older version enrolled is named as it names itself")
{
	char name[65] = "";

	open_world();
	w.trust.name[0] = '\0';
	waiting(60000);
	EXPECT_INT(gethostname(name, sizeof(name) - 1), 0);
	EXPECT_STR(last()->login.host, trust_name_ok(name) ? name : "this-workstation");
}

TEST("I3.3 what may be a host's name, where people compare it")
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {{"ws1", true}, {"gpu-7.uni.edu", true}, {"", false}, {"a b", false},
	    {"ws1\033[2J", false}, {"ws1\n", false}, {"w\303\2661", false},
	    {"012345678901234567890123456789012345678901234567890123456789012", true},
	    {"0123456789012345678901234567890123456789012345678901234567890123", false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (trust_name_ok(rows[i].name) != rows[i].ok)
			test_fail(__FILE__, __LINE__, "row %zu", i);
}

TEST("I3.3 a code that one prompt shows is shown at no other one")
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	char text[AGENT_TEXT_MAX];

	open_world();
	const struct sent attacker = *waiting(60000);

	EXPECT_INT(start_ms("alice", "192.0.2.8", 60000, text), 0);
	put_begun(&b, w.sent[w.nsent - 1].handle, BASE "/device", "", attacker.code);
	logins_begun(w.logins, b.data, b.len);
	EXPECT_INT(last()->result, -EBADMSG);
	EXPECT_INT(logins_waiting(w.logins), 1);
}

TEST("I3.3 without an address that was pinned nobody begins a login")
{
	char text[AGENT_TEXT_MAX];

	open_world();
	w.trust.url[0] = '\0';
	EXPECT_INT(start_ms("alice", "", 60000, text), -EPERM);
	EXPECT(strstr(text, "enrolled again") != NULL);
	EXPECT(!login_page_ok("", "/device", NULL) && !login_page_ok("", "", NULL));
}

TEST("I3.3 the QR code is the service's address, made by a process without rights")
{
	struct agent_login l = {.qr_side = 9};
	char far[AGENT_URL_MAX];
	size_t dark = 0;

	login_qr_make(BASE "/device?user_code=WDJB-MJHT", &l);
	EXPECT_INT(l.qr_side, 29);
	/* the three finders: a dark ring of seven, and nothing where their margin is */
	EXPECT_INT(l.qr[0], 0xfe | (l.qr[0] & 1));
	EXPECT((l.qr[0] & 1) == 0);
	for (size_t i = 0; i < 29 * 4; i++)
		dark += (size_t)__builtin_popcount(l.qr[i]);
	EXPECT(dark > 29 * 29 / 3 && dark < 29 * 29 * 2 / 3);
	memset(far, 'a', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	login_qr_make(far, &l);
	EXPECT(l.qr_side > 60 && l.qr_side <= AGENT_QR_MAX);
	EXPECT_INT(waitpid(-1, NULL, WNOHANG), -1); /* no process is left */
}

TEST_MAIN()
