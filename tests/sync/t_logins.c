/* SPDX-License-Identifier: MIT */

/* Logins of a host: the way they go, how long, and how many at once. */
#include "login_host.h"

/* ---- the way it goes ------------------------------------------------------------------------- */

TEST("I3.3 a login is begun, approved and told to whoever waits, once")
{
	open_world();
	const struct sent s = *waiting(60000);
	const struct login_statement l = right(&s);

	EXPECT_STR(s.user, "alice");
	EXPECT_STR(s.origin, "192.0.2.7");
	EXPECT_STR(last()->login.url, BASE "/device");
	EXPECT_STR(last()->login.code, "WDJB-M000");
	EXPECT(last()->login.handle == s.handle);
	EXPECT_STR(last()->login.host, "ws1.uni.edu");
	EXPECT_INT(logins_waiting(w.logins), 1);
	EXPECT_INT(wait_for(s.handle, 60000), 0);
	EXPECT_INT(w.nanswers, 1);
	approve(s.handle, w.signer, &l);
	EXPECT_INT(w.nanswers, 2);
	EXPECT_INT(last()->ticket, w.ticket);
	EXPECT_INT(last()->result, 0);
	EXPECT_STR(last()->approval.user, "alice");
	EXPECT_INT(last()->approval.uid, 10001);
	EXPECT_INT(last()->approval.nprojects, 1);
	EXPECT_STR(last()->approval.projects[0], "lab");
	EXPECT_INT(logins_waiting(w.logins), 0);
	/* the very same again is of nobody */
	EXPECT_INT(wait_for(s.handle, 10), -ENOENT);
	approve(s.handle, w.signer, &l);
	EXPECT_INT(w.nanswers, 2);
}

TEST("I3.3 an approval that comes before Enter is kept for it, and told once")
{
	open_world();
	const struct sent s = *waiting(60000);
	const struct login_statement l = right(&s);

	approve(s.handle, w.signer, &l);
	EXPECT_INT(w.nanswers, 1);
	EXPECT_INT(wait_for(s.handle, 1000), 0);
	EXPECT_INT(w.nanswers, 2);
	EXPECT_INT(last()->result, 0);
	EXPECT_INT(wait_for(s.handle, 1000), -ENOENT);
}

TEST("I3.3 a kept approval ends with the life of its login")
{
	open_world();
	const struct sent s = *waiting(5100);
	const struct login_statement l = right(&s);

	approve(s.handle, w.signer, &l);
	run_ms(5300);
	EXPECT_INT(w.nanswers, 1);
	EXPECT_INT(wait_for(s.handle, 1000), -ENOENT);
}

/* ---- limits and time ------------------------------------------------------------------------- */

TEST("I3 one address has so many logins waiting, and no more; another one is not in its way")
{
	char text[AGENT_TEXT_MAX];

	open_world();
	for (int i = 0; i < LOGINS_ORIGIN_MAX; i++)
		EXPECT_INT(start_ms("alice", "192.0.2.1", 60000, text), 0);
	EXPECT_INT(start_ms("alice", "192.0.2.1", 60000, text), -EUSERS);
	EXPECT(strstr(text, "Too many") != NULL);
	EXPECT_INT(start_ms("alice", "192.0.2.2", 60000, text), 0);
	/* one that has ended makes room */
	logins_gone(w.logins, 1);
	EXPECT_INT(start_ms("alice", "192.0.2.1", 60000, text), 0);
}

TEST("I3.3 a login ends with the connection over which it was begun, whoever else waits for it")
{
	open_world();
	const struct sent a = *waiting(60000), b = *waiting(60000);
	const struct login_statement l = right(&a);

	logins_left(w.logins, a.handle);
	EXPECT_INT(logins_waiting(w.logins), 1);
	EXPECT_INT(ended(a.handle), 1);
	approve(a.handle, w.signer, &l);
	EXPECT_INT(wait_for(a.handle, 1000), -ENOENT);
	EXPECT_INT(wait_for(b.handle, 60000), 0);
	logins_left(w.logins, b.handle);
	EXPECT_INT(last()->result, -ENOENT);
	EXPECT_INT(last()->approval.uid, 0);
	logins_left(w.logins, b.handle);
	EXPECT_INT(logins_waiting(w.logins), 0);
}

