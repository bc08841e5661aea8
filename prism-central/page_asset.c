/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "assets.inc"
#include "browser.h"
#include "html.h"

const char asset_style[] = "/assets/" STYLE_NAME;

/* The name holds a hash of the bytes: another version has another name. */
void page_asset(struct request *rq, struct reply *rp)
{
	if (strcmp(rq->arg[0], STYLE_NAME) != 0) {
		reply_error(rp, API_NOT_FOUND, NULL);
		return;
	}
	reply_bytes(rp, "text/css; charset=utf-8", style, sizeof(style) - 1, NULL, NULL);
	reply_header(rp, "Cache-Control", "public, max-age=31536000, immutable");
	reply_header(rp, "Cross-Origin-Resource-Policy", "same-origin");
}
