/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include "agent/agent.h"
#include "base/clock.h"
#include "base/wire.h"
#include "fake_agent.h"
#include "test.h"

#define SLACK_MS 1000 /* what a loaded machine may add to a deadline */

/* ---- the protocol ------------------------------------------------------------------------- */

TEST("D6 PAM agent protocol: every request comes back as it was sent")
{
	static const struct agent_request rows[] = {{.verb = AGENT_PING}, {.verb = AGENT_STATUS},
	    {.verb = AGENT_ENSURE_HOME, .user = "alice"},
	    {.verb = AGENT_ENSURE_HOME, .user = "a2345678901234567890123456789012"},
	    {.verb = AGENT_SYNC}, {.verb = AGENT_RELEASE, .user = "alice"}, {.verb = AGENT_RELEASE},
	    {.verb = AGENT_LOGIN_START, .user = "alice", .service = "sshd", .origin = "", .ms = 1},
	    {.verb = AGENT_LOGIN_START,
		.user = "alice",
		.service = "sshd",
		.origin = "2001:db8::1",
		.ms = AGENT_LOGIN_MS_MAX},
	    {.verb = AGENT_LOGIN_WAIT, .handle = UINT64_MAX, .ms = 0},
	    {.verb = AGENT_LOGIN_WAIT, .handle = 1, .ms = 90000},
	    {.verb = AGENT_LOGIN_END, .handle = 7}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_request back = {.verb = 99};

		agent_put_request(&b, &rows[i]);
		EXPECT_INT(buf_error(&b), 0);
		EXPECT_INT(agent_parse_request(b.data, b.len, &back), 0);
		EXPECT_INT(back.verb, rows[i].verb);
		EXPECT_STR(back.user, rows[i].user);
		EXPECT_STR(back.service, rows[i].service);
		EXPECT_STR(back.origin, rows[i].origin);
		EXPECT(back.handle == rows[i].handle);
		EXPECT_INT(back.ms, rows[i].ms);
	}
}

TEST("D6 PAM agent protocol: every reply comes back as it was sent")
{
	static char big[65000];
	static const struct agent_reply rows[] = {{.verb = AGENT_PING},
	    {.verb = AGENT_ENSURE_HOME, .result = -ENOENT, .text = "The home volume is absent."},
	    {.verb = AGENT_SYNC, .result = -INT16_MAX},
	    {.verb = AGENT_STATUS, .text = "ok", .json = "{\"a\":1}", .json_len = 7},
	    {.verb = AGENT_STATUS, .json = "", .json_len = 0},
	    {.verb = AGENT_STATUS, .json = big, .json_len = sizeof(big)}};

	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_reply back = {.verb = 99};

		agent_put_reply(&b, &rows[i]);
		EXPECT_INT(buf_error(&b), 0);
		EXPECT_INT(agent_parse_reply(b.data, b.len, &back), 0);
		EXPECT_INT(back.verb, rows[i].verb);
		EXPECT_INT(back.result, rows[i].result);
		EXPECT_STR(back.text, rows[i].text);
		EXPECT_INT(back.json_len, rows[i].json_len);
		EXPECT(!back.json == !rows[i].json);
		EXPECT(!back.json || memcmp(back.json, rows[i].json, back.json_len) == 0);
	}
}

TEST("D6 PAM agent protocol: what would not parse is not encoded")
{
	static char nul[4] = "a\0b";
	static const struct agent_request requests[] = {{.verb = 0}, {.verb = 9},
	    {.verb = AGENT_RELEASE, .user = "--all"}, {.verb = AGENT_ENSURE_HOME},
	    {.verb = AGENT_ENSURE_HOME, .user = "../etc"},
	    {.verb = AGENT_ENSURE_HOME, .user = "root"},
	    {.verb = AGENT_ENSURE_HOME,
		.user = "a23456789012345678901234567890123456789012345678901234567890123"}};
	static const struct agent_reply replies[] = {{.verb = 0}, {.verb = AGENT_PING, .result = 1},
	    {.verb = AGENT_PING, .result = -40000},
	    {.verb = AGENT_STATUS, .json = nul, .json_len = 3},
	    {.verb = AGENT_STATUS, .json = nul, .json_len = AGENT_PACKET_MAX}};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);

		agent_put_request(&b, &requests[i]);
		EXPECT(buf_error(&b) < 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(2 * AGENT_PACKET_MAX);

		agent_put_reply(&b, &replies[i]);
		EXPECT(buf_error(&b) < 0);
	}
}

