/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server of prism-central with routes that try it: helper_http CONFIG. Prints its ports
 * when it is ready; ends on SIGTERM as the service does. The routes stand in for the real ones.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/attr.h"
#include "base/log.h"
#include "base/num.h"
#include "prism-central/central.h"
#include "prism-central/http.h"
#include "prism-central/tls.h"

static _Atomic int released, waiting;
static _Atomic uint64_t woken;

static void nap(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&ts, NULL);
}

static uint64_t number(const struct request *rq, const char *name)
{
	const char *text = request_query(rq, name);
	uint64_t v = 0;

	if (text)
		num_parse_u64(text, 1u << 30, &v);
	return v;
}

static void echo(struct request *rq, struct reply *rp)
{
	const char *q = request_query(rq, "q");
	reply_json(rp, 200,
	    json_pack("{s:s, s:s*, s:O*}", "arg", rq->arg[0] ? rq->arg[0] : "", "q", q, "body",
		rq->body));
}

static void form(struct request *rq, struct reply *rp)
{
	const char *a = request_form(rq, "a");
	reply_json(rp, 200, json_pack("{s:s*, s:b}", "a", a, "body", rq->body != NULL));
}

static void who(struct request *rq, struct reply *rp)
{
	reply_json(rp, 200, json_pack("{s:s, s:s}", "who", rq->who.name, "peer", rq->peer));
}

/* Waits for a wake that comes after "since"; "gap" is the time between its look and its parking. */
static void park(struct request *rq, struct reply *rp)
{
	uint64_t seen = woken;

	if (rq->last || seen > number(rq, "since")) {
		reply_json(rp, 200, json_pack("{s:b, s:i}", "last", rq->last, "woken", (int)seen));
		return;
	}
	nap((int64_t)number(rq, "gap"));
	reply_park(rp, rq->arg[0], (int64_t)number(rq, "ms"));
}

static void wake(struct request *rq, struct reply *rp)
{
	woken++;
	http_wake(rq->central, rq->arg[0]);
	reply_none(rp);
}

static void slow(struct request *rq, struct reply *rp)
{
	waiting++;
	nap((int64_t)number(rq, "ms"));
	waiting--;
	reply_json(rp, 200, json_pack("{s:b}", "slow", 1));
}

static void count_release(void *p)
{
	free(p);
	released++;
}

static void bytes(struct request *rq, struct reply *rp)
{
	size_t n = number(rq, "n");
	char *p = malloc(n + 1);

	memset(p, 'x', n);
	reply_bytes(rp, "application/octet-stream", p, n, count_release, p);
}

static void stats(struct request *rq, struct reply *rp)
{
	reply_json(
	    rp, 200, json_pack("{s:i, s:i}", "released", (int)released, "waiting", (int)waiting));
}

static void silent(struct request *rq, struct reply *rp)
{
}

static void header(struct request *rq, struct reply *rp)
{
	for (uint64_t i = 0; i < number(rq, "n"); i++)
		reply_header(rp, "X-Test", "%llu", (unsigned long long)i);
	if (number(rq, "evil"))
		reply_header(rp, "X-Test", "a\r\nX-Evil: b");
	if (number(rq, "error"))
		reply_error(rp, API_CONFLICT, NULL);
	else if (number(rq, "bytes"))
		reply_bytes(rp, "text/plain", "x", 1, NULL, NULL);
	else
		reply_redirect(rp, "/who");
	if (number(rq, "cache"))
		reply_header(rp, "cache-control", "%s", "max-age=60");
}

#define PUBLIC "public", SCOPE_PUBLIC
const struct route routes[] = {
    {HTTP_GET, "/echo/{}", PUBLIC, echo},
    {HTTP_POST, "/echo/{}", PUBLIC, echo},
    {HTTP_PUT, "/echo/{}", PUBLIC, echo},
    {HTTP_PATCH, "/echo/{}", PUBLIC, echo},
    {HTTP_DELETE, "/echo/{}", PUBLIC, echo},
    {HTTP_POST, "/form", PUBLIC, form},
    {HTTP_GET, "/who", PUBLIC, who},
    {HTTP_POST, "/whoever", PUBLIC, who},
    {HTTP_GET, "/self", "self", SCOPE_SELF, who},
    {HTTP_GET, "/park/{}", PUBLIC, park},
    {HTTP_POST, "/wake/{}", PUBLIC, wake},
    {HTTP_GET, "/slow", PUBLIC, slow},
    {HTTP_GET, "/hash", PUBLIC, slow, LANE_HASH},
    {HTTP_GET, "/out", PUBLIC, slow, LANE_OUT},
    {HTTP_GET, "/header", PUBLIC, header},
    {HTTP_GET, "/bytes", PUBLIC, bytes},
    {HTTP_GET, "/stats", PUBLIC, stats},
    {HTTP_GET, "/silent", PUBLIC, silent},
};
const size_t nroutes = ARRAY_SIZE(routes);

int authorize(struct request *rq, struct reply *rp)
{
	if (rq->route->scope == SCOPE_PUBLIC || rq->who.kind == PRINCIPAL_USER)
		return 0;
	reply_error(rp, API_NOT_LOGGED_IN, NULL);
	return -EACCES;
}

int principal_load(struct request *rq, const char *bearer)
{
	if (!bearer)
		return 0;
	if (strcmp(bearer, "good") != 0)
		return -EACCES;
	rq->who.kind = PRINCIPAL_USER;
	snprintf(rq->who.name, sizeof(rq->who.name), "somebody");
	return 0;
}

int main(int argc, char **argv)
{
	struct central c = {0};
	char why[256], cert[TLS_PATH_SIZE], key[TLS_PATH_SIZE];
	_cleanup_store_ struct store *s = NULL;
	sigset_t set;
	int got = 0;

	if (argc != 2 || config_load(argv[1], &c.config, why, sizeof(why)) < 0)
		return 2;
	log_init("helper_http", LOG_LEVEL_INFO);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (store_open(c.config.database, &s) < 0 || tls_prepare(&c, cert, key) < 0 ||
	    http_start(&c, cert, key) < 0)
		return 1;
	printf("%d %d %s\n", http_port(&c, true), http_port(&c, false), c.tls_pin);
	fflush(stdout);
	sigwait(&set, &got);
	http_stop(&c, 5000);
	return 0;
}
