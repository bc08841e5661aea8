/* SPDX-License-Identifier: MIT */

/* The HTTPS client against a peer that does what servers and attackers do. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <arpa/inet.h>

#include "api/http_client.h"
#include "test.h"

#define MAX_BODY (1024 * 1024)

struct peer {
	pid_t pid;
	int port;
	char dir[128], pin[64], url[64], ca[160];
};

static struct peer tls, plain;

static void peers_stop(void)
{
	const struct peer *all[] = {&tls, &plain};

	for (size_t i = 0; i < 2; i++) {
		if (all[i]->pid <= 0)
			continue;
		kill(all[i]->pid, SIGKILL);
		waitpid(all[i]->pid, NULL, 0);
	}
}

static bool peer_ready(struct peer *p)
{
	char path[160];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/peer", p->dir);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fscanf(f, "%d %63s", &p->port, p->pin);
	fclose(f);
	return n == 2;
}

/* Each is started once, by the first test that needs it, and ended with this process. */
static struct peer *peer_start(struct peer *p, const char *kind)
{
	if (p->pid)
		return p;
	if (!tls.pid && !plain.pid)
		atexit(peers_stop);
	snprintf(p->dir, sizeof(p->dir), "%s/%s", test_tmpdir(), kind);
	mkdir(p->dir, 0700);
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("python3", "python3", "tests/cli/http_peer.py", p->dir, kind, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 200 && !peer_ready(p); i++)
		usleep(50000);
	EXPECT(p->port > 0);
	snprintf(
	    p->url, sizeof(p->url), "%s://localhost:%d", p == &tls ? "https" : "http", p->port);
	snprintf(p->ca, sizeof(p->ca), "%s/ca.pem", p->dir);
	return p;
}

struct call {
	struct http_options options;
	const char *token, *method, *path;
	size_t max;
	int result;
	struct http_response rp;
};

static void call_run(struct call *c, const json_t *body)
{
	struct http_client *client = NULL;

	if (!c->options.timeout_ms)
		c->options.timeout_ms = 3000;
	http_response_free(&c->rp);
	http_response_init(&c->rp, c->max ? c->max : MAX_BODY);
	c->result = http_client_new(&c->options, &client);
	if (c->result)
		return;
	http_client_set_token(client, c->token);
	c->result = http_request(
	    client, c->method ? c->method : "GET", c->path ? c->path : "/ok", body, 0, &c->rp);
	http_client_free(client);
}

/* A member of the peer's echo, in a buffer that lives until the next call. */
static const char *echo(const struct call *c, const char *name)
{
	static char out[4096];
	json_t *j = http_response_json(&c->rp);
	const char *s = json_string_value(json_object_get(j, name));

	snprintf(out, sizeof(out), "%s", s ? s : "(none)");
	json_decref(j);
	return out;
}

