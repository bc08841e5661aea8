/* SPDX-License-Identifier: MIT */

/*
 * The root half's device logins against a network half that lies: this test is the network half,
 * and the agent's socket.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/wire.h"
#include "feed/login.h"
#include "prism-sync/login_check.h"
#include "prism-sync/login_qr.h"
#include "prism-sync/logins.h"
#include "sync/forge.h"
#include "test.h"

#define BASE "https://prism.uni.edu"

/* ---- the host around it ---------------------------------------------------------------------- */

struct sent {
	enum link_type type;
	uint64_t handle;
	uint8_t nonce[LOGIN_NONCE_LEN];
	char user[64], origin[300], code[16];
};

struct answer {
	uint64_t ticket;
	int result;
	char text[AGENT_TEXT_MAX];
	struct agent_login login;
	struct agent_approval approval;
};

static struct world {
	sd_event *event;
	struct trust trust;
	struct logins *logins;
	struct feed_signer *signer;
	int64_t now;
	bool away, gone;
	int send_error;
	struct sent sent[700];
	size_t nsent;
	struct answer answers[700];
	size_t nanswers;
	uint64_t ticket;
} w;

static int64_t world_now(void *arg)
{
	return w.now;
}

static int world_person(void *arg, const char *user, uint32_t *ret_uid)
{
	if (w.gone || (strcmp(user, "alice") != 0 && strncmp(user, "user", 4) != 0))
		return -ENOENT;
	*ret_uid = user[0] == 'a' ? 10001 : 20000;
	return 0;
}

static bool world_away(void *arg)
{
	return w.away;
}

static int world_send(void *arg, enum link_type type, const struct buf *b)
{
	struct sent *s = &w.sent[w.nsent];
	char service[64];
	struct wire r;

	if (w.send_error < 0)
		return w.send_error;
	memset(s, 0, sizeof(*s));
	wire_init(&r, b->data, b->len);
	s->type = type;
	s->handle = wire_u64(&r);
	if (type == LINK_LOGIN_START) {
		wire_str(&r, s->user, sizeof(s->user));
		wire_str(&r, service, sizeof(service));
		wire_str(&r, s->origin, sizeof(s->origin));
		memcpy(s->nonce, wire_bytes(&r, LOGIN_NONCE_LEN), LOGIN_NONCE_LEN);
		wire_u32(&r);
	}
	if (!wire_done(&r))
		abort();
	w.nsent++;
	return 0;
}

static void world_reply(void *arg, uint64_t ticket, const struct agent_reply *r)
{
	struct answer *a = &w.answers[w.nanswers++];
	struct buf b = BUF_INIT(AGENT_PACKET_MAX);
	struct agent_reply whole = *r;

	memset(a, 0, sizeof(*a));
	a->ticket = ticket;
	a->result = r->result;
	memcpy(a->text, r->text, sizeof(a->text));
	if (r->login)
		a->login = *r->login;
	if (r->approval)
		a->approval = *r->approval;
	/* What cannot be encoded would never reach anybody. */
	whole.verb = r->login ? AGENT_LOGIN_START : AGENT_LOGIN_WAIT;
	agent_put_reply(&b, &whole);
	if (buf_error(&b) < 0)
		abort();
	buf_free(&b);
}

static void open_world(void)
{
	struct logins_host h = {.now = world_now,
	    .person = world_person,
	    .away = world_away,
	    .send = world_send,
	    .reply = world_reply};

	logins_free(w.logins);
	sd_event_unref(w.event);
	feed_signer_free(w.signer);
	memset(&w, 0, sizeof(w));
	w.now = FORGE_NOW;
	w.signer = forge_signer(1);
	memset(w.trust.host_id, 0xaa, sizeof(w.trust.host_id));
	memcpy(w.trust.keys[0].key, feed_signer_public(w.signer), FEED_KEY_LEN);
	w.trust.keys[0].role = TRUST_CURRENT;
	w.trust.nkeys = 1;
	snprintf(w.trust.url, sizeof(w.trust.url), BASE);
	snprintf(w.trust.name, sizeof(w.trust.name), "ws1.uni.edu");
	if (sd_event_new(&w.event) < 0)
		abort();
	h.event = w.event;
	h.trust = &w.trust;
	if (logins_new(&h, &w.logins) < 0)
		abort();
}

/* Let time pass: for at most ms, or until there is one more answer. */
static void run_ms(int64_t ms)
{
	const int64_t end = clock_mono_ms() + ms;
	const size_t had = w.nanswers;

	while (w.nanswers == had && clock_mono_ms() < end)
		sd_event_run(w.event, (uint64_t)(end - clock_mono_ms()) * 1000);
}

