/* SPDX-License-Identifier: MIT */
#include "login_oauth.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "api/http_client.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "loopback.h"
#include "output.h"
#include "tool.h"

#define CLIENT		 "prism-cli"
#define TOKEN_PATH	 "/oauth2/token"
#define DEVICE_GRANT	 "urn:ietf:params:oauth:grant-type:device_code"
#define FORM_MAX	 8192
#define SECRET_LEN	 44 /* 32 bytes in base64url, and NUL */
#define BROWSER_MS	 300000
#define POLL_WAIT	 "20" /* seconds that the service may keep a poll */
#define INTERVAL_DEFAULT 5    /* RFC 8628 §3.2 */
#define INTERVAL_MORE	 5    /* §3.5 */
#define LIFE_MAX	 3600

/* ---- what both end in -------------------------------------------------------------------------*/

/* The token, and whose it is: as POST /sessions answers. */
static int session_make(struct cli *c, const json_t *answer, json_t **ret)
{
	const char *token = text_of(answer, "access_token");
	int64_t life = int_of(answer, "expires_in");
	_cleanup_json_ json_t *me = NULL;
	char until[CLOCK_TEXT];
	int r;

	if (!*token || life <= 0)
		return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
		    "The service may be of another version.", "%s sent no token.", c->server);
	r = api_use_token(c, token);
	if (!r)
		r = api_call(c, "GET", api_path("/me", NULL), NULL, &me);
	if (r)
		return r;
	clock_format(clock_now() + life, until);
	*ret = json_pack("{s:s, s:s, s:O}", "token", token, "expires_at", until, "user", me);
	return *ret ? STATUS_OK : cli_fail_memory(c);
}

static int denied(struct cli *c)
{
	return cli_fail(c, STATUS_REFUSED, "ACCESS_DENIED", "If that was a mistake, run it again.",
	    "The login was refused in the browser.");
}

static int too_late(struct cli *c)
{
	return cli_fail(c, STATUS_REFUSED, "LOGIN_EXPIRED", "Run it again.",
	    "Nobody approved this login in time.");
}

/* ---- in a browser elsewhere -------------------------------------------------------------------*/

struct device {
	char code[256], user_code[64], url[512], url_complete[512];
	int64_t interval, until_ms;
};

static void device_wipe(struct device *d)
{
	explicit_bzero(d, sizeof(*d));
}

static int device_begin(struct cli *c, struct device *d)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);
	_cleanup_json_ json_t *answer = NULL;
	char error[OAUTH_ERROR_MAX];
	int64_t life;
	int r;

	http_form_add(&form, "client_id", CLIENT);
	r = api_form(c, "/oauth2/device_authorization", &form, error, &answer);
	if (r)
		return r;
	snprintf(d->code, sizeof(d->code), "%s", text_of(answer, "device_code"));
	snprintf(d->user_code, sizeof(d->user_code), "%s", text_of(answer, "user_code"));
	snprintf(d->url, sizeof(d->url), "%s", text_of(answer, "verification_uri"));
	snprintf(d->url_complete, sizeof(d->url_complete), "%s",
	    text_of(answer, "verification_uri_complete"));
	life = int_of(answer, "expires_in");
	d->interval = int_of(answer, "interval");
	if (d->interval <= 0 || d->interval > LIFE_MAX)
		d->interval = INTERVAL_DEFAULT;
	if (!d->code[0] || !d->user_code[0] || !d->url[0] || life <= 0)
		return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
		    "The service may be of another version.", "%s sent no device code.", c->server);
	d->until_ms = clock_mono_ms() + (life < LIFE_MAX ? life : LIFE_MAX) * 1000;
	return STATUS_OK;
}

static void device_tell(const struct cli *c, const struct device *d)
{
	const char *url = d->url_complete[0] ? d->url_complete : d->url;

	err_printf("Open this address in any browser, and log in there:\n\n  %s\n\n", url);
	err_printf("It must show the code %s. Approve only what you have just begun yourself.\n\n",
	    d->user_code);
	err_qr(url);
	err_printf("Waiting for the browser; to give up, press Ctrl-C.\n");
}

