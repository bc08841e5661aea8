/* SPDX-License-Identifier: MIT */

/*
 * Which institutions' logins the login page offers. Whoever opens it is not logged in: a code that
 * does not exist MUST look like one of the command line, and trying codes here MUST NOT pay.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "browser.h"
#include "central.h"
#include "html.h"
#include "oauth_internal.h"
#include "ratelimit.h"

/* More of them, of institutions that have nothing to do with each other, would help nobody. */
#define FEW 5

/* Where the login takes place. */
#define ADDRESS "CASE c.type WHEN 'saml' THEN c.entry_point ELSE c.issuer END"

static const char sql_named[] =
    "SELECT c.slug, c.name, " ADDRESS
    " FROM sso_connections c JOIN organizations o ON o.id = c.organization_id"
    " WHERE c.enabled = 1 AND (c.slug = $1 OR o.slug = $2) ORDER BY c.name, c.id LIMIT 8";
static const char sql_host[] =
    "SELECT c.slug, c.name, " ADDRESS
    " FROM sso_connections c WHERE c.enabled = 1 AND c.organization_id IN"
    " (SELECT p.organization_id FROM host_projects hp JOIN projects p ON p.id = hp.project_id"
    " WHERE hp.host_id = $1 AND p.state <> 'archived') ORDER BY c.name, c.id LIMIT 8";
/* All, or none where there are too many. */
static const char sql_few[] =
    "SELECT c.slug, c.name, " ADDRESS " FROM sso_connections c WHERE c.enabled = 1 AND"
    " (SELECT COUNT(*) FROM sso_connections WHERE enabled = 1) <= $1 ORDER BY c.name, c.id";

struct look {
	const struct login_ways *ways;
	struct buf *out;
	int64_t now;
	const char *code; /* letters, or NULL */
	bool guessed;	  /* out: there is no such code */
};

/* The code in a path that leads to the device page. */
static bool code_in(const char *path, char code[static DEVICE_USER_CODE + 1])
{
	static const char page[] = "/device?user_code=";
	char typed[32];

	if (strncmp(path, page, sizeof(page) - 1) != 0)
		return false;
	path += sizeof(page) - 1;
	size_t n = strcspn(path, "&");
	if (n >= sizeof(typed))
		return false;
	memcpy(typed, path, n);
	typed[n] = '\0';
	return device_user_code_read(typed, code);
}

/* Its owner chose the name, but the address is where a password will be typed. */
static void put_way(struct look *l, const char *slug, const char *name, const char *address)
{
	char host[256];
	const char *start = strstr(address, "://");

	start = start ? start + 3 : address;
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(start, "/?#"), start);
	html_put(l->out,
	    "<a class=\"button quiet\" href=\"/sso/%u/start?return=%u\">Log in with "
	    "%s <small>at %s</small></a>\n",
	    slug, l->ways->path, name, host);
}

static int put_ways(struct look *l, struct rows *r)
{
	int n;

	while ((n = rows_next(r)) > 0) {
		if (!l->out->len)
			html_put(l->out, "<nav class=\"choices\">\n");
		put_way(l, row_text(r, 0), row_text(r, 1), row_text(r, 2));
	}
	if (l->out->len)
		html_put(l->out, "</nav>\n");
	return n < 0 ? n : buf_error(l->out);
}

static int of_names(struct tx *t, struct look *l)
{
	_cleanup_rows_ struct rows *r = NULL;
	const char *slug = l->ways->slug, *org = l->ways->org;
	int n = tx_query(t, sql_named, "ss", &r, slug ? slug : "", org ? org : "");

	return n < 0 ? n : put_ways(l, r);
}

static int of_host(struct tx *t, struct look *l)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct device d;
	int n = device_by_user_code(t, l->code, &d);

	l->guessed = n == -ENOENT;
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	if (!d.host_name[0] || d.state != DEVICE_PENDING || d.expires_at <= l->now)
		return 0;
	n = tx_query(t, sql_host, "i", &r, d.host);
	return n < 0 ? n : put_ways(l, r);
}

static int of_all(struct tx *t, struct look *l)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_few, "i", &r, (int64_t)FEW);

	return n < 0 ? n : put_ways(l, r);
}

static int look_tx(struct tx *t, void *arg)
{
	struct look *l = arg;
	int r = 0;

	buf_clear(l->out);
	l->guessed = false;
	if (l->ways->slug || l->ways->org)
		return of_names(t, l);
	if (l->code)
		r = of_host(t, l);
	return r < 0 || l->out->len ? r : of_all(t, l);
}

int login_ways(struct request *rq, const struct login_ways *ways, struct buf *out)
{
	struct look l = {.ways = ways, .out = out, .now = rq->now};
	char peer[RATELIMIT_KEY_MAX], key[RATELIMIT_KEY_MAX + 8], code[DEVICE_USER_CODE + 1];

	/* Counted apart from those that were typed into a form: any page can lead somebody here. */
	ratelimit_peer(rq->peer ? rq->peer : "", peer);
	snprintf(key, sizeof(key), "login %s", peer);
	if (code_in(ways->path, code) && ratelimit_check(RATELIMIT_CODE_PEER, key) == 0)
		l.code = code;
	int r = store_tx(rq->db, STORE_READ, look_tx, &l);
	if (r == 0 && l.guessed)
		ratelimit_take(RATELIMIT_CODE_PEER, key);
	return r;
}