static int start_ms(const char *user, const char *origin, uint32_t ms, char text[AGENT_TEXT_MAX])
{
	struct agent_request rq = {.verb = AGENT_LOGIN_START, .service = "sshd", .ms = ms};

	snprintf(rq.user, sizeof(rq.user), "%s", user);
	snprintf(rq.origin, sizeof(rq.origin), "%s", origin);
	return logins_start(w.logins, &rq, ++w.ticket, text);
}

static void put_begun(
    struct buf *b, uint64_t handle, const char *url, const char *complete, const char *code)
{
	buf_clear(b);
	wire_put_u64(b, handle);
	wire_put_u32(b, 0);
	wire_put_str(b, "");
	wire_put_str(b, url);
	wire_put_str(b, complete);
	wire_put_str(b, code);
}

static void begun(uint64_t handle)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	for (size_t i = 0; i < w.nsent; i++) {
		if (w.sent[i].handle == handle)
			snprintf(w.sent[i].code, sizeof(w.sent[i].code), "WDJB-M%03zu", i);
		if (w.sent[i].handle == handle)
			put_begun(&b, handle, BASE "/device", "", w.sent[i].code);
	}
	logins_begun(w.logins, b.data, b.len);
}

/* A login of alice that waits for its approval. */
static struct sent *waiting(uint32_t life)
{
	char text[AGENT_TEXT_MAX];

	if (start_ms("alice", "192.0.2.7", life, text) != 0)
		abort();
	struct sent *s = &w.sent[w.nsent - 1];

	begun(s->handle);
	if (w.nanswers == 0 || w.answers[w.nanswers - 1].result != 0)
		abort();
	return s;
}

static int wait_for(uint64_t handle, uint32_t ms)
{
	struct agent_request rq = {.verb = AGENT_LOGIN_WAIT, .handle = handle, .ms = ms};
	char text[AGENT_TEXT_MAX];

	return logins_wait(w.logins, &rq, ++w.ticket, text);
}

static struct login_statement right(const struct sent *s)
{
	struct login_statement l = {.issued_at = w.now, .uid = 10001, .nprojects = 1};

	memset(l.host, 0xaa, sizeof(l.host));
	memcpy(l.nonce, s->nonce, sizeof(l.nonce));
	login_code_hash(s->code, l.code);
	snprintf(l.username, sizeof(l.username), "alice");
	snprintf(l.projects[0], sizeof(l.projects[0]), "lab");
	return l;
}

static void done(uint64_t handle, int rc, const struct buf *statement)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX + 64);

	wire_put_u64(&b, handle);
	wire_put_u32(&b, (uint32_t)rc);
	if (statement) {
		wire_put_u16(&b, (uint16_t)statement->len);
		buf_add(&b, statement->data, statement->len);
	}
	logins_done(w.logins, b.data, b.len);
}

static void approve(uint64_t handle, struct feed_signer *s, const struct login_statement *l)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX);

	if (login_sign(s, l, &b) < 0)
		abort();
	done(handle, 0, &b);
}

static const struct answer *last(void)
{
	return &w.answers[w.nanswers - 1];
}

static size_t ended(uint64_t handle)
{
	size_t n = 0;

	for (size_t i = 0; i < w.nsent; i++)
		n += w.sent[i].type == LINK_LOGIN_END && w.sent[i].handle == handle;
	return n;
}

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

/* ---- forged statements ----------------------------------------------------------------------- */

enum forgery {
	HONEST,
	WRONG_NONCE,
	NO_NONCE,
	WRONG_CODE,
	WRONG_HOST,
	WRONG_USER,
	WRONG_UID,
	OLD,
	FUTURE,
	WRONG_KEY,
	BAD_SIGNATURE,
	CHANGED,
	CUT,
	LONGER,
	EMPTY,
	A_FEED,
	FORGERIES,
};

static void forge_statement(enum forgery how, const struct sent *s, struct buf *out)
{
	struct login_statement l = right(s);
	struct feed_signer *other = how == WRONG_KEY ? forge_signer(2) : NULL;

	if (how == WRONG_NONCE)
		l.nonce[31] ^= 1;
	if (how == NO_NONCE)
		memset(l.nonce, 0, sizeof(l.nonce));
	if (how == WRONG_CODE)
		login_code_hash("WDJB-MJHS", l.code);
	if (how == WRONG_HOST)
		l.host[0] ^= 1;
	if (how == WRONG_USER)
		snprintf(l.username, sizeof(l.username), "mallory");
	if (how == WRONG_UID)
		l.uid = 10002;
	if (how == OLD)
		l.issued_at = w.now - LOGIN_LIFE - 1;
	if (how == FUTURE)
		l.issued_at = w.now + 61;
	if (login_sign(other ? other : w.signer, &l, out) < 0)
		abort();
	if (how == BAD_SIGNATURE)
		out->data[out->len - 7] ^= 0x10;
	if (how == CHANGED)
		out->data[8 + 16 + 16 + 32 + 8] ^= 1; /* the uid */
	if (how == CUT)
		out->len -= 1;
	if (how == LONGER)
		buf_add_char(out, 0);
	if (how == EMPTY)
		out->len = 0;
	feed_signer_free(other);
}

