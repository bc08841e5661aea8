/* SPDX-License-Identifier: MIT */
#ifndef API_HTTP_CLIENT_H
#define API_HTTP_CLIENT_H

/*
 * HTTPS to the central service, for the CLI and the agent's network half, and of the service to
 * login providers (libcurl).
 *
 * TLS is always verified: by the pin of the server's key where one is known, by the system's (or a
 * private) CA file otherwise. Plain http is refused but for loopback and unix sockets. Redirects
 * are not followed. Bodies have a maximum. Nothing is logged here. A loopback address or a unix
 * socket is reached without a proxy; everything else by CONNECT through the one that is set, unless
 * no_proxy or NO_PROXY of the environment names the host. A CA file replaces the system's
 * certificates for the service; an https:// proxy is verified by both. One client serves one
 * thread.
 *
 * public_only is for addresses that somebody else has chosen: a connection is refused, after the
 * name was resolved, unless its address is public (api/address.h). Where a proxy is set everything
 * goes by it, whatever no_proxy says, and it is the proxy that must refuse.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/buf.h"

struct http_client;

struct http_options {
	const char *url;	/* base: "https://prism.uni.edu:8443", or "unix:/run/x.sock" */
	const char *pin;	/* base64 SHA-256 of the SPKI; NULL or "": by CA */
	const char *ca_file;	/* NULL: the system's */
	const char *proxy;	/* [http[s]://][USER:PASSWORD@]HOST[:PORT]; NULL: from the
				   environment, "": none */
	const char *user_agent; /* "prism/0.1.0" */
	long timeout_ms;	/* of one request; long polls add theirs */
	long connect_ms;	/* of that, until the connection stands; 0: 15 s */
	bool public_only;
};

/* Returns 0, -EINVAL (a URL, pin or proxy that is not allowed) or -ENOMEM. One client keeps its
 * connection. */
int http_client_new(const struct http_options *o, struct http_client **ret);
void http_client_free(struct http_client *c);
/* Whether a proxy can be what http_options describes. */
bool http_proxy_valid(const char *proxy);
/* Bearer token for the next requests; copied, wiped at the end; NULL: none. */
int http_client_set_token(struct http_client *c, const char *token);
/*
 * In its place, HTTP's Basic authentication as OAuth clients use it: both are encoded as form
 * values first (RFC 6749 section 2.3.1).
 */
int http_client_set_basic(struct http_client *c, const char *id, const char *secret);

/* Why there was no answer, where somebody can do something about it. */
enum http_trouble {
	HTTP_NO_TROUBLE,
	HTTP_TROUBLE,	    /* none of the following */
	HTTP_PROXY_LOGIN,   /* the proxy wants a password, or another one */
	HTTP_PROXY_REFUSED, /* it does not let us through */
	HTTP_PROXY_AWAY,    /* its name is unknown, or it does not answer */
	HTTP_PROXY_CERTIFICATE,
	HTTP_CA_FILE,	   /* it cannot be read */
	HTTP_CERT_UNKNOWN, /* signed by nobody we know */
	HTTP_CERT_EXPIRED, /* by our clock, as the next */
	HTTP_CERT_EARLY,
	HTTP_CERT_NAME, /* for another name */
	HTTP_PIN,
	HTTP_ADDRESS, /* it is not a public one */
};

struct http_response {
	long status; /* 0: no answer */
	enum http_trouble trouble;
	struct buf body;  /* wiped by http_response_free() */
	char why[256];	  /* when there was no answer: a sentence */
	int64_t date;	  /* of the Date header, for clock skew; 0 if absent */
	long retry_after; /* seconds, 0 */
	bool named;	  /* it has an X-Request-Id, as the service's answers have */
};
void http_response_init(struct http_response *r, size_t max);
void http_response_free(struct http_response *r);

/*
 * One request. "body" NULL: none; sent as JSON. Returns 0 when an answer came (any status),
 * -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -EPROTO (TLS: wrong pin or certificate), -EMSGSIZE,
 * -EACCES (public_only), -EIO.
 */
int http_request(struct http_client *c, const char *method, const char *path, const json_t *body,
    long extra_ms, struct http_response *ret);
/* The same with a form body (application/x-www-form-urlencoded), for OAuth endpoints. */
int http_request_form(
    struct http_client *c, const char *path, const char *form, struct http_response *ret);

/* Append "NAME=VALUE" to a form body or query, both encoded, with a '&' before it if need be. */
void http_form_add(struct buf *form, const char *name, const char *value);

/* Parse a JSON body strictly (duplicates refused). NULL if it is not an object or array. */
json_t *http_response_json(const struct http_response *r);

#endif
