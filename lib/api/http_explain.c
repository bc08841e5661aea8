/* SPDX-License-Identifier: MIT */
#include "api/http_explain.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SHOWN_MAX 128

/* ---- the proxy --------------------------------------------------------------------------------*/

/* "HOST:PORT" of a proxy's URL, without the scheme and whatever opens it. */
static void proxy_show(const char *url, char out[static SHOWN_MAX])
{
	const char *at = strstr(url, "://"), *name = at ? at + 3 : url;

	at = strrchr(name, '@');
	if (at)
		name = at + 1;
	snprintf(out, SHOWN_MAX, "%.*s", (int)strcspn(name, "/?#"), name);
}

/* The same, up to the port: as libcurl writes it into its own messages. */
static bool text_names(const char *text, const char *shown)
{
	char name[SHOWN_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(shown, ":"), shown);
	return *name && strstr(text, name);
}

static bool proxy_logs_in(const char *url)
{
	return strchr(url, '@') != NULL;
}

static int explain_answer(
    const struct http_failure *f, const char *shown, long status, struct http_response *ret)
{
	ret->trouble = status == 407 ? HTTP_PROXY_LOGIN : HTTP_PROXY_REFUSED;
	if (status == 407)
		snprintf(ret->why, sizeof(ret->why),
		    proxy_logs_in(f->proxy)
			? "The proxy %s does not accept the username and password for it (it "
			  "answered 407)."
			: "The proxy %s wants a username and a password (it answered 407).",
		    shown);
	else if (status == 502 || status == 503 || status == 504)
		snprintf(ret->why, sizeof(ret->why),
		    "The proxy %s cannot reach %s (it answered %ld).", shown, f->host, status);
	else
		snprintf(ret->why, sizeof(ret->why),
		    "The proxy %s does not let us through to %s (it answered %ld).", shown, f->host,
		    status);
	return -EHOSTUNREACH;
}

/* ---- certificates -----------------------------------------------------------------------------*/

static enum http_trouble trouble_of(long verdict)
{
	switch (verdict) {
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED: /* what libcurl starts with: the signatures were fine */
		return HTTP_CERT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return HTTP_CERT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return HTTP_CERT_EARLY;
	default:
		return HTTP_CERT_UNKNOWN;
	}
}

static int explain_certificate(
    const struct http_failure *f, const char *who, long verdict, struct http_response *ret)
{
	char now[CLOCK_TEXT];

	ret->trouble = trouble_of(verdict);
	clock_format(clock_now(), now);
	if (ret->trouble == HTTP_CERT_EXPIRED || ret->trouble == HTTP_CERT_EARLY)
		snprintf(ret->why, sizeof(ret->why),
		    "The certificate of %s is not trusted: it %s by this machine's clock (%s).",
		    who, ret->trouble == HTTP_CERT_EARLY ? "is not valid yet" : "has expired", now);
	else
		snprintf(ret->why, sizeof(ret->why), "The certificate of %s is not trusted: %s.",
		    who,
		    ret->trouble == HTTP_CERT_NAME ? "it is for another name"
						   : X509_verify_cert_error_string(verdict));
	return -EPROTO;
}

