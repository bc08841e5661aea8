/* SPDX-License-Identifier: MIT */

/* Proofs of domains: what counts as an answer, and how long a proof lasts. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include "base/attr.h"
#include "prism-central/sso_internal.h"
#include "world.h"

#define NAME "_prism-challenge.acme.com"
#define TEXT "prism-domain-verification=abc"

/* ---- packets --------------------------------------------------------------------------------- */

struct packet {
	uint8_t b[2048];
	size_t n;
};

static void put(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->b + p->n, bytes, n);
	p->n += n;
}

static void put16(struct packet *p, unsigned v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(p, b, 2);
}

static void put_name(struct packet *p, const char *name)
{
	while (*name) {
		uint8_t n = (uint8_t)strcspn(name, ".");
		put(p, &n, 1);
		put(p, name, n);
		name += n + (name[n] == '.');
	}
	put(p, "", 1);
}

static struct packet begin(unsigned flags, unsigned answers)
{
	struct packet p = {.n = 0};

	put16(&p, 0x1234);
	put16(&p, flags);
	put16(&p, 1);
	put16(&p, answers);
	put16(&p, 0);
	put16(&p, 0);
	put_name(&p, NAME);
	put16(&p, 16);
	put16(&p, 1);
	return p;
}

static void record(struct packet *p, const char *name, unsigned type, const void *data, size_t n)
{
	put_name(p, name);
	put16(p, type);
	put16(p, 1);
	put16(p, 0);
	put16(p, 60);
	put16(p, (unsigned)n);
	put(p, data, n);
}

static void txt(struct packet *p, const char *name, const char *text)
{
	uint8_t data[256];
	size_t n = strlen(text);

	data[0] = (uint8_t)n;
	memcpy(data + 1, text, n);
	record(p, name, 16, data, n + 1);
}

static void cname(struct packet *p, const char *from, const char *to)
{
	struct packet data = {.n = 0};

	put_name(&data, to);
	record(p, from, 5, data.b, data.n);
}

static int match(const struct packet *p)
{
	return sso_dns_match(p->b, p->n, NAME, TEXT);
}

TEST("S3.18 a TXT record of this name with this text proves the domain")
{
	struct packet p = begin(0x8180, 1);
	txt(&p, NAME, TEXT);
	EXPECT_INT(match(&p), 1);
	p = begin(0x8180, 3);
	txt(&p, NAME, "v=spf1 -all");
	txt(&p, "_PRISM-challenge.ACME.com", TEXT);
	txt(&p, NAME, "another");
	EXPECT_INT(match(&p), 1);
	p = begin(0x8180, 1);
	static const uint8_t split[] = "\x06prism-\x17"
				       "domain-verification=abc";
	record(&p, NAME, 16, split, sizeof(split) - 1);
	EXPECT_INT(match(&p), 1);
}

TEST("S3.18 a CNAME leads on, and not in circles")
{
	struct packet p = begin(0x8180, 3);
	txt(&p, "b.example", TEXT);
	cname(&p, "a.example", "b.example");
	cname(&p, NAME, "a.example");
	EXPECT_INT(match(&p), 1);
	p = begin(0x8180, 2);
	cname(&p, NAME, "a.example");
	cname(&p, "a.example", NAME);
	EXPECT_INT(match(&p), 0);
	p = begin(0x8180, 2);
	cname(&p, "else.example", "b.example");
	txt(&p, "b.example", TEXT);
	EXPECT_INT(match(&p), 0);
}

TEST("S3.18 nothing else proves it")
{
	static const char *const texts[] = {"", "prism-domain-verification=ab",
	    "prism-domain-verification=abcd", " " TEXT, TEXT " ", "PRISM-domain-verification=abc"};
	static const char *const names[] = {
	    "acme.com", "_prism-challenge.evil.com", "x._prism-challenge.acme.com"};
	struct packet p;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		p = begin(0x8180, 1);
		txt(&p, NAME, texts[i]);
		EXPECT_INT(match(&p), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		p = begin(0x8180, 1);
		txt(&p, names[i], TEXT);
		EXPECT_INT(match(&p), 0);
	}
	p = begin(0x8180, 1);
	record(&p, NAME, 16, "\x1e" TEXT "\0", 31); /* a NUL behind the text */
	EXPECT_INT(match(&p), 0);
	p = begin(0x8180, 1);
	record(&p, NAME, 99, "\x1d" TEXT, 30); /* another type */
	EXPECT_INT(match(&p), 0);
	p = begin(0x8180, 0);
	EXPECT_INT(match(&p), 0);
}

