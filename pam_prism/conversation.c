/* SPDX-License-Identifier: MIT */
#include "conversation.h"

#include <stddef.h>
#include <security/pam_ext.h>
#include "access/access.h"

void conversation_refuse(pam_handle_t *pamh, const char *sentence)
{
	char text[ACCESS_SENTENCE_MAX];
	size_t n = 0;

	for (; *sentence && n + 1 < sizeof(text); sentence++)
		if ((unsigned char)*sentence >= 0x20 && *sentence != 0x7f)
			text[n++] = *sentence;
	text[n] = '\0';
	if (n > 0)
		pam_error(pamh, "%s", text);
}
