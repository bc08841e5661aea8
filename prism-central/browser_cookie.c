/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "browser.h"

static bool value_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 127 || strchr("\",;\\", s[i]))
			return false;
	return true;
}

int cookie_value(const char *header, const char *name, char *out, size_t size)
{
	const size_t want = strlen(name);
	const char *found = NULL;
	size_t len = 0;

	for (const char *p = header; p && *p;) {
		p += strspn(p, " \t");
		size_t n = strcspn(p, ";"), key = strcspn(p, "=;");
		if (key == want && p[key] == '=' && strncmp(p, name, want) == 0) {
			if (found)
				return -EBADMSG;
			found = p + key + 1;
			len = n - key - 1;
		}
		p += n;
		p += *p == ';';
	}
	while (len > 0 && (found[len - 1] == ' ' || found[len - 1] == '\t'))
		len--;
	if (!found)
		return -ENOENT;
	if (len >= size || !value_valid(found, len))
		return -EBADMSG;
	memcpy(out, found, len);
	out[len] = '\0';
	return 0;
}
