/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <string.h>
#include "qr.h"

static void add_printable(struct buf *out, const char *s)
{
	for (; *s; s++)
		if (*s > ' ' && *s < 0x7f)
			buf_add_char(out, *s);
}

void prompt_show(const struct agent_login *l, const char *user, const char *hostname, bool qr,
    int seconds, struct buf *out)
{
	buf_add_str(out, "Sign in to use ");
	add_printable(out, l->host);
	if (strcmp(l->host, hostname) != 0) {
		buf_add_str(out, " (its hostname is ");
		add_printable(out, hostname[0] ? hostname : "not set");
		buf_add_char(out, ')');
	}
	buf_add_str(out, " as ");
	add_printable(out, user);
	buf_add_str(out, ".\n\n");
	if (qr && qr_drawable(l->qr_side)) {
		qr_draw(l->qr, l->qr_side, out);
		buf_add_char(out, '\n');
	}
	buf_addf(out, "  1. Open  %s\n", l->url_complete[0] ? l->url_complete : l->url);
	if (l->url_complete[0] && l->url[0])
		buf_addf(out, "     or    %s  and enter the code  %s\n", l->url, l->code);
	buf_add_str(out, "  2. Check that the page names the workstation \"");
	add_printable(out, l->host);
	buf_add_str(out, "\", the user \"");
	add_printable(out, user);
	buf_addf(out,
	    "\"\n     and the code  %s.  Approve only then, and only what you started yourself,\n"
	    "     within %d seconds.\n"
	    "  3. Press Enter here: ",
	    l->code, seconds);
}

void prompt_again(const struct agent_login *l, struct buf *out)
{
	buf_addf(out,
	    "Nothing is to be typed here, no password and no code; what you typed was not used.\n"
	    "Approve the code  %s  at  %s\nthen press Enter here: ",
	    l->code, l->url_complete[0] ? l->url_complete : l->url);
}
