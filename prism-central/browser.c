/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/sha.h>
#include "base/encode.h"
#include "base/secret.h"
#include "browser.h"
#include "oauth.h"

static const char sql_load[] =
    "SELECT b.id, b.identity_id, b.auth_at, u.id, u.username FROM browser_sessions b"
    " JOIN users u ON u.id = b.user_id WHERE b.token_hash = $1 AND b.revoked_at = 0"
    " AND b.expires_at > $2 AND u.state = 'active'";
static const char sql_holds[] =
    "SELECT 1 FROM browser_sessions b JOIN users u ON u.id = b.user_id WHERE b.id = $1"
    " AND u.id = $2 AND b.revoked_at = 0 AND b.expires_at > $3 AND u.state = 'active'";
static const char sql_insert[] =
    "INSERT INTO browser_sessions (id, token_hash, user_id, identity_id, provider_sid, auth_at,"
    " peer, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
static const char sql_close[] =
    "UPDATE browser_sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0";
static const char sql_sweep[] = "DELETE FROM browser_sessions WHERE expires_at < $1";
static const char sql_revoke[] =
    "UPDATE browser_sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at = 0";

/* Rows of those that ended so long ago tell nothing any more; the audit chain keeps them. */
#define BROWSER_KEEP (30 * 86400)
#define TOKEN_LEN    (sizeof(BROWSER_PREFIX) - 1 + BASE64URL_LEN(32))

_Static_assert(TOKEN_LEN < sizeof(((struct browser *)0)->token), "the cookie's value fits");
_Static_assert(sizeof(BROWSER_PREFIX) == sizeof(BROWSER_BEGUN_PREFIX), "both are as long");

/* ---- the cookies ----------------------------------------------------------------------------- */

static bool served_by_https(const struct request *rq)
{
	return strncmp(rq->central->config.url, "https:", 6) == 0;
}

/* A browser takes "__Host-" from nobody but us: not without TLS, not from a neighbour. */
static const struct kind {
	const char *secure, *plain, *prefix;
} session = {"__Host-prism", "prism", BROWSER_PREFIX},
  begun = {"__Host-prism-login", "prism-login", BROWSER_BEGUN_PREFIX};

static const char *cookie_name(const struct request *rq, const struct kind *k)
{
	return served_by_https(rq) ? k->secure : k->plain;
}

static bool token_valid(const char *s, const char *prefix)
{
	const size_t skip = strlen(prefix);
	uint8_t secret[32];
	bool ok = strlen(s) == TOKEN_LEN && strncmp(s, prefix, skip) == 0 &&
		  base64url_decode(s + skip, TOKEN_LEN - skip, secret, sizeof(secret)) ==
		      (ssize_t)sizeof(secret);

	explicit_bzero(secret, sizeof(secret));
	return ok;
}

static int token_new(const char *prefix, char out[static 48])
{
	const size_t skip = strlen(prefix);
	uint8_t secret[32];
	int r = secret_random(secret, sizeof(secret));

	if (r < 0)
		return r;
	memcpy(out, prefix, skip);
	base64url_encode(secret, sizeof(secret), out + skip);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

static void set_cookie(
    const struct request *rq, struct reply *rp, const struct kind *k, const char *value)
{
	reply_header(rp, "Set-Cookie", "%s=%s; Path=/; HttpOnly; SameSite=Lax%s",
	    cookie_name(rq, k), value, served_by_https(rq) ? "; Secure" : "");
}

void browser_set_cookie(const struct request *rq, struct reply *rp, const char *token)
{
	set_cookie(rq, rp, &session, token);
}

void browser_set_new_cookies(const struct request *rq, struct reply *rp)
{
	if (rq->browser.fresh && !reply_header_value(rp, "Set-Cookie"))
		set_cookie(rq, rp, &session, rq->browser.token);
	if (rq->browser.begun_fresh)
		set_cookie(rq, rp, &begun, rq->browser.begun);
}

int browser_renew_cookies(const struct request *rq, struct reply *rp)
{
	static const struct kind *const both[] = {&session, &begun};
	char token[48];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(both); i++) {
		r = token_new(both[i]->prefix, token);
		if (r == 0)
			set_cookie(rq, rp, both[i], token);
	}
	explicit_bzero(token, sizeof(token));
	return r;
}

/* ---- what only this browser can know --------------------------------------------------------- */

void browser_hash(const struct request *rq, char out[65])
{
	sha256_hex(rq->browser.begun, strlen(rq->browser.begun), out);
}

/* The purpose's NUL goes in as well: no two of them can be taken for each other. */
static void derive(const char secret[48], const char *purpose, int64_t id, char out[44])
{
	char text[24];
	uint8_t hash[SHA256_DIGEST_LENGTH];
	uint8_t input[64 + 48 + sizeof(text)] = {0};
	size_t n = strlen(purpose) + 1;

	if (n > 64)
		n = 64;
	memcpy(input, purpose, n);
	memcpy(input + n, secret, 48);
	n += 48;
	n += (size_t)snprintf((char *)input + n, sizeof(text), "%lld", (long long)id);
	SHA256(input, n, hash);
	base64url_encode(hash, sizeof(hash), out);
	explicit_bzero(input, sizeof(input));
	explicit_bzero(hash, sizeof(hash));
}

void browser_derive(const struct request *rq, const char *purpose, int64_t id, char out[44])
{
	derive(rq->browser.begun, purpose, id, out);
}

