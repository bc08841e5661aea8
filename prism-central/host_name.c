/* SPDX-License-Identifier: MIT */
#include "host_name.h"

#include <errno.h>
#include <string.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/name.h"

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool hostname_valid(const char *s)
{
	size_t n = strlen(s);

	if (n < 1 || n > HOST_NAME_MAX_ || !lower_or_digit(s[0]) || !lower_or_digit(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!lower_or_digit(s[i]) && s[i] != '-' && s[i] != '.')
			return false;
	}
	return true;
}

bool address_valid(const char *s)
{
	size_t n = strlen(s);

	if (n < 1 || n > HOSTNAME_LEN || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		bool upper = s[i] >= 'A' && s[i] <= 'Z';
		if (!lower_or_digit(s[i]) && !upper && !strchr(".:-_", s[i]))
			return false;
	}
	return true;
}

/* "TYPE BASE64" of a line that may have a comment. */
static json_t *key_without_comment(const char *line)
{
	const char *blob = strchr(line, ' ');
	const char *comment = blob ? strchr(blob + 1, ' ') : NULL;

	return comment ? json_stringn(line, (size_t)(comment - line)) : json_string(line);
}

int host_keys_check(const json_t *keys, char **ret)
{
	json_auto_t *out = json_array();
	size_t i;
	const json_t *v;

	if (!out)
		return -ENOMEM;
	if (keys && !json_is_null(keys) &&
	    (!json_is_array(keys) || json_array_size(keys) > HOST_KEYS_MAX))
		return -EINVAL;
	for (i = 0; i < json_array_size(keys); i++) {
		v = json_array_get(keys, i);
		if (!json_is_string(v) || !sshkey_line_valid(json_string_value(v)))
			return -EINVAL;
		if (json_array_append_new(out, key_without_comment(json_string_value(v))) < 0)
			return -ENOMEM;
	}
	char *text = json_dumps(out, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

void host_id_bytes(int64_t id, uint8_t out[static 16])
{
	memset(out, 0, 16);
	for (int i = 0; i < 8; i++)
		out[15 - i] = (uint8_t)((uint64_t)id >> (8 * i));
}

void host_id_hex(int64_t id, char out[static HOST_ID_HEX + 1])
{
	uint8_t bytes[16];

	host_id_bytes(id, bytes);
	hex_encode(bytes, sizeof(bytes), out);
}

int64_t host_id_parse(const char *hex)
{
	uint8_t bytes[16];
	uint64_t high = 0, low = 0;

	if (strlen(hex) != HOST_ID_HEX || hex_decode(hex, HOST_ID_HEX, bytes, 16) != 16)
		return 0;
	for (int i = 0; i < 8; i++) {
		high |= bytes[i];
		low = low << 8 | bytes[8 + i];
	}
	return high || low > INT64_MAX ? 0 : (int64_t)low;
}