TEST("I3 the table has an end, and every entry of it can be used again")
{
	char text[AGENT_TEXT_MAX], origin[32];

	open_world();
	for (int i = 0; i < LOGINS_MAX; i++) {
		snprintf(origin, sizeof(origin), "192.0.2.%d", i);
		EXPECT_INT(start_ms("user", origin, 60000, text), 0);
	}
	EXPECT_INT(start_ms("user", "198.51.100.1", 60000, text), -EUSERS);
	EXPECT_INT(logins_waiting(w.logins), LOGINS_MAX);
	for (int i = 0; i < LOGINS_MAX; i++)
		logins_gone(w.logins, (uint64_t)i + 1);
	EXPECT_INT(logins_waiting(w.logins), 0);
	EXPECT_INT(start_ms("user", "198.51.100.1", 60000, text), 0);
}

TEST("I3.3 nobody of this host's projects is told so, and the service is not asked")
{
	char text[AGENT_TEXT_MAX];

	open_world();
	EXPECT_INT(start_ms("mallory", "", 60000, text), -ENOENT);
	EXPECT_STR(text, "This host does not let this person in.");
	EXPECT_INT(w.nsent, 0);
}

TEST("I3.3 a service that says nothing is called unreachable after five seconds")
{
	char text[AGENT_TEXT_MAX];
	const int64_t began = clock_mono_ms();

	open_world();
	EXPECT_INT(start_ms("alice", "", 60000, text), 0);
	run_ms(6000);
	const int64_t took = clock_mono_ms() - began;

	EXPECT_INT(w.nanswers, 1);
	EXPECT_INT(last()->result, -ENETUNREACH);
	EXPECT(strstr(last()->text,
		   "cannot be reached now; try again later. Your SSH key still "
		   "lets you in, unless your project asks for a recent login") != NULL);
	EXPECT(took >= 5000 && took < 5900);
	EXPECT_INT(ended(w.sent[0].handle), 1);
	/* an answer that comes later is of nobody */
	begun(w.sent[0].handle);
	EXPECT_INT(w.nanswers, 1);
	EXPECT_INT(logins_waiting(w.logins), 0);
}

TEST("I3.3 a service that was away already gets a short time only, and one that is back works")
{
	char text[AGENT_TEXT_MAX];
	const int64_t began = clock_mono_ms();

	open_world();
	w.away = true;
	EXPECT_INT(start_ms("alice", "", 60000, text), 0);
	run_ms(3000);
	EXPECT_INT(last()->result, -ENETUNREACH);
	EXPECT(clock_mono_ms() - began < 2000);
	waiting(60000);
	EXPECT_INT(last()->result, 0);
}

TEST("I3.3 what the network half says of a failure is what the person is told, within a list")
{
	static const struct {
		int rc, begun, done;
	} rows[] = {{-ENETUNREACH, -ENETUNREACH, -ENETUNREACH}, {-ENOENT, -ENOENT, -EBADMSG},
	    {-EUSERS, -EUSERS, -EBADMSG}, {-EACCES, -EBADMSG, -EACCES},
	    {-ETIMEDOUT, -EBADMSG, -ETIMEDOUT}, {-EAGAIN, -EBADMSG, -EBADMSG},
	    {1, -EBADMSG, -EBADMSG}, {INT32_MIN, -EBADMSG, -EBADMSG}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(4096);
		char text[AGENT_TEXT_MAX];

		open_world();
		EXPECT_INT(start_ms("alice", "", 60000, text), 0);
		wire_put_u64(&b, w.sent[0].handle);
		wire_put_u32(&b, (uint32_t)rows[i].rc);
		wire_put_str(&b, "\033[31mlook here");
		logins_begun(w.logins, b.data, b.len);
		EXPECT_INT(last()->result, rows[i].begun);
		EXPECT(strstr(last()->text, "look here") == NULL && last()->text[0] != '\0');
		open_world();
		const struct sent s = *waiting(60000);

		wait_for(s.handle, 60000);
		done(s.handle, rows[i].rc, NULL);
		EXPECT_INT(last()->result, rows[i].done);
		EXPECT(last()->text[0] != '\0');
	}
}

