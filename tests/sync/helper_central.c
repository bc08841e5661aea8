/* SPDX-License-Identifier: MIT */

/*
 * A central service for one host, for tests of the agent: plain HTTP on a loopback port, one feed
 * made by the forge. Says "port N" and obeys lines on its standard input, answering each with a
 *line:
 *
 *	fill N FIRST	      members userFIRST..., in one go (before the first poll)
 *	member UID NAME	      add, or make active again (the next revision)
 *	flip UID	      change this member's record a little
 *	suspend UID | resume UID | remove UID (a tombstone) | until UID SECONDS
 *	vanish FIRST LAST     these are in no list any more, and nothing says that they were removed
 *	keys	feed key, host id and recovery id in hexadecimal, for the pins
 *	drop-tokens	      every access token is unknown from now on
 *	homes DIR	      where people who are added from now on live
 *	mode ok|cut|hang|fail how polls are answered: whole, cut off, never, with 503
 *	stat		      "polls N tokens N reports N full N delta N beat N applied REVISION"
 *	report		      the last report
 *	approve CODE|all, deny CODE|all, expire CODE|all   device logins (fake_logins.h)
 *	slow N | pending N    the next N redemptions are answered so
 *	wrong WHAT	      this part of the statements is wrong; "wrong no": none
 *	projects SLUG...      what the statements list
 *	pages URL	      where the pages of device logins are said to be; "pages own"
 *	interval SECONDS
 *	logins		      "begun N redeemed N polls N redeems N ends N"
 *	login CODE	      "life SECONDS ended 0|1": what the service heard of it
 *	broken N	      the next N redemptions are answered with 503
 *	removed 1|0	      this host is known no more
 *	quit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include "base/encode.h"
#include "sync/fake_logins.h"

#define CLIENTS 16

struct client {
	int fd;
	char in[70000];
	size_t n;
	bool parked, watches; /* a poll of the feed, of the logins */
	long long after;
	uint64_t manifest, epoch, revision;
	bool has;
	time_t until;
};

static struct forge forge;
static struct client clients[CLIENTS];
static struct buf delta = BUF_INIT(FEED_MESSAGE_MAX), full = BUF_INIT(FEED_MESSAGE_MAX);
static uint64_t delta_to, full_of, generation;
static unsigned polls, tokens, reports, fulls, deltas, beats;
static unsigned long long applied;
static char homes[128];
static char mode[8] = "ok", last_report[70000];
static bool removed;
static int port;

static void send_all(struct client *c, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t put = send(c->fd, p, n, MSG_NOSIGNAL);

		if (put <= 0)
			return;
		p = (const char *)p + put;
		n -= (size_t)put;
	}
}

/* Head and body in one piece: apart, the second would wait for the first one's acknowledgement. */
static void answer(struct client *c, const char *status, const void *body, size_t n)
{
	struct buf whole = BUF_INIT(n + 512);
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	buf_addf(&whole, "HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: %zu\r\n\r\n", status, date, n);
	buf_add(&whole, body, n);
	send_all(c, whole.data, whole.len);
	buf_free(&whole);
}

static void frame(struct buf *out, const struct buf *msg)
{
	wire_put_u32(out, (uint32_t)msg->len);
	buf_add(out, msg->data, msg->len);
}

static bool put_feed(struct client *c, struct buf *out, bool beat)
{
	struct buf msg = BUF_INIT(FEED_MESSAGE_MAX);
	bool current = c->has && c->epoch == forge.epoch && c->revision == forge.revision;

	if (current && !beat)
		return false;
	forge.issued = time(NULL);
	if (current) {
		forge_heartbeat(&forge, &msg);
		frame(out, &msg);
		beats++;
	} else if (c->has && c->epoch == forge.epoch && delta_to == forge.revision &&
		   c->revision == delta_to - 1) {
		frame(out, &delta);
		deltas++;
	} else {
		if (full_of != forge.revision)
			forge_full(&forge, &full);
		full_of = forge.revision;
		frame(out, &full);
		fulls++;
	}
	buf_free(&msg);
	return true;
}

/* Answer a poll if there is something to say, or it has waited long enough. */
static void serve_poll(struct client *c)
{
	struct buf out = BUF_INIT(FEED_MESSAGE_MAX), msg = BUF_INIT(1 << 20);
	struct forge *all[] = {&forge};

	if (strcmp(mode, "hang") == 0)
		return;
	if (strcmp(mode, "fail") == 0) {
		c->parked = false;
		answer(c, "503 Busy", "", 0);
		return;
	}
	forge.issued = time(NULL);
	if (c->manifest != forge.manifest) {
		forge_manifest(&forge, all, 1, NULL, &msg);
		frame(&out, &msg);
	}
	bool something = put_feed(c, &out, time(NULL) >= c->until);

	if (something || out.len > 0) {
		c->parked = false;
		if (strcmp(mode, "cut") == 0)
			out.len -= out.len > 20 ? 20 : 0;
		answer(c, "200 OK", out.data, out.len);
	}
	buf_free(&out);
	buf_free(&msg);
}

