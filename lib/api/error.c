/* SPDX-License-Identifier: MIT */
#include "api/error.h"

#include <string.h>

#include "base/attr.h"

static const struct api_error_info infos[API_ERROR_COUNT] = {[API_OK] = {"OK", 200, "", ""},
#define X(name, status, message, hint) [API_##name] = {#name, status, message, hint},
    API_ERRORS(X)
#undef X
};

const struct api_error_info *api_error_info(enum api_error e)
{
	if ((unsigned)e >= ARRAY_SIZE(infos))
		e = API_INTERNAL;
	return &infos[e];
}

enum api_error api_error_by_code(const char *code)
{
	if (!code)
		return API_INTERNAL;
	for (size_t i = 1; i < ARRAY_SIZE(infos); i++)
		if (strcmp(infos[i].code, code) == 0)
			return (enum api_error)i;
	return API_INTERNAL;
}