TEST("D6 PAM agent protocol: cut, lengthened or foreign packets are refused and change nothing")
{
	_cleanup_buf_ struct buf rq = BUF_INIT(256), rp = BUF_INIT(256);
	struct agent_request q = {.verb = AGENT_ENSURE_HOME, .user = "alice"}, qback;
	struct agent_reply p = {.verb = AGENT_STATUS, .text = "t", .json = "{}", .json_len = 2},
			   pback;

	agent_put_request(&rq, &q);
	agent_put_reply(&rp, &p);
	memset(&qback, 0xaa, sizeof(qback));
	memset(&pback, 0xaa, sizeof(pback));
	for (size_t n = 0; n < rq.len; n++)
		EXPECT_INT(agent_parse_request(rq.data, n, &qback), -EBADMSG);
	for (size_t n = 0; n < rp.len; n++)
		EXPECT_INT(agent_parse_reply(rp.data, n, &pback), -EBADMSG);
	for (size_t i = 0; i < 8; i++) {
		rq.data[i] ^= 0x40;
		EXPECT_INT(agent_parse_request(rq.data, rq.len, &qback), -EBADMSG);
		rq.data[i] ^= 0x40;
	}
	for (size_t i = 0; i < 6; i++) {
		rp.data[i] ^= 0x40;
		EXPECT_INT(agent_parse_reply(rp.data, rp.len, &pback), -EBADMSG);
		rp.data[i] ^= 0x40;
	}
	rp.data[6] = 1; /* a positive result */
	EXPECT_INT(agent_parse_reply(rp.data, rp.len, &pback), -EBADMSG);
	rp.data[6] = 0;
	buf_add_char(&rq, 'x');
	buf_add_char(&rp, 'x');
	EXPECT_INT(agent_parse_request(rq.data, rq.len, &qback), -EBADMSG);
	EXPECT_INT(agent_parse_reply(rp.data, rp.len, &pback), -EBADMSG);
	EXPECT(qback.verb == 0xaaaa && pback.verb == 0xaaaa);
}

TEST("D6 PAM agent protocol: a user that is no username never reaches the agent's root half")
{
	static const char *const names[] = {"", "root", "a/b", "Alice", "a\nb", "..", "p-lab"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(256);
		struct agent_request back;

		wire_put_u32(&b, AGENT_MAGIC);
		wire_put_u16(&b, AGENT_ENSURE_HOME);
		wire_put_u16(&b, 0);
		wire_put_str(&b, names[i]);
		EXPECT_INT(buf_error(&b), 0);
		EXPECT_INT(agent_parse_request(b.data, b.len, &back), -EBADMSG);
	}
}

/* ---- device logins ------------------------------------------------------------------------ */

static struct agent_login a_login(void)
{
	struct agent_login l = {.handle = 0x1122334455667788,
	    .url = "https://prism.example/device",
	    .url_complete = "https://prism.example/device?user_code=WDJB-MJHT",
	    .code = "WDJB-MJHT",
	    .host = "gpu-7.uni.edu",
	    .qr_side = 33};

	for (size_t i = 0; i < 33 * 5; i++)
		l.qr[i] = (uint8_t)(i * 37);
	return l;
}

static struct agent_approval an_approval(size_t n)
{
	struct agent_approval a = {.user = "alice", .uid = 10001, .nprojects = n};

	for (size_t i = 0; i < n; i++)
		snprintf(a.projects[i], sizeof(a.projects[i]), "project-%zu", i);
	return a;
}

static void put_login(struct buf *b, struct agent_login *l)
{
	const struct agent_reply r = {.verb = AGENT_LOGIN_START, .text = "t", .login = l};

	agent_put_reply(b, &r);
}