static void poll_request(struct client *c, const char *path)
{
	const char *manifest = strstr(path, "manifest="), *have = strstr(path, "have=");
	const char *wait = strstr(path, "wait=");
	char id[33];

	polls++;
	hex_encode(forge.id, FEED_ID_LEN, id);
	have = have ? strstr(have, id) : NULL;
	c->manifest = manifest ? strtoull(manifest + 9, NULL, 10) : 0;
	c->has = have && sscanf(have + 32, ":%" SCNu64 ":%" SCNu64, &c->epoch, &c->revision) == 2;
	c->until = time(NULL) + (wait ? atol(wait + 5) : 0);
	c->parked = true;
	serve_poll(c);
}

/* ---- device logins --------------------------------------------------------------------------- */

static uint32_t uid_of(const char *name)
{
	for (size_t i = 0; i < forge.n; i++) {
		struct feed_record r;
		struct feed_member m;
		struct wire w;

		wire_init(&w, forge.records[i].whole.data, forge.records[i].whole.len);
		if (forge.records[i].type == FEED_MEMBER && feed_next(&w, &r) == 1 &&
		    feed_parse_member(&r, &m) == 0 && strcmp(m.name, name) == 0)
			return r.subject;
	}
	return 0;
}

static void begin_request(struct client *c, const char *body)
{
	char json[2048], user[64] = "", url[64];

	fake_form(body, "login_hint", user, sizeof(user));
	const uint32_t uid = uid_of(user);

	if (strcmp(mode, "fail") == 0) {
		answer(c, "503 Busy", "", 0);
		return;
	}
	if (strcmp(mode, "hang") == 0)
		return;
	if (uid == 0) {
		answer(c, "400 Bad", "{\"error\":\"access_denied\"}", 25);
		return;
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	const int n = fake_begin(body, uid, url, json, sizeof(json));

	if (n < 0)
		answer(c, "400 Bad", "{\"error\":\"invalid_request\"}", 27);
	else
		answer(c, "200 OK", json, (size_t)n);
}

static void redeem_request(struct client *c, const char *body)
{
	char json[8192];

	if (fake_broken > 0 && fake_broken--) {
		answer(c, "503 Busy", "", 0);
		return;
	}
	const char *status = fake_redeem(&forge, body, json, sizeof(json));

	answer(c, status, json, strlen(json));
}

static void serve_watch(struct client *c)
{
	struct buf out = BUF_INIT(1 << 20);

	if (strcmp(mode, "fail") == 0) {
		c->watches = false;
		answer(c, "503 Busy", "", 0);
	} else if (fake_answered(c->after, &out) == 0 || time(NULL) >= c->until) {
		c->watches = false;
		answer(c, "200 OK", out.data, out.len);
	}
	buf_free(&out);
}

static void watch_request(struct client *c, const char *path)
{
	const char *wait = strstr(path, "wait="), *after = strstr(path, "after=");

	fake_polls++;
	c->until = time(NULL) + (wait ? atol(wait + 5) : 0);
	c->after = after ? atoll(after + 6) : 0;
	c->watches = true;
	serve_watch(c);
}

static void token_request(struct client *c, const char *body)
{
	char json[200];

	if (removed) {
		answer(c, "401 No", "{\"error\":\"invalid_client\"}", 26);
		return;
	}
	if (!strstr(body, "grant_type=client_credentials") || !strstr(body, "jwt-bearer") ||
	    !strstr(body, "client_assertion=eyJ")) {
		answer(c, "400 Bad", "{\"error\":\"invalid_request\"}", 27);
		return;
	}
	tokens++;
	int n = snprintf(json, sizeof(json),
	    "{\"access_token\":\"pht_%" PRIu64 "\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
	    generation);

	answer(c, "200 OK", json, (size_t)n);
}

static bool authorized(const char *request)
{
	char want[64];

	snprintf(want, sizeof(want), "Bearer pht_%" PRIu64 "\r\n", generation);
	return strstr(request, want) != NULL;
}

static void route(struct client *c, const char *body)
{
	const bool token = strncmp(c->in, "POST /oauth2/token ", 19) == 0;

	if (token && !strstr(body, "device_code")) {
		token_request(c, body);
	} else if (removed || !authorized(c->in)) {
		answer(c, "401 No", "{}", 2);
	} else if (token) {
		redeem_request(c, body);
	} else if (strncmp(c->in, "POST /oauth2/device_authorization ", 34) == 0) {
		begin_request(c, body);
	} else if (strncmp(c->in, "POST /oauth2/revoke ", 20) == 0) {
		fake_end(body);
		if (strcmp(mode, "hang") != 0)
			answer(c, "200 OK", "{}", 2);
	} else if (strncmp(c->in, "GET /api/v1/hosts/self/logins?", 30) == 0) {
		*strstr(c->in, " HTTP/") = '\0';
		watch_request(c, c->in);
	} else if (strncmp(c->in, "GET /api/v1/hosts/self/feed?", 28) == 0) {
		char *end = strstr(c->in, " HTTP/");

		*end = '\0';
		poll_request(c, c->in);
	} else if (strncmp(c->in, "POST /api/v1/hosts/self/report ", 31) == 0) {
		const char *rev = strstr(body, "\"revision\":");

		reports++;
		applied = rev ? strtoull(rev + 11, NULL, 10) : 0;
		snprintf(last_report, sizeof(last_report), "%s", body);
		answer(c, "204 OK", "", 0);
	} else {
		answer(c, "404 No", "{}", 2);
	}
}

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->n = 0;
	c->parked = c->watches = false;
}