TEST("I3.3 waiting ends with \"not yet\" at its time, and the login lives on")
{
	open_world();
	const struct sent s = *waiting(60000);

	EXPECT_INT(wait_for(s.handle, 200), 0);
	run_ms(1000);
	EXPECT_INT(last()->result, -EAGAIN);
	EXPECT_INT(logins_waiting(w.logins), 1);
	EXPECT_INT(ended(s.handle), 0);
	EXPECT_INT(wait_for(s.handle, 0), 0);
	run_ms(1000);
	EXPECT_INT(last()->result, -EAGAIN);
	/* whoever asks again takes the place of the one before */
	EXPECT_INT(wait_for(s.handle, 60000), 0);
	const uint64_t older = w.ticket;

	EXPECT_INT(wait_for(s.handle, 60000), 0);
	EXPECT(last()->ticket == older && last()->result == -EAGAIN);
}

TEST("I3.3 a login that nobody approves expires, and the network half hears of it")
{
	open_world();
	const struct sent s = *waiting(5200);

	EXPECT_INT(wait_for(s.handle, 60000), 0);
	run_ms(6000);
	EXPECT_INT(last()->result, -ETIMEDOUT);
	EXPECT_INT(ended(s.handle), 1);
	EXPECT_INT(logins_waiting(w.logins), 0);
}

TEST("I3.3 the end of the connection that waits is the end of its login, of another's it is not")
{
	open_world();
	const struct sent s = *waiting(60000), other = *waiting(60000);
	struct agent_request rq = {.verb = AGENT_LOGIN_END, .handle = other.handle};

	EXPECT_INT(wait_for(s.handle, 60000), 0);
	logins_gone(w.logins, w.ticket + 100);
	EXPECT_INT(logins_waiting(w.logins), 2);
	logins_gone(w.logins, w.ticket);
	EXPECT_INT(logins_waiting(w.logins), 1);
	EXPECT_INT(ended(s.handle), 1);
	EXPECT_INT(ended(other.handle), 0);
	EXPECT_INT(wait_for(s.handle, 10), -ENOENT);
	EXPECT_INT(logins_end(w.logins, &rq), 0);
	EXPECT_INT(ended(other.handle), 1);
	EXPECT_INT(logins_end(w.logins, &rq), -ENOENT);
}

TEST("I3.3 messages that are cut, of nobody or out of turn change nothing")
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096), st = BUF_INIT(LOGIN_MAX);
	char text[AGENT_TEXT_MAX];

	open_world();
	EXPECT_INT(start_ms("alice", "", 60000, text), 0);
	const struct sent s = w.sent[0];
	const struct login_statement l = right(&s);

	EXPECT_INT(login_sign(w.signer, &l, &st), 0);
	done(s.handle, 0, &st); /* before it has begun */
	done(s.handle + 1, 0, &st);
	begun(s.handle + 1);
	EXPECT_INT(w.nanswers, 0);
	EXPECT_INT(wait_for(s.handle, 10), -ENOENT);
	put_begun(&b, s.handle, BASE "/device", "", "AB");
	for (size_t n = 0; n < 8; n++)
		logins_begun(w.logins, b.data, n);
	EXPECT_INT(w.nanswers, 0);
	logins_begun(w.logins, b.data, b.len - 1);
	EXPECT_INT(last()->result, -EBADMSG);
	logins_begun(w.logins, b.data, b.len);
	EXPECT_INT(w.nanswers, 1);
}

TEST("I3.3 a network half that takes nothing any more is no service either")
{
	char text[AGENT_TEXT_MAX];

	open_world();
	w.send_error = -EPIPE;
	EXPECT_INT(start_ms("alice", "", 60000, text), -EPIPE);
	EXPECT(strstr(text, "cannot be reached") != NULL);
	EXPECT_INT(logins_waiting(w.logins), 0);
	w.send_error = 0;
	open_world();
	logins_free(w.logins);
	w.logins = NULL;
}

TEST_MAIN()
