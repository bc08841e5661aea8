/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */
/*
 * What a login provider answers. The first byte chooses the reader; a claims document of any form
 * goes through the mapping as well, with a mapping of the fuzzer's own.
 */
#include <stdlib.h>
#include <string.h>
#include "prism-central/oidc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void url_check(const char *url, bool required)
{
	if (!*url && !required)
		return;
	/* A user before the host would be before the first slash. */
	size_t host = strcspn(url + 8, "/?");
	const char *at = strchr(url, '@');
	if (!oidc_url_ok(url, false) || strncmp(url, "https://", 8) != 0 ||
	    strpbrk(url, " \r\n#\"<") || (at && at < url + 8 + host))
		abort();
}

static void metadata(const char *text, size_t n)
{
	struct oidc_metadata m;
	const char *fault = NULL;

	if (oidc_metadata_parse(text, n, "https://i", false, &m, &fault) < 0) {
		if (!fault || !*fault)
			abort();
		return;
	}
	url_check(m.authorization_endpoint, true);
	url_check(m.token_endpoint, true);
	url_check(m.jwks_uri, true);
	url_check(m.userinfo_endpoint, false);
}

static void token_check(const char *s)
{
	for (; s && *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort();
}

static void tokens(const char *text, size_t n)
{
	_cleanup_oidc_tokens_ struct oidc_tokens t = {NULL};

	if (oidc_tokens_parse(text, n, &t) == 0 && !t.access_token)
		abort();
	token_check(t.access_token);
	token_check(t.id_token);
	token_check(t.refresh_token);
	for (const char *s = oidc_error_parse(text, n); *s; s++)
		if (*s != '_' && (*s < 'a' || *s > 'z'))
			abort();
}

/* {"mapping": {...}, "claims": {...}, "more": {...}} */
static void mapping(const char *text, size_t n)
{
	json_auto_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	struct sso_connection c = {
	    .mapping = json_object_get(o, "mapping"), .allowed_roles = json_object_get(o, "roles")};
	struct sso_assertion a = {0};

	if (!o)
		return;
	oidc_map_lacks(&c, json_object_get(o, "claims"));
	oidc_map(&c, json_object_get(o, "claims"), json_object_get(o, "more"), &a);
	if ((a.email_verified && !a.email[0]) || (a.username[0] && !username_valid(a.username)) ||
	    (a.name[0] && !gecos_valid(a.name)) || (a.email[0] && !email_valid(a.email)))
		abort();
}

static void packed(const char *text, size_t n)
{
	char *copy = strndup(text, n);
	struct sso_assertion a = {0}, again = {0};

	if (copy && sso_assertion_unpack(copy, &a) == 0) {
		char *out = sso_assertion_pack(&a);
		if (out &&
		    (sso_assertion_unpack(out, &again) < 0 || memcmp(&a, &again, sizeof(a)) != 0))
			abort();
		free(out);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *, size_t) = {metadata, tokens, mapping, packed};

	if (size < 1)
		return 0;
	readers[data[0] % ARRAY_SIZE(readers)]((const char *)data + 1, size - 1);
	return 0;
}
