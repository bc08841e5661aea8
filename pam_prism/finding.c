/* SPDX-License-Identifier: MIT */
#include "finding.h"

#include <stdio.h>

void finding_set(struct finding *ret, int code, const char *text)
{
	ret->code = code;
	snprintf(ret->text, sizeof(ret->text), "%s", text);
}