static void read_client(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);

	if (n <= 0) {
		drop(c);
		return;
	}
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	char *body = strstr(c->in, "\r\n\r\n");
	const char *length = strcasestr(c->in, "content-length:");

	if (body == NULL)
		return;
	body += 4;
	size_t want = length && length < body ? strtoul(length + 15, NULL, 10) : 0;

	if (c->n - (size_t)(body - c->in) < want)
		return;
	route(c, body);
	c->n = 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void tell(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].parked)
			serve_poll(&clients[i]);
	printf("revision %" PRIu64 "\n", forge.revision);
}

static void changed(void)
{
	forge.issued = time(NULL);
	forge_delta(&forge, &delta);
	delta_to = forge.revision;
	tell();
}

static void vanish(uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < forge.n; i++) {
		struct forge_record *r = &forge.records[i];

		if (r->type != FEED_MEMBER || r->subject < first || r->subject > last)
			continue;
		feed_digest_update(forge.digest, r->whole.data + 4, r->whole.len - 4, -1);
		r->flags = FEED_RECORD_DELETED;
	}
	forge.revision++;
	tell();
}

static struct feed_member person_of(uint32_t uid)
{
	struct feed_record r;
	struct feed_member m;
	struct wire w;

	for (size_t i = 0; i < forge.n; i++) {
		if (forge.records[i].type != FEED_MEMBER || forge.records[i].subject != uid)
			continue;
		wire_init(&w, forge.records[i].whole.data, forge.records[i].whole.len);
		if (feed_next(&w, &r) == 1 && feed_parse_member(&r, &m) == 0)
			return m;
	}
	return forge_person("nobody-such");
}

static void fill(uint32_t n, uint32_t first)
{
	for (uint32_t i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "user%u", (unsigned)(first + i));
		forge_member(&forge, first + i, name);
	}
	buf_clear(&forge.changes);
	forge.nchanges = 0;
	forge.revision++;
	printf("filled\n");
}

static void keys(void)
{
	char key[65], host[33];

	hex_encode(feed_signer_public(forge.signer), 32, key);
	hex_encode(forge.host, 16, host);
	printf("%s %s %s\n", key, host, host);
}

static void change_member(const char *verb, uint32_t uid, long number)
{
	struct feed_member m = person_of(uid);

	if (strcmp(verb, "remove") == 0) {
		forge_set(&forge, FEED_MEMBER, FEED_RECORD_DELETED, uid, NULL);
		changed();
		return;
	}
	if (strcmp(verb, "flip") == 0)
		m.perms ^= SNAP_PERM_SUDO;
	if (strcmp(verb, "suspend") == 0)
		m.state = SNAP_SUSPENDED;
	if (strcmp(verb, "resume") == 0)
		m.state = SNAP_ACTIVE;
	if (strcmp(verb, "until") == 0)
		m.not_after = time(NULL) + number;
	forge_put(&forge, uid, &m);
	changed();
}

static void tell_watchers(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].watches)
			serve_watch(&clients[i]);
}

static void set_projects(const char *line)
{
	char words[256];
	char *at = words;

	snprintf(words, sizeof(words), "%s", line);
	nfake_projects = 0;
	for (char *w;
	     nfake_projects < ARRAY_SIZE(fake_projects) && (w = strsep(&at, " \n")) != NULL && *w;)
		snprintf(fake_projects[nfake_projects++], SLUG_MAX + 1, "%s", w);
	printf("projects %zu\n", nfake_projects);
}

static void set_pages(const char *line)
{
	if (sscanf(line, "%599s", fake_url) != 1 || strcmp(fake_url, "own") == 0)
		fake_url[0] = '\0';
	printf("pages %s\n", fake_url);
}