static void put_approval(struct buf *b, struct agent_approval *a)
{
	const struct agent_reply r = {.verb = AGENT_LOGIN_WAIT, .approval = a};

	agent_put_reply(b, &r);
}

TEST("I3.3 agent protocol: a login begun comes back with its texts and its QR code")
{
	static const uint8_t sides[] = {0, 21, 33, AGENT_QR_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_login l = a_login(), back = {0};
		struct agent_reply r = {.login = &back};

		l.qr_side = sides[i];
		put_login(&b, &l);
		EXPECT_INT(buf_error(&b), 0);
		EXPECT_INT(agent_parse_reply(b.data, b.len, &r), 0);
		EXPECT(r.login == &back && back.handle == l.handle);
		EXPECT_STR(back.url, l.url);
		EXPECT_STR(back.url_complete, l.url_complete);
		EXPECT_STR(back.code, l.code);
		EXPECT_STR(back.host, l.host);
		EXPECT_INT(back.qr_side, sides[i]);
		EXPECT(memcmp(back.qr, l.qr, (size_t)sides[i] * ((sides[i] + 7u) / 8)) == 0);
	}
}

TEST("I3.3 agent protocol: an approval comes back with every project it names")
{
	static const size_t counts[] = {0, 1, AGENT_PROJECTS_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_approval a = an_approval(counts[i]), back = {.uid = 3};
		struct agent_reply r = {.approval = &back};

		put_approval(&b, &a);
		EXPECT_INT(buf_error(&b), 0);
		EXPECT_INT(agent_parse_reply(b.data, b.len, &r), 0);
		EXPECT_STR(back.user, "alice");
		EXPECT_INT(back.uid, 10001);
		EXPECT_INT(back.nprojects, counts[i]);
		for (size_t j = 0; j < counts[i]; j++)
			EXPECT_STR(back.projects[j], a.projects[j]);
	}
}

TEST("I3.3 agent protocol: a login that failed carries a sentence and writes to nothing")
{
	static const uint16_t verbs[] = {AGENT_LOGIN_START, AGENT_LOGIN_WAIT};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		const struct agent_reply r = {
		    .verb = verbs[i], .result = -ENETUNREACH, .text = "It cannot be reached."};
		struct agent_login l = {.handle = 5};
		struct agent_approval a = {.uid = 5};
		struct agent_reply back = {.login = &l, .approval = &a};

		agent_put_reply(&b, &r);
		EXPECT_INT(agent_parse_reply(b.data, b.len, &back), 0);
		EXPECT_INT(back.result, -ENETUNREACH);
		EXPECT_STR(back.text, "It cannot be reached.");
		EXPECT_INT(l.handle, 5);
		EXPECT_INT(a.uid, 5);
		/* whoever asks again finds the room that was given */
		EXPECT(i == 0 ? back.login == &l : back.approval == &a);
	}
}

struct raw_login {
	uint64_t handle;
	const char *url, *complete, *code, *host;
	uint8_t side;
	size_t rows;
};

/* What an encoder that checks nothing would send. */
static void raw_login(struct buf *b, const struct raw_login *l)
{
	wire_put_u32(b, AGENT_MAGIC);
	wire_put_u16(b, AGENT_LOGIN_START);
	wire_put_u16(b, 0);
	wire_put_str(b, "");
	wire_put_u64(b, l->handle);
	wire_put_str(b, l->url);
	wire_put_str(b, l->complete);
	wire_put_str(b, l->code);
	wire_put_str(b, l->host);
	wire_put_u8(b, l->side);
	for (size_t i = 0; i < l->rows; i++)
		wire_put_u8(b, 0xff);
}

