/* SPDX-License-Identifier: MIT */
/* with: prism-sync.a */

/* prism.conf: whatever stands in it is read within its bounds, or refused with a line's number. */
#include <stdlib.h>
#include <string.h>
#include "base/name.h"
#include "prism-sync/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	char why[CONFIG_WHY_MAX] = "";
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int rc = config_parse("prism.conf", text, &c, why);

	free(text);
	if (rc < 0 && why[0] == '\0')
		abort();
	if (rc == 0 &&
	    (c.uid_first < ID_FLOOR || c.gid_first < ID_FLOOR || c.uid_first > c.uid_last ||
		c.uid_last - c.uid_first >= CONFIG_RANGE_MAX || c.poll_seconds < 1 ||
		!path_valid(c.home_root)))
		abort();
	return 0;
}
