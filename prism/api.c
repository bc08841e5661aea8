/* SPDX-License-Identifier: MIT */
#include "api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/http_client.h"
#include "api/skew.h"
#include "base/buf.h"
#include "command.h"
#include "config.h"

#define ANSWER_LIMIT (16 * 1024 * 1024)
#define PATH_LIMIT   8192
#define PREFIX	     "/api/v1"

int api_use_token(struct cli *c, const char *token)
{
	if (http_client_set_token(c->http, token))
		return cli_fail(c, STATUS_LOCAL, "BAD_TOKEN", "Run: prism login",
		    "The stored login is damaged.");
	c->logged_in = token != NULL;
	return STATUS_OK;
}

int api_given_ca_file(struct cli *c, char **ret)
{
	const char *given = args_get(c->args, "ca-file");

	if (given && !(*ret = realpath(given, NULL)))
		return cli_fail_file(c, given, -errno);
	return STATUS_OK;
}

/* Plain http, and not plainly to this machine. */
static bool is_open(const char *url)
{
	static const char *const here[] = {"127.", "localhost", "[::1]"};

	if (strncmp(url, "http://", 7) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(here); i++)
		if (strncmp(url + 7, here[i], strlen(here[i])) == 0)
			return false;
	return true;
}

int api_open_by(
    struct cli *c, const char *url, const char *proxy, const char *pin, const char *ca_file)
{
	struct http_options o = {.url = url,
	    .pin = pin ? pin : config_pin(c, url),
	    .ca_file = ca_file ? ca_file : config_ca_file(c, url),
	    .proxy = proxy,
	    .user_agent = "prism/" PRISM_VERSION,
	    .timeout_ms = 30000};
	int r;

	http_client_free(c->http);
	c->http = NULL;
	if (proxy && !http_proxy_valid(proxy))
		return cli_fail(c, STATUS_USAGE, "BAD_PROXY",
		    "Use [http[s]://][USER:PASSWORD@]HOST[:PORT], none or env.",
		    "This is not the address of a proxy.");
	r = http_client_new(&o, &c->http);
	if (r == -ENOMEM)
		return cli_fail_memory(c);
	if (r && is_open(url))
		return cli_fail(c, STATUS_USAGE, "BAD_SERVER",
		    "Use https://HOST[:PORT]; plain http only works on this machine itself.",
		    "%s is not encrypted: https is needed.", url);
	if (r)
		return cli_fail(c, STATUS_USAGE, "BAD_SERVER",
		    "Use https://HOST[:PORT]; plain http only works on this machine itself. A pin "
		    "is the base64 of a SHA-256.",
		    "The address %s or its pin is not acceptable.", url);
	snprintf(c->server, sizeof(c->server), "%s", url);
	return api_use_token(c, config_token(c, url));
}

int api_open_server(struct cli *c, const char *url, const char *pin, const char *ca_file)
{
	return api_open_by(c, url, config_proxy(c, url), pin, ca_file);
}

int api_chosen_url(struct cli *c, char *url, size_t size)
{
	const char *given = args_get(c->args, "server");
	int r = config_open(c);

	if (r)
		return r;
	if (!given)
		given = config_current(c);
	if (!given)
		url[0] = '\0';
	else if (config_url(given, url, size))
		return cli_fail(c, STATUS_USAGE, "BAD_SERVER", "Use https://HOST[:PORT].",
		    "%s is not the address of a service.", given);
	return STATUS_OK;
}

int api_open(struct cli *c)
{
	char url[sizeof(c->server)];
	int r = api_chosen_url(c, url, sizeof(url));

	if (r)
		return r;
	if (!url[0])
		return cli_fail(c, STATUS_NO_LOGIN, "NOT_LOGGED_IN",
		    "Run: prism login --server URL, or accept an invitation",
		    "No Prism service is known here yet.");
	return api_open_server(c, url, NULL, NULL);
}

int api_open_logged_in(struct cli *c)
{
	int r = api_open(c);

	if (r || c->logged_in)
		return r;
	return cli_fail_api(c, STATUS_NO_LOGIN, API_NOT_LOGGED_IN);
}

static bool encode_piece(struct buf *b, const char *s)
{
	if (!*s || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
		    (ch >= 'A' && ch <= 'Z') || strchr("-._~", ch))
			buf_add_char(b, *s);
		else
			buf_addf(b, "%%%02X", ch);
	}
	return true;
}