/* True: the line was about device logins. */
static bool obey_login(const char *line, const char *verb)
{
	char word[256] = "";
	unsigned n = 0;

	if (sscanf(line, "approve %255s", word) == 1 || sscanf(line, "deny %255s", word) == 1 ||
	    sscanf(line, "expire %255s", word) == 1) {
		fake_decide(verb, word);
		tell_watchers();
	} else if (sscanf(line, "slow %u", &fake_slow) == 1 ||
		   sscanf(line, "pending %u", &fake_pending) == 1 ||
		   sscanf(line, "broken %u", &fake_broken) == 1 ||
		   sscanf(line, "interval %u", &fake_interval) == 1) {
		printf("set\n");
	} else if (sscanf(line, "wrong %31s", fake_wrong) == 1) {
		printf("wrong %s\n", fake_wrong);
	} else if (sscanf(line, "removed %u", &n) == 1) {
		removed = n != 0;
		generation++;
		printf("removed %u\n", n);
	} else if (strcmp(verb, "projects") == 0) {
		set_projects(line + 9);
	} else if (strcmp(verb, "pages") == 0) {
		set_pages(line + 6);
	} else if (strcmp(verb, "logins") == 0) {
		printf("begun %u redeemed %u polls %u redeems %u ends %u\n", fake_begun,
		    fake_redeemed, fake_polls, fake_redeems, fake_ends);
	} else if (sscanf(line, "login %255s", word) == 1) {
		fake_tell(word);
	} else {
		return false;
	}
	return true;
}

static bool obey(const char *line)
{
	char verb[32] = "", name[64] = "";
	unsigned uid = 0;
	long number = 0;

	sscanf(line, "%31s", verb);
	if (strcmp(verb, "quit") == 0)
		return false;
	if (obey_login(line, verb))
		return true;
	if (sscanf(line, "member %u %63s", &uid, name) == 2) {
		forge_member(&forge, uid, name);
		changed();
	} else if (sscanf(line, "fill %ld %u", &number, &uid) == 2) {
		fill((uint32_t)number, uid);
	} else if (sscanf(line, "vanish %u %ld", &uid, &number) == 2) {
		vanish(uid, (uint32_t)number);
	} else if (sscanf(line, "homes %127s", homes) == 1) {
		forge_homes = homes;
		printf("homes %s\n", homes);
	} else if (sscanf(line, "mode %7s", mode) == 1) {
		printf("mode %s\n", mode);
	} else if (strcmp(verb, "keys") == 0) {
		keys();
	} else if (strcmp(verb, "drop-tokens") == 0) {
		generation++;
		printf("dropped\n");
	} else if (strcmp(verb, "stat") == 0) {
		printf("polls %u tokens %u reports %u full %u delta %u beat %u applied %llu\n",
		    polls, tokens, reports, fulls, deltas, beats, applied);
	} else if (strcmp(verb, "report") == 0) {
		printf("%s\n", last_report);
	} else if (sscanf(line, "%31s %u %ld", verb, &uid, &number) >= 2) {
		change_member(verb, uid, number);
	} else {
		printf("what?\n");
	}
	return true;
}

static int listen_on(int wanted)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
	socklen_t n = sizeof(a);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		exit(1);
	port = ntohs(a.sin_port);
	printf("port %d\n", port);
	return fd;
}

static void accept_client(int server)
{
	int fd = accept(server, NULL, NULL);

	for (int i = 0; fd >= 0 && i < CLIENTS; i++) {
		if (clients[i].fd < 0) {
			clients[i].fd = fd;
			return;
		}
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct pollfd p[CLIENTS + 2];
	char line[256];
	bool on = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	forge_init(&forge, 1, "lab");
	forge.issued = time(NULL);
	generation = (uint64_t)time(NULL);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	int server = listen_on(argc > 1 ? atoi(argv[1]) : 0);

	while (on) {
		p[0] = (struct pollfd){.fd = 0, .events = POLLIN};
		p[1] = (struct pollfd){.fd = server, .events = POLLIN};
		for (int i = 0; i < CLIENTS; i++)
			p[i + 2] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		poll(p, CLIENTS + 2, 200);
		if (p[0].revents && (!fgets(line, sizeof(line), stdin) || !obey(line)))
			on = false;
		if (p[1].revents)
			accept_client(server);
		for (int i = 0; i < CLIENTS; i++) {
			if (clients[i].fd >= 0 && p[i + 2].revents)
				read_client(&clients[i]);
			if (clients[i].fd >= 0 && clients[i].parked &&
			    time(NULL) >= clients[i].until)
				serve_poll(&clients[i]);
			if (clients[i].fd >= 0 && clients[i].watches &&
			    time(NULL) >= clients[i].until)
				serve_watch(&clients[i]);
		}
	}
	forge_free(&forge);
	buf_free(&delta);
	buf_free(&full);
	return 0;
}
