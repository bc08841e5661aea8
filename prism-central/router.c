/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "base/log.h"
#include "browser.h"
#include "host.h"
#include "http_internal.h"
#include "ratelimit.h"

static const char *const methods[] = {
    [HTTP_GET] = "GET",
    [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",
    [HTTP_DELETE] = "DELETE",
};

const char *method_name(enum http_method m)
{
	return (size_t)m < ARRAY_SIZE(methods) && methods[m] ? methods[m] : "-";
}

/* ---- the table ------------------------------------------------------------------------------- */

/* These two scopes ask for no permission, and their word says which it is. */
static bool words_match(const struct route *r)
{
	return (r->scope == SCOPE_PUBLIC) == (strcmp(r->permission, "public") == 0) &&
	       (r->scope == SCOPE_BROWSER) == (strcmp(r->permission, "browser") == 0);
}

static bool route_complete(const struct route *r)
{
	return r->method >= HTTP_GET && r->method <= HTTP_DELETE && r->path && r->path[0] == '/' &&
	       r->permission && r->permission[0] && r->scope >= SCOPE_PUBLIC &&
	       r->scope <= SCOPE_HOST_ID && r->handler && r->lane >= LANE_ANY && r->lane < LANES &&
	       words_match(r);
}

int router_check(void)
{
	for (size_t i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];
		bool ok = route_complete(r);
		for (size_t k = 0; ok && k < i; k++)
			ok = routes[k].method != r->method || strcmp(routes[k].path, r->path) != 0;
		if (!ok) {
			log_event(LOG_LEVEL_ERROR, "route", "method", "%s", method_name(r->method),
			    "path", "%s", r->path ? r->path : "-", "reason", "%s",
			    "incomplete, without a permission, or there twice", NULL);
			return -EINVAL;
		}
	}
	return 0;
}

/* Compare a pattern's segments with the path's; the {} become arguments. */
static bool match(const struct route *r, struct job *j)
{
	const char *args[HTTP_PATH_ARGS] = {NULL};
	const char *p = r->path;
	int nargs = 0;

	for (int i = 0; i < j->nsegments; i++) {
		if (*p++ != '/')
			return false;
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '{' && p[1] == '}') {
			if (nargs == HTTP_PATH_ARGS || !j->segments[i][0])
				return false;
			args[nargs++] = j->segments[i];
		} else if (strncmp(j->segments[i], p, n) != 0 || j->segments[i][n]) {
			return false;
		}
		p += n;
	}
	if (*p)
		return false;
	memcpy(j->rq.arg, args, sizeof(args));
	return true;
}

/* The first that fits, as the table has them. */
static const struct route *find(struct job *j, bool *ret_path_known)
{
	*ret_path_known = false;
	for (size_t i = 0; i < nroutes; i++) {
		if (!match(&routes[i], j))
			continue;
		if (routes[i].method == j->rq.method)
			return &routes[i];
		*ret_path_known = true;
	}
	return NULL;
}

/* ---- who is asking --------------------------------------------------------------------------- */

static const char *bearer_of(const struct request *rq)
{
	static const char scheme[] = "Bearer ";
	const char *v = request_header(rq, "Authorization");

	if (!v || strncasecmp(v, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	v += sizeof(scheme) - 1;
	return v + strspn(v, " ");
}

/*
 * A token that is none. Whoever sends many is told to wait; a good one is never counted, so that
 * their neighbours go on. Those of hosts end by themselves, for many hosts behind one address at
 * the same time, and must be told so.
 */
static void refuse_token(struct request *rq, struct reply *rp, const char *bearer)
{
	char key[RATELIMIT_KEY_MAX];
	unsigned wait = 0;

	ratelimit_peer(rq->peer ? rq->peer : "", key);
	if (strncmp(bearer, HOST_TOKEN_PREFIX, strlen(HOST_TOKEN_PREFIX)) != 0)
		wait = ratelimit_take(RATELIMIT_OAUTH_PEER, key);
	if (!wait) {
		reply_error(rp, API_NOT_LOGGED_IN, NULL);
		return;
	}
	log_event(LOG_LEVEL_WARN, "token-refused", "request", "%s", rq->id, "peer", "%s",
	    rq->peer ? rq->peer : "", "why", "%s", "too many tokens that were none", NULL);
	rp->retry_after = wait;
	reply_error(rp, API_TOO_MANY_REQUESTS, "Too many attempts: wait %u seconds.", wait);
}

static int load_principal(struct request *rq, struct reply *rp)
{
	/* A cookie opens pages and nothing else, a token everything but pages. */
	int r = rq->route->scope == SCOPE_BROWSER ? browser_load(rq)
						  : principal_load(rq, bearer_of(rq));

	if (r == 0)
		return 0;
	rq->who = (struct principal){.kind = PRINCIPAL_NONE};
	/* Whoever logs in again may still send the old token along. */
	if (r == -EACCES && rq->route->scope == SCOPE_PUBLIC)
		return 0;
	if (r == -EACCES)
		refuse_token(rq, rp, bearer_of(rq));
	else
		reply_errno(rp, r);
	return r;
}

bool router_find(struct job *j)
{
	bool path_known = false;

	j->rp = (struct reply){0};
	j->rq.browser = (struct browser){0};
	j->rq.org = j->rq.project = 0;
	j->rq.who = (struct principal){.kind = PRINCIPAL_NONE};
	int r = job_parse(j);
	/* Errors are told in the words of the route. */
	j->rq.route = j->pathed ? find(j, &path_known) : NULL;
	if (r < 0)
		return false;
	if (!j->rq.route)
		reply_error(&j->rp, path_known ? API_METHOD_NOT_ALLOWED : API_NOT_FOUND, NULL);
	return j->rq.route != NULL;
}

void router_call(struct job *j)
{
	struct request *rq = &j->rq;
	struct reply *rp = &j->rp;

	if (load_principal(rq, rp) < 0 || authorize(rq, rp) != 0)
		return;
	rq->route->handler(rq, rp);
	if (!rp->status && !rp->topic) {
		log_event(LOG_LEVEL_ERROR, "request", "id", "%s", rq->id, "route", "%s",
		    rq->route->path, "reason", "%s", "the handler gave no answer", NULL);
		reply_error(rp, API_INTERNAL, NULL);
	}
}