TEST("I3.3 agent protocol: a login whose texts could move a terminal is not taken")
{
	char far[AGENT_URL_MAX + 2];
	static const char host64[] =
	    "0123456789012345678901234567890123456789012345678901234567890123";
	const struct raw_login good = {1, "https://a", "", "AB", "ws1", 21, 63};
	const struct raw_login bad[] = {
	    {0, "https://a", "", "AB", "ws1", 0, 0},
	    {1, "", "", "AB", "ws1", 0, 0},
	    {1, "https://a", "", "", "ws1", 0, 0},
	    {1, "https://a\033[2J", "", "AB", "ws1", 0, 0},
	    {1, "https://a", "\r\nhttps://b", "AB", "ws1", 0, 0},
	    {1, "https://a", "", "A\xc3\xa9", "ws1", 0, 0},
	    {1, "https://a", "", "A\x7f", "ws1", 0, 0},
	    {1, far, "", "AB", "ws1", 0, 0},
	    {1, "https://a", "", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", "ws1", 0, 0},
	    {1, "https://a", "", "AB", "ws1", AGENT_QR_MAX + 1, (AGENT_QR_MAX + 1) * 13},
	    {1, "https://a", "", "AB", "ws1", 21, 62},
	    {1, "https://a", "", "AB", "ws1", 21, 64},
	    {1, "https://a", "", "AB", "", 0, 0},
	    {1, "https://a", "", "AB", "ws1\033[A", 0, 0},
	    {1, "https://a", "", "AB", host64, 0, 0},
	};

	memset(far, 'u', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_login l = {.handle = 9};
		struct agent_reply back = {.verb = 99, .login = &l};
		const bool is_bad = i < ARRAY_SIZE(bad);

		raw_login(&b, is_bad ? &bad[i] : &good);
		if (agent_parse_reply(b.data, b.len, &back) != (is_bad ? -EBADMSG : 0))
			test_fail(__FILE__, __LINE__, "row %zu", i);
		EXPECT_INT(back.verb, is_bad ? 99 : AGENT_LOGIN_START);
		EXPECT(l.handle == (is_bad ? 9 : 1));
	}
}

static void raw_approval(
    struct buf *b, const char *user, uint32_t uid, uint16_t n, const char *slug)
{
	wire_put_u32(b, AGENT_MAGIC);
	wire_put_u16(b, AGENT_LOGIN_WAIT);
	wire_put_u16(b, 0);
	wire_put_str(b, "");
	wire_put_str(b, user);
	wire_put_u32(b, uid);
	wire_put_u16(b, n);
	for (uint16_t i = 0; i < n; i++)
		wire_put_str(b, slug);
}

TEST("I3.3 agent protocol: an approval of nobody, of root or of a name that is none is not taken")
{
	static const struct {
		const char *user;
		uint32_t uid;
		uint16_t n;
		const char *slug;
		int want;
	} rows[] = {
	    {"alice", 10001, 64, "vision", 0},
	    {"alice", 0, 0, "", -EBADMSG},
	    {"root", 10001, 0, "", -EBADMSG},
	    {"", 10001, 0, "", -EBADMSG},
	    {"alice", 10001, 65, "vision", -EBADMSG},
	    {"alice", 10001, 1, "Vision", -EBADMSG},
	    {"alice", 10001, 1, "", -EBADMSG},
	    {"alice", 10001, 1, "a23456789012345678901234567x", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
		struct agent_approval a = {.uid = 77};
		struct agent_reply back = {.approval = &a};

		raw_approval(&b, rows[i].user, rows[i].uid, rows[i].n, rows[i].slug);
		EXPECT_INT(agent_parse_reply(b.data, b.len, &back), rows[i].want);
		EXPECT_INT(a.uid, rows[i].want == 0 ? 10001 : 77);
	}
}

TEST("I3.3 agent protocol: what the other side would refuse of a login is not encoded")
{
	static char tab[] = "ssh\td";
	struct agent_request rq[8];
	struct agent_login l[4] = {a_login(), a_login(), a_login(), a_login()};
	struct agent_approval a[4] = {
	    an_approval(1), an_approval(1), an_approval(0), an_approval(0)};

	for (size_t i = 0; i < ARRAY_SIZE(rq); i++)
		rq[i] = (struct agent_request){
		    .verb = AGENT_LOGIN_START, .user = "alice", .service = "sshd", .ms = 1};
	memcpy(rq[0].service, tab, sizeof(tab));
	rq[1].service[0] = '\0';
	memset(rq[2].origin, 'x', sizeof(rq[2].origin));
	rq[3].origin[0] = '\x80';
	rq[4].ms = 0;
	rq[5].ms = AGENT_LOGIN_MS_MAX + 1;
	rq[6] = (struct agent_request){.verb = AGENT_LOGIN_WAIT, .ms = 5};
	rq[7] = (struct agent_request){.verb = AGENT_LOGIN_END};
	for (size_t i = 0; i < ARRAY_SIZE(rq); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);

		agent_put_request(&b, &rq[i]);
		EXPECT(buf_error(&b) < 0);
	}
	l[0].qr_side = AGENT_QR_MAX + 1;
	l[1].code[3] = '\n';
	l[2].url[0] = '\0';
	l[3].host[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(l); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);

		put_login(&b, &l[i]);
		EXPECT(buf_error(&b) < 0);
	}
	a[0].projects[0][0] = '-';
	a[1].uid = 0;
	a[2].nprojects = AGENT_PROJECTS_MAX + 1;
	a[3].user[0] = '/';
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);

		put_approval(&b, &a[i]);
		EXPECT(buf_error(&b) < 0);
	}
}

