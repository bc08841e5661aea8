/* SPDX-License-Identifier: MIT */
#include "json.h"

void json_put_string(struct buf *b, const char *s)
{
	buf_add_char(b, '"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\u%04x", c);
		else
			buf_add_char(b, (char)c);
	}
	buf_add_char(b, '"');
}
