/* SPDX-License-Identifier: MIT */
#include "api/claims.h"

#include <string.h>
#include <strings.h>
#include "api/id_token.h"

bool claims_typ_is(const json_t *header, const char *other)
{
	const json_t *v = json_object_get(header, "typ");
	const char *typ = json_string_value(v);

	return !v ||
	       (typ && (strcasecmp(typ, "JWT") == 0 || (other && strcasecmp(typ, other) == 0)));
}

size_t claims_audience(const json_t *claims, const char *client_id)
{
	const json_t *aud = json_object_get(claims, "aud");
	bool ours = false;

	if (json_is_string(aud))
		return strcmp(json_string_value(aud), client_id) == 0;
	for (size_t i = 0; i < json_array_size(aud); i++) {
		const char *one = json_string_value(json_array_get(aud, i));
		if (!one)
			return 0;
		ours |= strcmp(one, client_id) == 0;
	}
	return ours ? json_array_size(aud) : 0;
}

bool claims_subject_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > ID_TOKEN_SUBJECT_MAX)
		return false;
	for (; *s; s++) {
		if (*s < 0x20 || *s > 0x7e)
			return false;
	}
	return true;
}

enum jwt_fault claims_time(const json_t *claims, const char *name, bool required, int64_t *ret)
{
	const json_t *v = json_object_get(claims, name);
	int64_t t = json_integer_value(v);

	if (v ? !json_is_integer(v) || t <= 0 || t >= CLAIMS_TIME_MAX : required)
		return JWT_TIME;
	*ret = t;
	return JWT_OK;
}
