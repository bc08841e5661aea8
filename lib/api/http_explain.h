/* SPDX-License-Identifier: MIT */
#ifndef API_HTTP_EXPLAIN_H
#define API_HTTP_EXPLAIN_H

/* Of http_client.c: what a failed transfer means, for a person. */
#include <curl/curl.h>
#include "api/http_client.h"

struct http_failure {
	CURL *curl;
	CURLcode code;
	const char *host;    /* of the service */
	const char *proxy;   /* the URL that would be used; NULL: none */
	const char *ca_file; /* NULL: the system's */
	const char *text;    /* libcurl's own words */
};

/* Fills status, trouble and why of *ret; never with what stands before '@' in the proxy's URL. */
int http_explain(const struct http_failure *f, struct http_response *ret);

#endif