TEST("S3.18 what is no answer is told from an answer that says no")
{
	struct packet p = begin(0x0100, 1); /* a question */
	txt(&p, NAME, TEXT);
	EXPECT_INT(match(&p), -EBADMSG);
	p = begin(0x8182, 1); /* SERVFAIL */
	txt(&p, NAME, TEXT);
	EXPECT_INT(match(&p), -EBADMSG);
	p = begin(0x8180, 1);
	record(&p, NAME, 16, "\xff" TEXT, 30); /* a string longer than its record */
	EXPECT_INT(match(&p), -EBADMSG);
	p = begin(0x8180, 1);
	txt(&p, NAME, TEXT);
	for (size_t n = 0; n < p.n; n++)
		EXPECT_INT(sso_dns_match(p.b, n, NAME, TEXT), -EBADMSG);
	p = begin(0x8180, 1);
	put(&p, "\xc0\x00", 2); /* a name that points at itself */
	for (int i = 0; i < 5; i++)
		put16(&p, 1);
	EXPECT_INT(match(&p) <= 0, 1);
}

TEST("S3.18 domains as they are compared")
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"acme.com", "acme.com"},
	    {"@Acme.COM", "acme.com"},
	    {"acme.com.", "acme.com"},
	    {"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
	    {"a.b.c.d", "a.b.c.d"},
	    {"com", NULL},
	    {"", NULL},
	    {"@", NULL},
	    {".", NULL},
	    {"acme..com", NULL},
	    {".acme.com", NULL},
	    {"acme.com..", NULL},
	    {"@@acme.com", NULL},
	    {"me@acme.com", NULL},
	    {"-acme.com", NULL},
	    {"acme-.com", NULL},
	    {"ac_me.com", NULL},
	    {"ac%me.com", NULL},
	    {"acme.com/x", NULL},
	    {"192.0.2.1", NULL},
	    {"m\xc3\xbcnchen.de", NULL},
	};
	char out[SSO_DOMAIN_MAX + 1], longest[400];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ok = sso_domain_canonical(cases[i].text, out);
		EXPECT_STR(ok ? out : "none", cases[i].want ? cases[i].want : "none");
	}
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 50; i < sizeof(longest); i += 51)
		longest[i] = '.';
	longest[SSO_DOMAIN_MAX] = '\0';
	EXPECT(sso_domain_canonical(longest, out));
	longest[SSO_DOMAIN_MAX] = 'a';
	longest[SSO_DOMAIN_MAX + 1] = '\0';
	EXPECT(!sso_domain_canonical(longest, out));
	memset(longest, 'a', 64);
	memcpy(longest + 64, ".com", 5);
	EXPECT(!sso_domain_canonical(longest, out));
}

/* ---- a name server --------------------------------------------------------------------------- */

enum mode { FOUND, MISSING, NODATA, BROKEN, WRONG_ID, SILENT };

static struct server {
	int fd;
	pthread_t thread;
	volatile enum mode mode;
	volatile int questions;
	volatile bool stop;
} server;

static void answer(const uint8_t *q, size_t n, const struct sockaddr *to, socklen_t len)
{
	struct packet p = {.n = 0};
	uint8_t head[8] = {0x81, 0x80, 0, 1, 0, 0, 0, 0};

	put(&p, q, 2);
	p.b[0] ^= server.mode == WRONG_ID;
	head[1] |= server.mode == MISSING ? 3 : server.mode == BROKEN ? 2 : 0;
	head[5] = server.mode == FOUND || server.mode == WRONG_ID;
	put(&p, head, sizeof(head));
	put(&p, "\0\0", 2);
	put(&p, q + 12, n - 12);
	if (head[5])
		txt(&p, NAME, TEXT);
	(void)!sendto(server.fd, p.b, p.n, 0, to, len);
}

