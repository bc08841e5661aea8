/* SPDX-License-Identifier: MIT */
/* The public key line, a NUL, and the armored signature: what a client sends as proof. */
#include <stdlib.h>
#include <string.h>
#include "api/sshsig.h"
#include "base/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[SSHKEY_LINE_MAX + 1], fingerprint[SSHSIG_FINGERPRINT_LEN + 1];
	char *text = calloc(1, size + 2);
	if (!text)
		return 0;
	memcpy(text, data, size);
	const char *signature = text + strlen(text) + 1;
	if (signature > text + size)
		signature = "";
	if (!sshsig_public_key(text, line, sizeof(line), fingerprint) && !sshkey_line_valid(line))
		abort();
	sshsig_verify(signature, text, "prism-key", "text", 4);
	free(text);
	return 0;
}
