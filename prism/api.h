/* SPDX-License-Identifier: MIT */
#ifndef PRISM_API_H
#define PRISM_API_H

/*
 * Calls to the service. Every function returns a status (cli.h) and has described the failure when
 * it is not STATUS_OK.
 */
#include <jansson.h>
#include "base/buf.h"
#include "cli.h"

/* The service to talk to: --server, else the current one. "": neither is there. */
int api_chosen_url(struct cli *c, char *url, size_t size);

/* Choose the service as above and prepare to talk to it. */
int api_open(struct cli *c);

/*
 * The same for a given address in the form of config_url(). "pin" and "ca_file" go before what the
 * configuration knows for it; NULL: as configured. Stored credentials go along only if this very
 * address issued them.
 */
int api_open_server(struct cli *c, const char *url, const char *pin, const char *ca_file);

/* The same by way of "proxy", whatever is configured. NULL: from the environment, "": none. */
int api_open_by(
    struct cli *c, const char *url, const char *proxy, const char *pin, const char *ca_file);

/* --ca-file as a full path, since later commands run in other folders; NULL: not given. The caller
 * frees it. */
int api_given_ca_file(struct cli *c, char **ret);

/* Use this token for what follows. */
int api_use_token(struct cli *c, const char *token);

/* api_open(), and a login must be there. */
int api_open_logged_in(struct cli *c);

/*
 * "/projects/" encoded(p) "/members/" encoded(u) ...: pieces up to NULL, every second one encoded.
 * The caller frees it. NULL when a piece cannot stand in a path ("", ".", ".."), or without memory.
 */
char *api_path(const char *piece, ...) __attribute__((__sentinel__));

/*
 * One call under /api/v1. Takes over "path" and "body"; GET and DELETE need no body, others refuse
 * NULL. On success *ret is the caller's (NULL for an answer without content); "ret" may be NULL.
 */
int api_call(struct cli *c, const char *method, char *path, json_t *body, json_t **ret);

/*
 * One call of an OAuth 2.0 endpoint (RFC 6749 §3.2) with a form: fields of "form", encoded by
 * http_form_add(). An answer that is no success gives STATUS_REFUSED, with its error code
 * ("slow_down") in oauth_error, which is "" otherwise.
 */
#define OAUTH_ERROR_MAX 40
int api_form(struct cli *c, const char *path, const struct buf *form,
    char oauth_error[static OAUTH_ERROR_MAX], json_t **ret);

/* A document outside /api/v1: "/.well-known/...". */
int api_document(struct cli *c, const char *path, json_t **ret);
/* The same as text, appended to "out". A page of the service that is no success gives the error
 * code API_PAGE. */
#define API_PAGE "PAGE"
int api_text(struct cli *c, const char *path, struct buf *out);

/* The same for an answer that is a list: an array, or an object with the array as "name". */
int api_list(struct cli *c, char *path, const char *name, json_t **ret);

#endif
