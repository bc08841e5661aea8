/* SPDX-License-Identifier: MIT */
/* with: prism-saml.a */
/* What prism-saml is asked: whatever it is, there is an answer. */
#include <stdlib.h>
#include "prism-saml/operation.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* xmlsec looks for the system's certificates every time; in the sandbox there are none. */
	setenv("SSL_CERT_FILE", "/dev/null", 1);
	setenv("SSL_CERT_DIR", "/dev/null", 1);
	if (operation_init() < 0)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *answer = operation_run((const char *)data, size);

	if (!json_is_object(answer))
		abort();
	json_decref(answer);
	return 0;
}