static int device_poll(struct cli *c, const struct device *d, char *error, json_t **ret)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);

	http_form_add(&form, "grant_type", DEVICE_GRANT);
	http_form_add(&form, "client_id", CLIENT);
	http_form_add(&form, "device_code", d->code);
	http_form_add(&form, "wait", POLL_WAIT);
	int r = api_form(c, TOKEN_PATH, &form, error, ret);

	if (form.data)
		explicit_bzero(form.data, form.len);
	return r;
}

/* Until "interval" after the beginning of the last poll: whoever was kept waiting has waited. */
static void interval_wait(int64_t began_ms, int64_t interval)
{
	int64_t left = began_ms + interval * 1000 - clock_mono_ms();
	struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};

	if (left > 0)
		nanosleep(&t, NULL);
}

static int device_wait(struct cli *c, struct device *d, json_t **ret)
{
	while (clock_mono_ms() < d->until_ms) {
		char error[OAUTH_ERROR_MAX];
		int64_t began = clock_mono_ms();
		int r = device_poll(c, d, error, ret);

		if (r == STATUS_OK)
			return STATUS_OK;
		if (strcmp(error, "access_denied") == 0)
			return denied(c);
		if (strcmp(error, "expired_token") == 0)
			return too_late(c);
		if (strcmp(error, "slow_down") == 0)
			d->interval += INTERVAL_MORE;
		else if (r == STATUS_UNREACHABLE) /* RFC 8628 §3.5: back off */
			d->interval = d->interval < 60 ? d->interval * 2 : 60;
		else if (strcmp(error, "authorization_pending") != 0)
			return r;
		interval_wait(began, d->interval);
	}
	return too_late(c);
}

int login_device(struct cli *c, json_t **ret)
{
	_cleanup_(device_wipe) struct device d = {.code = ""};
	_cleanup_json_ json_t *answer = NULL;
	int r = device_begin(c, &d);

	if (r)
		return r;
	device_tell(c, &d);
	r = device_wait(c, &d, &answer);
	/* What went wrong on the way is over. */
	if (!r)
		c->error.code[0] = '\0';
	return r ? r : session_make(c, answer, ret);
}

/* ---- in a browser here ------------------------------------------------------------------------*/

struct code_login {
	char verifier[SECRET_LEN], challenge[SECRET_LEN], state[SECRET_LEN];
	char redirect[64];
	char issuer[512], endpoint[512];
	struct loopback loopback;
	struct loopback_answer answer;
};

static void code_login_end(struct code_login *l)
{
	if (l->loopback.fd >= 0)
		close(l->loopback.fd);
	explicit_bzero(l, sizeof(*l));
}

static int random_text(char out[static SECRET_LEN])
{
	uint8_t raw[32];
	int r = secret_random(raw, sizeof(raw));

	if (r == 0)
		base64url_encode(raw, sizeof(raw), out);
	explicit_bzero(raw, sizeof(raw));
	return r;
}

static int secrets_make(struct cli *c, struct code_login *l)
{
	uint8_t hash[32];

	if (random_text(l->verifier) || random_text(l->state) ||
	    !EVP_Digest(l->verifier, strlen(l->verifier), hash, NULL, EVP_sha256(), NULL))
		return cli_fail(c, STATUS_LOCAL, "NO_RANDOM", "Try again.",
		    "This machine gives no random numbers.");
	base64url_encode(hash, sizeof(hash), l->challenge);
	return STATUS_OK;
}

/* Its name for itself (RFC 8414) is what the answer must carry (RFC 9207). */
static int metadata_read(struct cli *c, struct code_login *l)
{
	_cleanup_json_ json_t *m = NULL;
	int r = api_document(c, "/.well-known/oauth-authorization-server", &m);

	if (r)
		return r;
	snprintf(l->issuer, sizeof(l->issuer), "%s", text_of(m, "issuer"));
	snprintf(l->endpoint, sizeof(l->endpoint), "%s", text_of(m, "authorization_endpoint"));
	if (l->issuer[0] && (strncmp(l->endpoint, "https://", 8) == 0 ||
				strncmp(l->endpoint, "http://127.0.0.1", 16) == 0))
		return STATUS_OK;
	return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
	    "The service may be of another version.", "%s does not say where to log in.",
	    c->server);
}

