/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <langinfo.h>
#include <qrencode.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/attr.h"
#include "output.h"

#define QUIET 2 /* modules of margin; readers want some, terminals are narrow */

static void code_freep(QRcode **q)
{
	QRcode_free(*q);
}

static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && q->data[y * q->width + x] & 1;
}

/* Whether standard error is a terminal with room for so many columns. */
static bool fits(int columns)
{
	struct winsize w;

	return isatty(STDERR_FILENO) && strcmp(nl_langinfo(CODESET), "UTF-8") == 0 &&
	       (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_col > columns);
}

/* Two rows of modules make a line. What is light is drawn: most terminals are dark. */
void err_qr(const char *text)
{
	static const char *const halves[2][2] = {
	    {"\xe2\x96\x88", "\xe2\x96\x80"}, {"\xe2\x96\x84", " "}};
	_cleanup_(code_freep) QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

	if (!q || !fits(q->width + 2 * QUIET + 2))
		return;
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		fputs("  ", stderr);
		for (int x = -QUIET; x < q->width + QUIET; x++)
			fputs(halves[dark(q, x, y)][dark(q, x, y + 1)], stderr);
		fputc('\n', stderr);
	}
	fputc('\n', stderr);
}
