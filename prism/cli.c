/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/error.h"
#include "base/clock.h"
#include "output.h"

int cli_fail(
    struct cli *c, enum status status, const char *code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	snprintf(c->error.code, sizeof(c->error.code), "%s", code);
	snprintf(c->error.hint, sizeof(c->error.hint), "%s", hint);
	va_start(ap, fmt);
	vsnprintf(c->error.message, sizeof(c->error.message), fmt, ap);
	va_end(ap);
	return status;
}

static const char *file_hint(int error)
{
	switch (error) {
	case -ELOOP:
	case -ENOTDIR:
		return "It is a symbolic link or not what it should be. Put a real one in its "
		       "place.";
	case -EPERM:
		return "Others can read or change it. Run: prism user provision --fix-keys";
	case -EACCES:
		return "Check who owns it and its mode.";
	case -ENOSPC:
	case -EDQUOT:
		return "Make room on this disk.";
	case -EBADMSG:
		return "It is damaged. Move it away and run: prism login";
	default:
		return "Check it and try again.";
	}
}

int cli_fail_file(struct cli *c, const char *path, int error)
{
	return cli_fail(
	    c, STATUS_LOCAL, "LOCAL_FILE", file_hint(error), "%s: %s", path, strerror(-error));
}

int cli_fail_api(struct cli *c, enum status status, int api_error)
{
	const struct api_error_info *i = api_error_info((enum api_error)api_error);

	return cli_fail(c, status, i->code, i->hint, "%s", i->message);
}

int cli_fail_memory(struct cli *c)
{
	return cli_fail(
	    c, STATUS_LOCAL, "MEMORY", "Close something and try again.", "Out of memory.");
}

void cli_report(const struct cli *c)
{
	_cleanup_json_ json_t *j = NULL;

	if (!c->json) {
		err_printf("prism: %s\n", c->error.message);
		if (*c->error.hint)
			err_printf("%s\n", c->error.hint);
		return;
	}
	j = json_pack("{s:{s:s, s:s+, s:s+}}", "error", "code", c->error.code, "message",
	    c->error.message, "", "hint", c->error.hint, "");
	if (j)
		out_json(j);
	else
		printf("{\"error\":{\"code\":\"%s\"}}\n", c->error.code);
}

const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

int64_t int_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

int64_t time_of(const json_t *object, const char *name)
{
	int64_t t = 0;

	return clock_parse(text_of(object, name), &t) ? 0 : t;
}
