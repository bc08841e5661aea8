/* SPDX-License-Identifier: MIT */
#include "qr.h"

bool qr_drawable(unsigned side)
{
	return side >= QR_MIN && side <= QR_MAX && (side - QR_MIN) % 4 == 0;
}

/* Beyond the code all is quiet zone, which is light. */
static bool is_light(const uint8_t *rows, int side, int x, int y)
{
	const int stride = (side + 7) / 8;

	if (x < 0 || y < 0 || x >= side || y >= side)
		return true;
	return !(rows[y * stride + x / 8] >> (7 - x % 8) & 1);
}

void qr_draw(const uint8_t *rows, unsigned side, struct buf *out)
{
	/* By what is light: neither, the lower, the upper, both. */
	static const char *const blocks[] = {" ", "\342\226\204", "\342\226\200", "\342\226\210"};
	const int n = (int)side, first = -QR_QUIET, end = n + QR_QUIET;

	for (int y = first; y < end; y += 2) {
		for (int x = first; x < end; x++) {
			const int upper = is_light(rows, n, x, y);
			const int lower = y + 1 < end && is_light(rows, n, x, y + 1);

			buf_add_str(out, blocks[upper * 2 + lower]);
		}
		buf_add_char(out, '\n');
	}
}