TEST("D6 addresses that are not https, loopback or a socket are refused")
{
	static const char *const bad[] = {"http://prism.example.org", "ftp://localhost",
	    "localhost", "", "https://", "https://a b", "https://user:pw@host", "https://host/?q=1",
	    "https://host/#f", "http://127.0.0.1.example.org", "unix:relative",
	    "file:///etc/passwd"};
	static const char *const good[] = {"https://prism.example.org", "https://host:8443/base/",
	    "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "unix:/run/x.sock"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct http_client *c = NULL;

		EXPECT_INT(http_client_new(&(struct http_options){.url = bad[i]}, &c), -EINVAL);
		EXPECT(!c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct http_client *c = NULL;

		EXPECT_INT(http_client_new(&(struct http_options){.url = good[i]}, &c), 0);
		http_client_free(c);
	}
}

TEST("D6 a pin that is not the base64 of a SHA-256 is refused, not ignored")
{
	struct http_client *c = NULL;
	struct http_options o = {.url = "https://host", .pin = "abc"};

	EXPECT_INT(http_client_new(&o, &c), -EINVAL);
	o.pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;";
	EXPECT_INT(http_client_new(&o, &c), -EINVAL);
	o.pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	EXPECT_INT(http_client_new(&o, &c), 0);
	http_client_free(c);
}

TEST("D6 the right pin is enough, whoever signed the certificate and for whatever name")
{
	struct peer *p = peer_start(&tls, "tls");
	struct call c = {.options = {.url = p->url, .pin = p->pin}};
	char by_ip[64];

	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	EXPECT_INT(c.rp.status, 200);
	EXPECT(c.rp.date > 1700000000);
	snprintf(by_ip, sizeof(by_ip), "https://127.0.0.1:%d", p->port);
	c.options.url = by_ip;
	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	http_response_free(&c.rp);
}

TEST("D6 a wrong pin ends the connection before anything is sent")
{
	struct peer *p = peer_start(&tls, "tls");
	struct call c = {
	    .options = {.url = p->url, .pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
	    .token = "pst_secret",
	    .path = "/never"};
	char line[4096], path[160];
	FILE *f;

	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	EXPECT_INT(c.rp.status, 0);
	EXPECT_HAS(c.rp.why, "not the pinned one");
	snprintf(path, sizeof(path), "%s/requests", p->dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		EXPECT(!strstr(line, "/never"));
	if (f)
		fclose(f);
	/* A CA that would accept it does not overrule the pin. */
	c.options.ca_file = p->ca;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	http_response_free(&c.rp);
}

TEST("D6 without a pin the certificate decides: known CA, unknown CA, other name")
{
	struct peer *p = peer_start(&tls, "tls");
	struct call c = {.options = {.url = p->url, .ca_file = p->ca}};
	char by_ip[64];

	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	c.options.ca_file = NULL;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	EXPECT_HAS(c.rp.why, "is not trusted");
	snprintf(by_ip, sizeof(by_ip), "https://127.0.0.1:%d", p->port);
	c.options.url = by_ip;
	c.options.ca_file = p->ca;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	EXPECT_HAS(c.rp.why, "is not trusted");
	c.options.ca_file = "/nonexistent/ca.pem";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	EXPECT_HAS(c.rp.why, "cannot be read");
	http_response_free(&c.rp);
}

TEST("D6 a redirect is an answer, never followed")
{
	struct peer *p = peer_start(&plain, "plain");
	struct call c = {.options = {.url = p->url}, .path = "/redirect"};

	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	EXPECT_INT(c.rp.status, 302);
	EXPECT_INT(c.rp.body.len, 0);
	http_response_free(&c.rp);
}

TEST("D6 methods, bodies, token and agent arrive as meant")
{
	struct peer *p = peer_start(&plain, "plain");
	static const char *const methods[] = {"GET", "POST", "PATCH", "DELETE"};
	struct call c = {
	    .options = {.url = p->url, .user_agent = "prism/test"}, .token = "pst_abc"};
	json_t *body = json_pack("{s:s}", "k", "v");

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		c.method = methods[i];
		call_run(&c, i ? body : NULL);
		EXPECT_INT(c.result, 0);
		EXPECT_STR(echo(&c, "method"), methods[i]);
		EXPECT_STR(echo(&c, "auth"), "Bearer pst_abc");
		EXPECT_STR(echo(&c, "agent"), "prism/test");
		EXPECT_STR(echo(&c, "body"), i ? "{\"k\":\"v\"}" : "");
		EXPECT_STR(echo(&c, "type"), i ? "application/json" : "none");
	}
	c.token = NULL;
	call_run(&c, NULL);
	EXPECT_STR(echo(&c, "auth"), "none");
	json_decref(body);
	http_response_free(&c.rp);
}

TEST("D6 a form goes as a form")
{
	struct peer *p = peer_start(&plain, "plain");
	struct http_client *client = NULL;
	struct call c = {.options = {.url = p->url}};

	http_response_init(&c.rp, MAX_BODY);
	EXPECT_INT(http_client_new(&c.options, &client), 0);
	EXPECT_INT(http_request_form(client, "/ok", "grant_type=x&a=b%20c", &c.rp), 0);
	EXPECT_STR(echo(&c, "type"), "application/x-www-form-urlencoded");
	EXPECT_STR(echo(&c, "body"), "grant_type=x&a=b%20c");
	http_client_free(client);
	http_response_free(&c.rp);
}

TEST("S3.16 a client's id and secret go as RFC 6749 2.3.1 says, and never as they are")
{
	struct peer *p = peer_start(&plain, "plain");
	struct http_client *client = NULL;
	struct call c = {.options = {.url = p->url}};
	char long_secret[9000];

	memset(long_secret, 'a', sizeof(long_secret) - 1);
	long_secret[sizeof(long_secret) - 1] = '\0';
	http_response_init(&c.rp, MAX_BODY);
	EXPECT_INT(http_client_new(&c.options, &client), 0);
	EXPECT_INT(http_client_set_basic(client, "prism:1", "a b+%\xc3\xa4\r\n"), 0);
	EXPECT_INT(http_request_form(client, "/ok", "a=b", &c.rp), 0);
	/* prism%3A1:a%20b%2B%25%C3%A4%0D%0A */
	EXPECT_STR(echo(&c, "auth"), "Basic cHJpc20lM0ExOmElMjBiJTJCJTI1JUMzJUE0JTBEJTBB");
	EXPECT_INT(http_client_set_basic(client, "prism", long_secret), -EINVAL);
	EXPECT_INT(http_client_set_token(client, NULL), 0);
	EXPECT_INT(http_request_form(client, "/ok", "a=b", &c.rp), 0);
	EXPECT_STR(echo(&c, "auth"), "none");
	http_client_free(client);
	http_response_free(&c.rp);
}

TEST("I3.2 where only public addresses are allowed, this machine is not connected to")
{
	struct peer *p = peer_start(&tls, "tls");
	struct call c = {.options = {.url = p->url, .ca_file = p->ca}};
	char url[64];

	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	c.options.public_only = true;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EACCES);
	EXPECT_INT(c.rp.trouble, HTTP_ADDRESS);
	EXPECT_HAS(c.rp.why, "not a public one");
	/* A name that only looks like one of somebody else. */
	snprintf(url, sizeof(url), "https://x.localhost:%d", p->port);
	c.options.url = url;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EACCES);
	/* A proxy may be here, but is not asked for an address of here. */
	snprintf(url, sizeof(url), "https://10.0.0.1:%d", p->port);
	c.options.proxy = "http://127.0.0.1:1";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EACCES);
	/* Nor for a name of the proxy's own machine. */
	static const char *const own[] = {"https://LOCALHOST", "https://localhost.",
	    "https://a.LocalHost", "https://a.localhost.:8443", "https://127.1"};
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		c.options.url = own[i];
		call_run(&c, NULL);
		EXPECT_INT(c.result, -EACCES);
	}
	c.options.url = "https://notlocalhost.example.edu";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -ECONNREFUSED);
	http_response_free(&c.rp);
}

