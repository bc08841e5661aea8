/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "oidc.h"

static int userinfo(struct request *rq, const struct sso_connection *c,
    const struct oidc_metadata *m, const char *access_token, const char *subject, json_t **ret,
    struct oidc_fault *f)
{
	_cleanup_(http_response_free) struct http_response res;
	struct oidc_query q = {
	    .what = "userinfo", .url = m->userinfo_endpoint, .bearer = access_token};

	http_response_init(&res, OIDC_DOCUMENT_MAX);
	int r = oidc_fetch(rq->central, c, &q, &res, f);
	if (r < 0)
		return r;
	if (res.status != 200)
		return oidc_fail(f, "provider_status", "userinfo: it answered %ld", res.status);
	json_auto_t *o = http_response_json(&res);
	const char *sub = json_string_value(json_object_get(o, "sub"));
	if (!json_is_object(o))
		return oidc_fail(f, "userinfo_form", "userinfo: not a JSON object");
	/* OpenID Connect Core section 5.3.2: another person's answer must not be used. */
	if (!sub || strcmp(sub, subject) != 0)
		return oidc_fail(f, "userinfo_subject", "userinfo: it is about somebody else");
	*ret = TAKE_PTR(o);
	return 0;
}

int oidc_person(struct request *rq, const struct sso_connection *c, const struct oidc_metadata *m,
    const struct id_token *id, const char *access_token, struct sso_assertion *ret,
    struct oidc_fault *f)
{
	json_auto_t *more = NULL;
	int r = 0;

	if (m->userinfo_endpoint[0] && access_token && oidc_map_lacks(c, id->claims))
		r = userinfo(rq, c, m, access_token, id->subject, &more, f);
	if (r < 0)
		return r;
	oidc_map(c, id->claims, more, ret);
	return 0;
}