static int listener_open(struct cli *c, struct code_login *l)
{
	int r = loopback_open(&l->loopback);

	if (r < 0)
		return cli_fail(c, STATUS_LOCAL, "NO_LISTENER", "Use: prism login --device",
		    "The browser's answer cannot be received here: %s.", strerror(-r));
	snprintf(l->redirect, sizeof(l->redirect), "http://127.0.0.1:%u" LOOPBACK_PATH,
	    (unsigned)l->loopback.port);
	return STATUS_OK;
}

static const char *opener(void)
{
	const char *own = secure_getenv("BROWSER");

	/* One program; lists and patterns of some desktops are xdg-open's affair. */
	return own && *own && !strpbrk(own, ":% ") ? own : "xdg-open";
}

static bool in_path(const char *program)
{
	const char *path = secure_getenv("PATH");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	for (; path && *path; path += strcspn(path, ":"), path += *path == ':') {
		char file[4096];
		int n =
		    snprintf(file, sizeof(file), "%.*s/%s", (int)strcspn(path, ":"), path, program);

		if (n > 0 && (size_t)n < sizeof(file) && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

bool login_browser_possible(void)
{
	const char *x = secure_getenv("DISPLAY"), *wayland = secure_getenv("WAYLAND_DISPLAY");

	return ((x && *x) || (wayland && *wayland)) && in_path(opener());
}

static int browser_open_at(struct cli *c, const struct code_login *l)
{
	_cleanup_buf_ struct buf url = BUF_INIT(FORM_MAX), query = BUF_INIT(FORM_MAX);

	http_form_add(&query, "response_type", "code");
	http_form_add(&query, "client_id", CLIENT);
	http_form_add(&query, "redirect_uri", l->redirect);
	http_form_add(&query, "code_challenge", l->challenge);
	http_form_add(&query, "code_challenge_method", "S256");
	http_form_add(&query, "state", l->state);
	buf_addf(&url, "%s?%s", l->endpoint, buf_str(&query));
	if (buf_error(&query) || buf_error(&url))
		return cli_fail_memory(c);
	err_printf("Log in with your browser. If none opens on this machine, go to\n\n  %s\n\n"
		   "there; from another machine: prism login --device\n",
	    buf_str(&url));
	/* Whether it starts shows soon enough: the address stands above. */
	tool_start((const char *const[]){opener(), buf_str(&url), NULL});
	return STATUS_OK;
}

static int answer_wait(struct cli *c, struct code_login *l)
{
	int r = loopback_wait(&l->loopback, l->state, clock_mono_ms() + BROWSER_MS, &l->answer);

	if (r == -ETIMEDOUT)
		return too_late(c);
	if (r < 0)
		return cli_fail(c, STATUS_LOCAL, "NO_LISTENER", "Use: prism login --device",
		    "The browser's answer cannot be received here: %s.", strerror(-r));
	if (strcmp(l->answer.iss, l->issuer) != 0)
		return cli_fail(c, STATUS_REFUSED, "WRONG_ISSUER", "Run it again.",
		    "The answer did not come from %s.", l->issuer);
	if (strcmp(l->answer.error, "access_denied") == 0)
		return denied(c);
	if (!l->answer.code[0])
		return cli_fail(c, STATUS_REFUSED, "LOGIN_FAILED", "Run it again.",
		    "The service did not let this login through: %s.", l->answer.error);
	return STATUS_OK;
}

static int code_redeem(struct cli *c, const struct code_login *l, json_t **ret)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);
	char error[OAUTH_ERROR_MAX];
	int r;

	http_form_add(&form, "grant_type", "authorization_code");
	http_form_add(&form, "client_id", CLIENT);
	http_form_add(&form, "code", l->answer.code);
	http_form_add(&form, "redirect_uri", l->redirect);
	http_form_add(&form, "code_verifier", l->verifier);
	r = api_form(c, TOKEN_PATH, &form, error, ret);
	if (form.data)
		explicit_bzero(form.data, form.len);
	return r;
}

int login_browser(struct cli *c, json_t **ret)
{
	_cleanup_(code_login_end) struct code_login l = {.loopback.fd = -1};
	_cleanup_json_ json_t *answer = NULL;
	int r = secrets_make(c, &l);

	if (!r)
		r = metadata_read(c, &l);
	if (!r)
		r = listener_open(c, &l);
	if (!r)
		r = browser_open_at(c, &l);
	if (!r)
		r = answer_wait(c, &l);
	if (!r)
		r = code_redeem(c, &l, &answer);
	return r ? r : session_make(c, answer, ret);
}
