/* SPDX-License-Identifier: MIT */
#include "conversation.h"

#include <stddef.h>
#include <security/pam_ext.h>
#include "access/access.h"
#include "base/secret.h"

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

int conversation_ask(pam_handle_t *pamh, const char *prompt, bool *ret_typed)
{
	_cleanup_secret_ char *answer = NULL;
	const int r = pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "%s", prompt);

	if (r == PAM_SUCCESS)
		*ret_typed = answer && answer[0];
	return r;
}