void browser_csrf(const struct request *rq, char out[BROWSER_CSRF_LEN + 1])
{
	derive(rq->browser.token, "csrf", 0, out);
}

/* As browsers write an origin: in lowercase, without the port that goes without saying. */
static void our_origin(const struct request *rq, char *out, size_t size)
{
	const char *usual = served_by_https(rq) ? ":443" : ":80";

	snprintf(out, size, "%s", rq->central->config.url);
	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	size_t n = strlen(out);
	while (n > 0 && out[n - 1] == '/')
		out[--n] = '\0';
	if (n > strlen(usual) && strcmp(out + n - strlen(usual), usual) == 0)
		out[n - strlen(usual)] = '\0';
}

/* What the browser says of where a request comes from does not speak against us. */
static bool from_our_page(const struct request *rq)
{
	const char *site = request_header(rq, "Sec-Fetch-Site");
	const char *origin = request_header(rq, "Origin");
	char want[sizeof(rq->central->config.url)];

	our_origin(rq, want, sizeof(want));
	return (!site || strcmp(site, "same-origin") == 0) &&
	       (!origin || strcmp(origin, want) == 0);
}

bool browser_form_ours(const struct request *rq)
{
	const char *csrf = request_form(rq, "csrf");
	char expected[BROWSER_CSRF_LEN + 1];

	if (rq->method == HTTP_GET)
		return true;
	if (!from_our_page(rq))
		return false;
	browser_csrf(rq, expected);
	bool ok = csrf && strlen(csrf) == BROWSER_CSRF_LEN &&
		  secret_equal(csrf, expected, BROWSER_CSRF_LEN);
	explicit_bzero(expected, sizeof(expected));
	return ok;
}

bool browser_form_stale(const struct request *rq)
{
	bool told = request_header(rq, "Sec-Fetch-Site") || request_header(rq, "Origin");

	return told && from_our_page(rq) && !browser_form_ours(rq);
}

bool browser_came_itself(const struct request *rq)
{
	const char *site = request_header(rq, "Sec-Fetch-Site");
	const char *from = request_header(rq, "Referer");
	char want[sizeof(rq->central->config.url)];

	if (site)
		return strcmp(site, "none") == 0 || strcmp(site, "same-origin") == 0;
	our_origin(rq, want, sizeof(want));
	size_t n = strlen(want);
	return from && strncmp(from, want, n) == 0 && from[n] == '/';
}

/* ---- who is logged in ------------------------------------------------------------------------ */

struct load {
	struct request *rq;
	char hash[65];
	struct principal who;
	struct browser found;
};

static int load_tx(struct tx *t, void *arg)
{
	struct load *l = arg;
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_load, "si", &r, l->hash, l->rq->now);

	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n;
	l->found.session = row_int(r, 0);
	l->found.identity = row_int(r, 1);
	l->found.auth_at = row_int(r, 2);
	l->who = principal_user(row_int(r, 3), row_text(r, 4));
	l->who.credential = l->found.session;
	l->who.identity = l->found.identity;
	return 0;
}

/* The value that came, or a new one. */
static int token_load(const struct request *rq, const struct kind *k, char out[48], bool *ret_fresh)
{
	const char *header = request_header(rq, "Cookie");

	*ret_fresh = !header || cookie_value(header, cookie_name(rq, k), out, 48) < 0 ||
		     !token_valid(out, k->prefix);
	return *ret_fresh ? token_new(k->prefix, out) : 0;
}

int browser_load(struct request *rq)
{
	struct load l = {.rq = rq};
	struct browser *b = &rq->browser;

	*b = (struct browser){0};
	rq->who = (struct principal){.kind = PRINCIPAL_NONE};
	int r = token_load(rq, &begun, b->begun, &b->begun_fresh);
	if (r == 0)
		r = token_load(rq, &session, b->token, &b->fresh);
	if (r < 0 || b->fresh)
		return r;
	sha256_hex(b->token, strlen(b->token), l.hash);
	r = store_tx(rq->db, STORE_READ, load_tx, &l);
	if (r < 0)
		return r;
	b->session = l.found.session;
	b->identity = l.found.identity;
	b->auth_at = l.found.auth_at;
	rq->who = l.who;
	return 0;
}

int browser_holds(struct tx *t, const struct request *rq)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_holds, "iii", &r, rq->browser.session, rq->who.id, rq->now);

	return n < 0 ? n : rows_next(r);
}

int browser_open(struct tx *t, const struct request *rq, struct browser_login *l)
{
	char hash[65];
	int r = token_new(BROWSER_PREFIX, l->token);

	if (r == 0)
		r = browser_close(t, rq);
	if (r == 0)
		r = tx_exec(t, sql_sweep, "i", rq->now - BROWSER_KEEP);
	if (r < 0)
		return r;
	sha256_hex(l->token, strlen(l->token), hash);
	return tx_exec(t, sql_insert, "isiisisii", store_new_id(), hash, l->user, l->identity,
	    l->provider_sid ? l->provider_sid : "", l->auth_at, rq->peer ? rq->peer : "", rq->now,
	    rq->now + BROWSER_SECONDS);
}

int browser_close(struct tx *t, const struct request *rq)
{
	if (!rq->browser.session)
		return 0;
	return tx_exec(t, sql_close, "ii", rq->browser.session, rq->now);
}

int browser_revoke(struct tx *t, int64_t user, int64_t now)
{
	int r = tx_exec(t, sql_revoke, "ii", user, now);

	return r < 0 ? r : oauth_forget(t, user);
}