TEST("I3.3 agent protocol: packets of a login that are cut are refused and change nothing")
{
	_cleanup_buf_ struct buf rq = BUF_INIT(512), rp = BUF_INIT(4096), ap = BUF_INIT(4096);
	const struct agent_request q = {
	    .verb = AGENT_LOGIN_START, .user = "alice", .service = "sshd", .ms = 9};
	struct agent_login l = a_login(), lback = {.handle = 9};
	struct agent_approval a = an_approval(2), aback = {.uid = 77};
	struct agent_request qback = {.verb = 99};
	struct agent_reply pback = {.verb = 99, .login = &lback, .approval = &aback};

	agent_put_request(&rq, &q);
	put_login(&rp, &l);
	put_approval(&ap, &a);
	EXPECT(buf_error(&rq) == 0 && buf_error(&rp) == 0 && buf_error(&ap) == 0);
	for (size_t n = 0; n < rq.len; n++)
		EXPECT_INT(agent_parse_request(rq.data, n, &qback), -EBADMSG);
	for (size_t n = 0; n < rp.len; n++)
		EXPECT_INT(agent_parse_reply(rp.data, n, &pback), -EBADMSG);
	for (size_t n = 0; n < ap.len; n++)
		EXPECT_INT(agent_parse_reply(ap.data, n, &pback), -EBADMSG);
	EXPECT(qback.verb == 99 && pback.verb == 99 && lback.handle == 9 && aback.uid == 77);
}

/* ---- the client against agents of every kind ---------------------------------------------- */

static const char *socket_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/agent.sock", test_tmpdir());
	return path;
}

static int ask(int deadline_ms, struct agent_reply *ret, int64_t *ret_ms)
{
	const struct agent_request rq = {.verb = AGENT_ENSURE_HOME, .user = "alice"};
	static uint8_t storage[1024];
	const int64_t start = clock_mono_ms();
	const int r = agent_call(socket_path(), &rq, deadline_ms, storage, sizeof(storage), ret);

	*ret_ms = clock_mono_ms() - start;
	return r;
}

static const struct hostile {
	enum behaviour how;
	int want;
	bool waits; /* the deadline ends it */
} HOSTILE[] = {
    {ANSWERS, 0, false},
    {REFUSES, 0, false},
    {PASSES_FDS, 0, false},
    {WRONG_VERB, -EBADMSG, false},
    {WRONG_MAGIC, -EBADMSG, false},
    {HALF, -EBADMSG, false},
    {OVERSIZE, -EMSGSIZE, false},
    {CLOSES_AT_ONCE, -ECONNRESET, false},
    {CLOSES_AFTER_READ, -ECONNRESET, false},
    {NEVER_READS, -ETIMEDOUT, true},
    {SILENT, -ETIMEDOUT, true},
    {LATE, -ETIMEDOUT, true},
};

