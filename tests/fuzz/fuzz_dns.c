/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */

/* Answers of the DNS, which anybody on the way may have written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "prism-central/sso_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "_prism-challenge.acme.com";
	static const char text[] = "prism-domain-verification=abc";
	char domain[SSO_DOMAIN_MAX + 1], word[512];

	/* A copy of its own length: whatever is read behind it is found. */
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	int r = sso_dns_match(copy, size, name, text);
	free(copy);
	if (r > 1)
		abort();
	size_t n = size < sizeof(word) - 1 ? size : sizeof(word) - 1;
	memcpy(word, data, n);
	word[n] = '\0';
	if (sso_domain_canonical(word, domain) && strlen(domain) > SSO_DOMAIN_MAX)
		abort();
	return 0;
}
