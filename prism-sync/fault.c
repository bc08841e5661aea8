/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include "fault.h"

void (*fault_hook)(const char *step);

void fault_point(const char *step)
{
	if (fault_hook != NULL)
		fault_hook(step);
}