TEST("LESSONS 9 no agent makes the client outlast its deadline, leak or crash")
{
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(HOSTILE); i++) {
		const struct hostile *h = &HOSTILE[i];
		const pid_t pid = agent_start(socket_path(), h->how);
		const int before = count_fds();
		struct agent_reply reply = {.verb = 99};
		int64_t ms;
		const int r = ask(200, &reply, &ms);
		const int after = count_fds();

		agent_end(pid);
		if (r != h->want && !(h->want == -ECONNRESET && r == -EPIPE))
			test_fail(__FILE__, __LINE__, "behaviour %d gives %d, not %d", h->how, r,
			    h->want);
		EXPECT_INT(after, before);
		EXPECT(!h->waits || ms >= 200);
		EXPECT(ms < 200 + SLACK_MS);
		EXPECT_INT(reply.verb, r == 0 ? AGENT_ENSURE_HOME : 99);
		if (h->how == REFUSES) {
			EXPECT_INT(reply.result, -EIO);
			EXPECT_STR(reply.text, "The home volume does not answer.");
		}
	}
}

TEST("LESSONS 9 a full backlog ends at the deadline too")
{
	const pid_t pid = agent_start(socket_path(), NEVER_ACCEPTS);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct agent_reply reply;
	int fds[8];
	int64_t ms;
	int r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path());
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (struct sockaddr *)&a, sizeof(a));
	}
	r = ask(200, &reply, &ms);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	agent_end(pid);
	EXPECT_INT(r, -ETIMEDOUT);
	EXPECT(ms >= 200 && ms < 200 + SLACK_MS);
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST("LESSONS 9 signals neither shorten nor lengthen the wait")
{
	const pid_t pid = agent_start(socket_path(), SILENT);
	const struct sigaction sa = {.sa_handler = on_alarm};
	struct sigaction old;
	const pid_t parent = getpid();
	struct agent_reply reply;
	int64_t ms;
	pid_t pest;
	int r;

	sigaction(SIGUSR1, &sa, &old);
	pest = fork();
	if (pest == 0) {
		for (int i = 0; i < 1000; i++) {
			usleep(5000);
			kill(parent, SIGUSR1);
		}
		_exit(0);
	}
	r = ask(300, &reply, &ms);
	agent_end(pest);
	agent_end(pid);
	sigaction(SIGUSR1, &old, NULL);
	EXPECT_INT(r, -ETIMEDOUT);
	EXPECT(ms >= 300 && ms < 300 + SLACK_MS);
}

TEST("D6 PAM an absent agent, a dead one and a file in its place are told apart at once")
{
	struct agent_reply reply;
	char far[200];
	uint8_t storage[64];
	const struct agent_request rq = {.verb = AGENT_PING};
	int64_t ms;
	int fd;

	unlink(socket_path());
	EXPECT_INT(ask(5000, &reply, &ms), -ENOENT);
	agent_end(agent_start(socket_path(), SILENT));
	EXPECT_INT(ask(5000, &reply, &ms), -ECONNREFUSED);
	unlink(socket_path());
	fd = open(socket_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	EXPECT_INT(ask(5000, &reply, &ms), -ECONNREFUSED);
	EXPECT(ms < SLACK_MS);
	memset(far, 'a', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	EXPECT_INT(agent_call(far, &rq, 100, storage, sizeof(storage), &reply), -ENAMETOOLONG);
}

TEST("D6 PAM a listener that is neither root nor the caller is not believed")
{
	struct agent_reply reply;
	int64_t ms;
	pid_t pid;
	int r;

	if (geteuid() != 0)
		SKIP("needs root to listen as another user");
	chmod(test_tmpdir(), 0777);
	if (seteuid(65534) < 0)
		SKIP("cannot change user");
	pid = agent_start(socket_path(), ANSWERS);
	if (seteuid(0) < 0)
		exit(99);
	r = ask(1000, &reply, &ms);
	agent_end(pid);
	EXPECT_INT(r, -EPERM);
}

TEST("D6 PAM no deadline at all asks nothing for ever")
{
	const pid_t pid = agent_start(socket_path(), SILENT);
	struct agent_reply reply;
	int64_t ms;
	const int r0 = ask(0, &reply, &ms), r1 = ask(-5, &reply, &ms);

	agent_end(pid);
	EXPECT_INT(r0, -ETIMEDOUT);
	EXPECT_INT(r1, -ETIMEDOUT);
}

TEST_MAIN()
