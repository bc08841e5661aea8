/* SPDX-License-Identifier: MIT */
/* with: prism.a */
/* What comes to the listener for a browser's answer. */
#include <stdlib.h>
#include <string.h>
#include "prism/loopback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *s)
{
	if (strnlen(s, LOOPBACK_VALUE_MAX) == LOOPBACK_VALUE_MAX)
		abort();
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loopback_answer a;

	if (loopback_parse((const char *)data, size, &a) == 0) {
		check(a.code);
		check(a.state);
		check(a.iss);
		check(a.error);
	}
	return 0;
}