static int explain_peer(const struct http_failure *f, const char *shown, struct http_response *ret)
{
	long verdict = X509_V_OK, of_proxy = X509_V_OK, connected = 0;
	char who[SHOWN_MAX + 16];

	curl_easy_getinfo(f->curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
	curl_easy_getinfo(f->curl, CURLINFO_PROXY_SSL_VERIFYRESULT, &of_proxy);
	curl_easy_getinfo(f->curl, CURLINFO_HTTP_CONNECTCODE, &connected);
	if (of_proxy == X509_V_OK &&
	    (connected || verdict != X509_V_OK || !f->proxy || !text_names(f->text, shown)))
		return explain_certificate(f, f->host, verdict, ret);
	snprintf(who, sizeof(who), "the proxy %s", shown);
	explain_certificate(f, who, of_proxy, ret);
	ret->trouble = HTTP_PROXY_CERTIFICATE;
	return -EPROTO;
}

/* ---- everything else --------------------------------------------------------------------------*/

static const struct failure {
	CURLcode code;
	int error;
	enum http_trouble trouble;
	const char *before, *after;
} failures[] = {
    {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, HTTP_TROUBLE, "No answer came in time from ", "."},
    {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, HTTP_TROUBLE, "The name ",
	" is not known here (DNS)."},
    {CURLE_COULDNT_CONNECT, -ECONNREFUSED, HTTP_TROUBLE, "The connection was refused by ", "."},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, -EPROTO, HTTP_PIN, "The key of the server ",
	" is not the pinned one: it is another server, or its key was replaced."},
    {CURLE_SSL_CONNECT_ERROR, -EPROTO, HTTP_TROUBLE, "The server ",
	" does not answer as an HTTPS server should (TLS failed)."},
    {CURLE_WEIRD_SERVER_REPLY, -EPROTO, HTTP_TROUBLE, "The server ", " does not speak HTTP."},
    {CURLE_UNSUPPORTED_PROTOCOL, -EPROTO, HTTP_TROUBLE, "The server ", " does not speak HTTP."},
    {CURLE_WRITE_ERROR, -EMSGSIZE, HTTP_TROUBLE, "The answer is too large from ", "."},
    {CURLE_FAILED_INIT, -EIO, HTTP_TROUBLE, "The connection could not be prepared to ", "."},
    {CURLE_OK, -EIO, HTTP_TROUBLE, "The connection broke off with ", "."},
};

static int connect_error(CURL *h)
{
	long code = 0;

	curl_easy_getinfo(h, CURLINFO_OS_ERRNO, &code);
	switch (code) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
		return -EHOSTUNREACH;
	case ETIMEDOUT:
		return -ETIMEDOUT;
	default:
		return -ECONNREFUSED;
	}
}

static int explain_connect(
    const struct http_failure *f, const char *shown, struct http_response *ret)
{
	int error = connect_error(f->curl);
	char who[SHOWN_MAX + 16];

	if (f->proxy && text_names(f->text, shown)) {
		ret->trouble = HTTP_PROXY_AWAY;
		snprintf(who, sizeof(who), "the proxy %s", shown);
	} else {
		snprintf(who, sizeof(who), "%s", f->host);
	}
	if (error == -EHOSTUNREACH)
		snprintf(ret->why, sizeof(ret->why), "There is no route to %s.", who);
	else if (error == -ETIMEDOUT)
		snprintf(ret->why, sizeof(ret->why), "No answer came in time from %s.", who);
	else
		snprintf(ret->why, sizeof(ret->why), "The connection was refused by %s.", who);
	return error;
}

static int explain_other(const struct http_failure *f, const char *shown, struct http_response *ret)
{
	const struct failure *w = failures;
	char proxy[SHOWN_MAX + 32] = "";

	while (w->code != f->code && w->code != CURLE_OK)
		w++;
	ret->trouble = w->trouble;
	if (f->proxy && (f->code == CURLE_OPERATION_TIMEDOUT || f->code == CURLE_SSL_CONNECT_ERROR))
		snprintf(proxy, sizeof(proxy), " A proxy is set: %s.", shown);
	snprintf(ret->why, sizeof(ret->why), "%s%.100s%s%s", w->before, f->host, w->after, proxy);
	return w->error;
}

int http_explain(const struct http_failure *f, struct http_response *ret)
{
	char shown[SHOWN_MAX] = "";
	long answer = 0;

	ret->status = 0;
	ret->trouble = HTTP_TROUBLE;
	if (f->proxy)
		proxy_show(f->proxy, shown);
	curl_easy_getinfo(f->curl, CURLINFO_HTTP_CONNECTCODE, &answer);
	if (f->proxy && answer && answer / 100 != 2)
		return explain_answer(f, shown, answer, ret);
	switch (f->code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
		ret->trouble = HTTP_PROXY_AWAY;
		snprintf(ret->why, sizeof(ret->why),
		    "The name of the proxy, %s, is not known here (DNS).", shown);
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return explain_connect(f, shown, ret);
	case CURLE_PEER_FAILED_VERIFICATION:
		return explain_peer(f, shown, ret);
	case CURLE_SSL_CACERT_BADFILE:
		ret->trouble = HTTP_CA_FILE;
		snprintf(ret->why, sizeof(ret->why),
		    "The file of CA certificates %.150s cannot be read.",
		    f->ca_file ? f->ca_file : "of the system");
		return -EPROTO;
	default:
		return explain_other(f, shown, ret);
	}
}
