/* SPDX-License-Identifier: MIT */
#ifndef API_SKEW_H
#define API_SKEW_H

/* How far this machine's clock is from the service's, as the Date of its answers tells. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEW_TOLERATED 60 /* seconds, either way */
#define SKEW_TEXT      128

/* "skew": the service's clock less ours. */
bool skew_matters(int64_t skew);

/*
 * "this machine's clock is 7 minutes behind the service's: set it (timedatectl set-ntp true)"; ""
 * when it does not matter. Whoever puts it at the beginning makes the first letter large.
 */
void skew_describe(int64_t skew, char out[static SKEW_TEXT]);

#endif