TEST("S3.16 values of a form are encoded")
{
	_cleanup_buf_ struct buf b = BUF_INIT(64), small = BUF_INIT(4);

	http_form_add(&b, "a", "x y&z=/");
	http_form_add(&b, "b c", "");
	EXPECT_STR(buf_str(&b), "a=x%20y%26z%3D%2F&b%20c=");
	http_form_add(&small, "a", "too long");
	EXPECT_INT(buf_error(&small), -EMSGSIZE);
}

TEST("D6 a token or path that could forge a header is refused")
{
	struct peer *p = peer_start(&plain, "plain");
	struct http_client *client = NULL;
	struct http_response rp;

	http_response_init(&rp, MAX_BODY);
	EXPECT_INT(http_client_new(&(struct http_options){.url = p->url}, &client), 0);
	EXPECT_INT(http_client_set_token(client, "a\r\nX-Evil: 1"), -EINVAL);
	EXPECT_INT(http_request(client, "GET", "/ok HTTP/1.1\r\nX: 1", NULL, 0, &rp), -EIO);
	EXPECT_INT(http_request(client, "GET", "ok", NULL, 0, &rp), -EIO);
	EXPECT_INT(http_request(client, "GET", "/ok#x", NULL, 0, &rp), -EIO);
	http_client_free(client);
	http_response_free(&rp);
}

TEST("D6 a body has a maximum")
{
	struct peer *p = peer_start(&plain, "plain");
	struct call c = {.options = {.url = p->url}, .path = "/big"};

	call_run(&c, NULL);
	EXPECT_INT(c.result, -EMSGSIZE);
	EXPECT_INT(c.rp.status, 0);
	EXPECT_HAS(c.rp.why, "too large");
	c.max = 4 * 1024 * 1024;
	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	EXPECT_INT(c.rp.body.len, 3000000);
	http_response_free(&c.rp);
}

TEST("D6 a server that hangs, trickles or breaks off costs no more than the time allowed")
{
	struct peer *p = peer_start(&plain, "plain");
	struct call c = {.options = {.url = p->url, .timeout_ms = 400}, .path = "/hang"};

	call_run(&c, NULL);
	EXPECT_INT(c.result, -ETIMEDOUT);
	EXPECT_HAS(c.rp.why, "in time");
	c.path = "/slow";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -ETIMEDOUT);
	c.path = "/broken";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EIO);
	EXPECT_INT(c.rp.status, 0);
	http_response_free(&c.rp);
}

TEST("D6 refused, unknown name, TLS to a plain port: each says what it is")
{
	struct peer *p = peer_start(&plain, "plain");
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct call c = {.options = {.proxy = ""}};
	char url[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Bound and not listening: nobody else can take the port meanwhile. */
	EXPECT_INT(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	EXPECT_INT(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	c.options.url = url;
	call_run(&c, NULL);
	close(fd);
	EXPECT_INT(c.result, -ECONNREFUSED);
	EXPECT_HAS(c.rp.why, "refused by 127.0.0.1");
	/* A label that no resolver may ask for: the name fails without leaving this machine. */
	c.options.url =
	    "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    ".invalid";
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EHOSTUNREACH);
	EXPECT_HAS(c.rp.why, "is not known here (DNS)");
	snprintf(url, sizeof(url), "https://localhost:%d", p->port);
	c.options.url = url;
	call_run(&c, NULL);
	EXPECT_INT(c.result, -EPROTO);
	EXPECT_HAS(c.rp.why, "TLS");
	http_response_free(&c.rp);
}

TEST("D6 a proxy that does not answer is named in the sentence")
{
	struct call c = {
	    .options = {.url = "https://prism.example.org", .proxy = "http://127.0.0.1:9"}};

	call_run(&c, NULL);
	EXPECT(c.result < 0);
	EXPECT_HAS(c.rp.why, "proxy");
	http_response_free(&c.rp);
}

TEST("D6 Retry-After is read, JSON with a member twice is refused")
{
	struct peer *p = peer_start(&plain, "plain");
	struct call c = {.options = {.url = p->url}, .path = "/busy"};

	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	EXPECT_INT(c.rp.status, 429);
	EXPECT_INT(c.rp.retry_after, 7);
	c.path = "/twice";
	call_run(&c, NULL);
	EXPECT_INT(c.result, 0);
	EXPECT(!http_response_json(&c.rp));
	http_response_free(&c.rp);
}

TEST_MAIN()