static void *serve(void *arg)
{
	while (!server.stop) {
		struct pollfd p = {.fd = server.fd, .events = POLLIN};
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		uint8_t q[512];

		if (poll(&p, 1, 50) <= 0)
			continue;
		ssize_t n = recvfrom(server.fd, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
		server.questions++;
		if (n > 16 && server.mode != SILENT)
			answer(q, (size_t)n, (struct sockaddr *)&from, len);
	}
	return NULL;
}

/* One on loopback; central.config says where. */
static void server_start(int family)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	server = (struct server){.fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	int r = family == AF_INET ? bind(server.fd, (struct sockaddr *)&four, sizeof(four))
				  : bind(server.fd, (struct sockaddr *)&six, sizeof(six));
	if (server.fd < 0 || r < 0) {
		if (family == AF_INET6)
			SKIP("no IPv6 on loopback");
		EXPECT_INT(r, 0);
	}
	EXPECT_INT(getsockname(server.fd, (struct sockaddr *)&at, &len), 0);
	if (family == AF_INET)
		snprintf(central.config.sso_dns, sizeof(central.config.sso_dns), "127.0.0.1:%d",
		    ntohs(((struct sockaddr_in *)&at)->sin_port));
	else
		snprintf(central.config.sso_dns, sizeof(central.config.sso_dns), "[::1]:%d",
		    ntohs(((struct sockaddr_in6 *)&at)->sin6_port));
	EXPECT_INT(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void server_stop(void)
{
	server.stop = true;
	pthread_join(server.thread, NULL);
	close(server.fd);
}

static int checked(enum mode mode)
{
	server.mode = mode;
	return sso_domain_check(&central.config, "Acme.com", TEXT);
}

TEST("S3.18 what the DNS says: proven, not there, or nothing at all")
{
	world();
	server_start(AF_INET);
	int found = checked(FOUND), missing = checked(MISSING), nodata = checked(NODATA);
	int broken = checked(BROKEN), wrong = checked(WRONG_ID);
	server.mode = FOUND;
	int other = sso_domain_check(&central.config, "acme.com", "prism-domain-verification=x");
	int none = sso_domain_check(&central.config, "acme", TEXT);
	server_stop();
	EXPECT_INT(found, 0);
	EXPECT_INT(missing, -ENOENT);
	EXPECT_INT(nodata, -ENOENT);
	EXPECT_INT(broken, -EAGAIN);
	EXPECT_INT(wrong, -EAGAIN);
	EXPECT_INT(other, -ENOENT);
	EXPECT_INT(none, -EINVAL);
	EXPECT_INT(sso_domain_check(&central.config, "acme.com", TEXT), -EAGAIN);
}

TEST("S3.18 a server with an IPv6 address is asked there")
{
	world();
	server_start(AF_INET6);
	int found = checked(FOUND), missing = checked(MISSING), asked = server.questions;
	server_stop();
	EXPECT_INT(found, 0);
	EXPECT_INT(missing, -ENOENT);
	EXPECT_INT(asked, 2);
}

/* ---- how long a proof lasts ------------------------------------------------------------------ */

static const char *const sql_stage[] = {
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
    " default_role_id, created_at, created_by, updated_at) SELECT 5, o.id, 'idp', 'x', 'oidc', 1,"
    " 'i', 13, 1, u.id, 1 FROM organizations o, users u",
    "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, proven_at,"
    " checked_at, created_at, created_by) SELECT 6, organization_id, 5, 'acme.com', '" TEXT "', 1,"
    " 1, 1, created_by FROM sso_connections"};

static void recheck_at(int64_t day, enum mode mode)
{
	struct request rq = {.peer = "127.0.0.1", .id = "test", .central = &central, .db = db};

	rq.now = 1000000000 + day * 86400;
	server.mode = mode;
	sso_domain_recheck(&rq, 5, "Somebody@ACME.com");
}

static int64_t proven(void)
{
	return sql_int("SELECT proven_at > 0 FROM sso_domains");
}

TEST("S3.18 a proof is looked at once a day, and lapses when the DNS denies it for a week")
{
	world();
	sql(sql_stage[0]);
	sql(sql_stage[1]);
	server_start(AF_INET);
	struct request rq = {.central = &central, .db = db, .now = 1000000000, .id = "x"};
	sso_domain_recheck(&rq, 5, "somebody@elsewhere.com");
	sso_domain_recheck(&rq, 4, "somebody@acme.com");
	sso_domain_recheck(&rq, 5, "nonsense");
	int before = server.questions;
	recheck_at(0, FOUND);
	recheck_at(0, FOUND);
	int first = server.questions;
	recheck_at(2, MISSING);
	int64_t day2 = proven();
	recheck_at(8, MISSING);
	int64_t day8 = proven();
	recheck_at(20, BROKEN);
	int64_t down = proven();
	recheck_at(20, FOUND);
	recheck_at(22, MISSING);
	int64_t again = proven();
	recheck_at(29, MISSING);
	int64_t lapsed = proven();
	recheck_at(31, FOUND);
	int64_t later = proven();
	server_stop();
	EXPECT_INT(before, 0);
	EXPECT_INT(first, 1);
	EXPECT_INT(day2, 1);
	EXPECT_INT(day8, 1);
	EXPECT_INT(down, 1);
	EXPECT_INT(again, 1);
	EXPECT_INT(lapsed, 0);
	EXPECT_INT(later, 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.domain.lapse'"), 1);
}

TEST_MAIN()
