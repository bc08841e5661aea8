/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/saml.h"
#include "base/buf.h"
#include "base/io.h"
#include "operation.h"
#include "sandbox.h"

static const char usage[] =
    "usage: prism-saml\n\n"
    "The part of Prism's central service that reads SAML. prism-central runs it: one JSON object\n"
    "comes in on standard input, one goes out on standard output. See prism-saml(8).\n";

static int read_all(struct buf *b)
{
	char part[16384];

	for (;;) {
		ssize_t n = read(STDIN_FILENO, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : buf_error(b);
		buf_add(b, part, (size_t)n);
		if (buf_error(b) < 0)
			return buf_error(b);
	}
}

static int answer(const struct buf *in)
{
	_cleanup_free_ char *text = NULL;
	json_t *a = operation_run(buf_str(in), in->len);
	size_t n;
	int rc;

	text = a ? json_dumps(a, JSON_COMPACT) : NULL;
	json_decref(a);
	n = text ? strlen(text) : 0;
	if (!text || n >= SAML_ANSWER_MAX)
		return -EMSGSIZE;
	text[n] = '\n';
	rc = io_write_full(STDOUT_FILENO, text, n + 1);
	return rc;
}

int main(int argc, char **argv)
{
	_cleanup_buf_ struct buf in = BUF_INIT(SAML_REQUEST_MAX);
	const char *option = argc == 2 ? argv[1] : "";

	if (!strcmp(option, "--version")) {
		puts("prism-saml " PRISM_VERSION);
		return 0;
	}
	if (argc > 1 || isatty(STDIN_FILENO)) {
		bool help = !strcmp(option, "--help");

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}
	if (clearenv() != 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		return 1;
	if (operation_init() < 0 || sandbox_enter() < 0) {
		fputs("prism-saml: cannot set up its libraries or its sandbox\n", stderr);
		return 1;
	}
	if (read_all(&in) < 0 || answer(&in) < 0)
		_exit(1);
	/* Nothing at exit: libraries would look for files to close. */
	buf_free(&in);
	_exit(0);
}
