/* SPDX-License-Identifier: MIT */
#ifndef FAULT_H
#define FAULT_H

/*
 * Named steps of what must survive a kill -9. Nothing in the program sets the hook: the tests link
 * these files and do, to end the process exactly there.
 */
extern void (*fault_hook)(const char *step);

void fault_point(const char *step);

#endif