/* A signed message of the feed: the same key, another context. */
static void forge_feed(struct buf *out)
{
	static struct forge f;

	forge_init(&f, 1, "lab");
	forge_heartbeat(&f, out);
	forge_free(&f);
}

TEST("I3.3 no statement but the right one lets anybody in, and a refused one ends the login")
{
	for (int how = HONEST; how < FORGERIES; how++) {
		_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX);

		open_world();
		const struct sent s = *waiting(60000);

		if (how == A_FEED)
			forge_feed(&b);
		else
			forge_statement(how, &s, &b);
		EXPECT_INT(wait_for(s.handle, 60000), 0);
		done(s.handle, 0, &b);
		EXPECT_INT(w.nanswers, 2);
		if (last()->result != (how == HONEST ? 0 : -EBADMSG))
			test_fail(__FILE__, __LINE__, "forgery %d gives %d", how, last()->result);
		EXPECT_INT(last()->approval.uid, how == HONEST ? 10001 : 0);
		EXPECT(how == HONEST || last()->text[0] != '\0');
		/* and the right one is too late then */
		const struct login_statement l = right(&s);

		approve(s.handle, w.signer, &l);
		EXPECT_INT(w.nanswers, 2);
		EXPECT_INT(wait_for(s.handle, 10), -ENOENT);
	}
}

TEST("I3.5 a clock that is wrong is named, one that is a minute off is borne")
{
	static const struct {
		int64_t ahead;
		int want;
		const char *says;
	} rows[] = {{60, 0, ""}, {-LOGIN_LIFE, 0, ""}, {61, -EBADMSG, "behind"},
	    {-LOGIN_LIFE - 1, -EBADMSG, "ahead"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_world();
		const struct sent s = *waiting(60000);
		struct login_statement l = right(&s);

		l.issued_at += rows[i].ahead;
		wait_for(s.handle, 60000);
		approve(s.handle, w.signer, &l);
		EXPECT_INT(last()->result, rows[i].want);
		if (!strstr(last()->text, rows[i].says))
			test_fail(__FILE__, __LINE__, "%s", last()->text);
	}
}

TEST("I3.3 one login's statement is no other's, also of the same person")
{
	open_world();
	const struct sent a = *waiting(60000), b = *waiting(60000);
	const struct login_statement l = right(&a);

	EXPECT(memcmp(a.nonce, b.nonce, sizeof(a.nonce)) != 0 && a.handle != b.handle);
	wait_for(b.handle, 60000);
	approve(b.handle, w.signer, &l);
	EXPECT_INT(last()->result, -EBADMSG);
	wait_for(a.handle, 60000);
	approve(a.handle, w.signer, &l);
	EXPECT_INT(last()->result, 0);
}

TEST("I3.3 the announced key approves from its time on, a retired one never")
{
	struct feed_signer *next = forge_signer(3);

	for (int i = 0; i < 3; i++) {
		open_world();
		memcpy(w.trust.keys[1].key, feed_signer_public(next), FEED_KEY_LEN);
		w.trust.keys[1].role = i < 2 ? TRUST_NEXT : TRUST_RETIRED;
		w.trust.keys[1].not_before = i == 0 ? w.now + 1 : w.now - 1;
		w.trust.nkeys = 2;
		const struct sent s = *waiting(60000);
		const struct login_statement l = right(&s);

		wait_for(s.handle, 60000);
		approve(s.handle, next, &l);
		EXPECT_INT(last()->result, i == 1 ? 0 : -EBADMSG);
	}
	feed_signer_free(next);
}

TEST("I3.3 whoever this host lets in no more when the approval comes stays outside")
{
	open_world();
	const struct sent s = *waiting(60000);
	const struct login_statement l = right(&s);

	wait_for(s.handle, 60000);
	w.gone = true;
	approve(s.handle, w.signer, &l);
	EXPECT_INT(last()->result, -EACCES);
	EXPECT_INT(last()->approval.uid, 0);
}

/* ---- pages and codes ------------------------------------------------------------------------- */

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
	EXPECT(took >= 5000 && took < 5500);
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