char *api_path(const char *piece, ...)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PATH_LIMIT);
	bool encode = false, ok = true;
	va_list ap;

	va_start(ap, piece);
	buf_add_str(&b, PREFIX);
	for (; piece && ok; piece = va_arg(ap, const char *)) {
		if (encode)
			ok = encode_piece(&b, piece);
		else
			buf_add_str(&b, piece);
		encode = !encode;
	}
	va_end(ap);
	return ok && !buf_error(&b) ? buf_detach(&b) : NULL;
}

static const char *const trouble_hints[] = {
    [HTTP_PROXY_LOGIN] =
	"Put both into its address: https_proxy=http://USER:PASSWORD@HOST:PORT, or prism login "
	"--proxy.",
    [HTTP_PROXY_REFUSED] = "Whoever runs the proxy can allow it.",
    [HTTP_PROXY_AWAY] = "Check https_proxy, or give another one: prism login --proxy URL (none: "
			"without a proxy).",
    [HTTP_PROXY_CERTIFICATE] = "If its authority is a private one: prism login --ca-file FILE.",
    [HTTP_CA_FILE] = "Give a readable file in PEM form: prism login --ca-file FILE.",
    [HTTP_CERT_UNKNOWN] =
	"Do not go on before the administrator has told you the server's pin or given you the file "
	"of its authority; then: prism login --server URL --pin PIN, or --ca-file FILE",
    [HTTP_CERT_NAME] =
	"Check the address; if it is right, something else stands between you and the service.",
    [HTTP_CERT_EXPIRED] =
	"If that time is right, tell the administrator; if not: timedatectl set-ntp true.",
    [HTTP_CERT_EARLY] =
	"If that time is wrong, set the clock: timedatectl set-ntp true; else tell the "
	"administrator.",
};

static const char *unreachable_hint(int error, enum http_trouble trouble)
{
	if ((size_t)trouble < ARRAY_SIZE(trouble_hints) && trouble_hints[trouble])
		return trouble_hints[trouble];
	switch (error) {
	case -EPROTO:
		return "Do not go on before the administrator has told you the server's pin; then: "
		       "prism login --server URL --pin PIN";
	case -ECONNREFUSED:
		return "Check the address and that the service runs.";
	case -EHOSTUNREACH:
		return "Check the address and your network (DNS, VPN, proxy).";
	case -ETIMEDOUT:
		return "Check your network and try again.";
	default:
		return "Try again; if it stays, tell the administrator.";
	}
}

/* The service says no: its own words, where they are in the form of api/error.h. */
static int refused(struct cli *c, const struct http_response *rp, const json_t *answer)
{
	const json_t *e = json_object_get(answer, "error");
	const char *code = text_of(e, "code");
	enum status status = STATUS_REFUSED;
	char clock[SKEW_TEXT] = "", hint[480];

	if (!*code && rp->named)
		return cli_fail(c, STATUS_REFUSED, API_PAGE,
		    "Try again; if it stays, tell the administrator.",
		    "The service answered with status %ld.", rp->status);
	if (!*code)
		return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
		    "Check the address; something else may stand between you and the service.",
		    "%s answered with status %ld, which is no answer of Prism.", c->server,
		    rp->status);
	if (strcmp(code, "NOT_LOGGED_IN") == 0 || strcmp(code, "LOGIN_REQUIRED") == 0)
		status = STATUS_NO_LOGIN;
	if (rp->date)
		skew_describe(rp->date - c->now, clock);
	if (status == STATUS_NO_LOGIN && *clock) {
		snprintf(hint, sizeof(hint), "%.300s Also: %s.", text_of(e, "hint"), clock);
		return cli_fail(c, status, code, hint, "%s", text_of(e, "message"));
	}
	return cli_fail(c, status, code, text_of(e, "hint"), "%s", text_of(e, "message"));
}

static int answer_take(struct cli *c, const struct http_response *rp, json_t **ret)
{
	_cleanup_json_ json_t *answer = http_response_json(rp);

	if (rp->status < 200 || rp->status > 299)
		return refused(c, rp, answer);
	if (!answer && rp->status != 204)
		return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
		    "Check the address; something else may stand between you and the service.",
		    "%s answered with something that is not JSON.", c->server);
	if (ret)
		*ret = TAKE_PTR(answer);
	return STATUS_OK;
}

