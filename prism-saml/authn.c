/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include "base/encode.h"
#include "base/secret.h"
#include "operation.h"

/* lasso's own come from a generator that is not meant to keep secrets. */
static int fill_id(LassoSamlp2RequestAbstract *q)
{
	unsigned char random[16];
	char id[1 + HEX_LEN(sizeof(random)) + 1] = "_";

	if (secret_random(random, sizeof(random)) < 0)
		return -EIO;
	hex_encode(random, sizeof(random), id + 1);
	g_free(q->ID);
	q->ID = g_strdup(id);
	return 0;
}

/* No format is asked for: providers refuse those that they do not have. The metadata lists ours. */
static void fill(LassoSamlp2AuthnRequest *q, const struct party *sp, bool force)
{
	q->ForceAuthn = force;
	g_free(q->ProtocolBinding);
	q->ProtocolBinding = g_strdup(LASSO_SAML2_METADATA_BINDING_POST);
	g_free(q->AssertionConsumerServiceURL);
	q->AssertionConsumerServiceURL = g_strdup(sp->address);
	g_free(q->NameIDPolicy->Format);
	q->NameIDPolicy->Format = NULL;
	q->NameIDPolicy->AllowCreate = TRUE;
}

int operation_authn(const json_t *in, struct fault *f, json_t **ret_answer)
{
	_cleanup_parties_ struct parties p = {0};
	const char *state = operation_string(in, "relay_state", f);
	LassoProfile *profile = NULL;
	int rc = state ? party_open(in, f, &p) : -EBADMSG;

	if (rc < 0)
		return rc;
	profile = LASSO_PROFILE(p.login);
	lasso_profile_set_signature_hint(profile, LASSO_PROFILE_SIGNATURE_HINT_FORCE);
	if (lasso_login_init_authn_request(p.login, p.idp.entity_id, LASSO_HTTP_METHOD_REDIRECT) !=
	    0)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	fill(LASSO_SAMLP2_AUTHN_REQUEST(profile->request), &p.sp,
	    json_is_true(json_object_get(in, "force_authn")));
	if (fill_id(LASSO_SAMLP2_REQUEST_ABSTRACT(profile->request)) < 0)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	g_free(profile->msg_relayState);
	profile->msg_relayState = g_strdup(state);
	if (lasso_login_build_authn_request_msg(p.login) != 0 || !profile->msg_url)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	*ret_answer = json_pack("{s:s, s:s}", "url", profile->msg_url, "request_id",
	    LASSO_SAMLP2_REQUEST_ABSTRACT(profile->request)->ID);
	return *ret_answer ? 0 : fault_set(f, FAULT_CONFIGURATION, NULL);
}
