/* SPDX-License-Identifier: MIT */
#include "conversation.h"

#include <stddef.h>
#include <security/pam_ext.h>
#include "access/access.h"
#include "base/secret.h"

/* Bytes of the control character at s, 0 if it is none: ASCII's, and Latin-1's in UTF-8. */
static size_t control_length(const unsigned char *s)
{
	if (s[0] < 0x20 || s[0] == 0x7f)
		return 1;
	return s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f ? 2 : 0;
}

void conversation_refuse(pam_handle_t *pamh, const char *sentence)
{
	char text[ACCESS_SENTENCE_MAX];
	size_t n = 0;

	while (*sentence && n + 1 < sizeof(text)) {
		const size_t skip = control_length((const unsigned char *)sentence);

		if (skip == 0)
			text[n++] = *sentence;
		sentence += skip ? skip : 1;
	}
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