static void response_freep(struct http_response *r)
{
	http_response_free(r);
}

static int unreachable(struct cli *c, int error, const struct http_response *rp)
{
	return cli_fail(c, STATUS_UNREACHABLE, "UNREACHABLE", unreachable_hint(error, rp->trouble),
	    "%s", rp->why);
}

int api_call(struct cli *c, const char *method, char *path, json_t *body, json_t **ret)
{
	_cleanup_free_ char *where = path;
	_cleanup_json_ json_t *what = body;
	_cleanup_(response_freep) struct http_response rp;
	int r;

	http_response_init(&rp, ANSWER_LIMIT);
	if (!where)
		return cli_fail(c, STATUS_USAGE, "BAD_NAME", "Check the command's arguments.",
		    "A name cannot be empty, \".\" or \"..\", nor very long.");
	if (!what && (strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0))
		return cli_fail(c, STATUS_USAGE, "BAD_TEXT", "Check the command's arguments.",
		    "A text is not valid UTF-8.");
	r = http_request(c->http, method, where, what, 0, &rp);
	if (r)
		return unreachable(c, r, &rp);
	return answer_take(c, &rp, ret);
}

/* What an OAuth endpoint says: {"error": CODE, "error_description"?}, or something else. */
static int oauth_refused(
    struct cli *c, const struct http_response *rp, const json_t *answer, char *oauth_error)
{
	const char *code = text_of(answer, "error"), *why = text_of(answer, "error_description");

	if (!*code || strlen(code) >= OAUTH_ERROR_MAX)
		return refused(c, rp, answer);
	snprintf(oauth_error, OAUTH_ERROR_MAX, "%s", code);
	return cli_fail(c, STATUS_REFUSED, code, "Run prism login once more.", "%s",
	    *why ? why : "The service refused this login.");
}

int api_form(struct cli *c, const char *path, const struct buf *form,
    char oauth_error[static OAUTH_ERROR_MAX], json_t **ret)
{
	_cleanup_(response_freep) struct http_response rp;
	_cleanup_json_ json_t *answer = NULL;
	int r;

	oauth_error[0] = '\0';
	http_response_init(&rp, ANSWER_LIMIT);
	if (buf_error(form))
		return cli_fail_memory(c);
	r = http_request_form(c->http, path, buf_str(form), &rp);
	if (r)
		return unreachable(c, r, &rp);
	if (rp.status == 200)
		return answer_take(c, &rp, ret);
	answer = http_response_json(&rp);
	return oauth_refused(c, &rp, answer, oauth_error);
}

int api_document(struct cli *c, const char *path, json_t **ret)
{
	_cleanup_(response_freep) struct http_response rp;
	int r;

	http_response_init(&rp, ANSWER_LIMIT);
	r = http_request(c->http, "GET", path, NULL, 0, &rp);
	return r ? unreachable(c, r, &rp) : answer_take(c, &rp, ret);
}

int api_text(struct cli *c, const char *path, struct buf *out)
{
	_cleanup_(response_freep) struct http_response rp;
	_cleanup_json_ json_t *answer = NULL;
	int r;

	http_response_init(&rp, ANSWER_LIMIT);
	r = http_request(c->http, "GET", path, NULL, 0, &rp);
	if (r)
		return unreachable(c, r, &rp);
	if (rp.status != 200) {
		answer = http_response_json(&rp);
		return refused(c, &rp, answer);
	}
	buf_add(out, rp.body.data, rp.body.len);
	return buf_error(out) ? cli_fail_memory(c) : STATUS_OK;
}

int api_list(struct cli *c, char *path, const char *name, json_t **ret)
{
	_cleanup_json_ json_t *answer = NULL;
	json_t *list;
	int r = api_call(c, "GET", path, NULL, &answer);

	if (r)
		return r;
	list = json_is_array(answer) ? answer : json_object_get(answer, name);
	if (!json_is_array(list))
		return cli_fail(c, STATUS_UNREACHABLE, "UNEXPECTED_ANSWER",
		    "The service may be of another version.", "%s sent no list.", c->server);
	*ret = json_incref(list);
	return STATUS_OK;
}
