/* SPDX-License-Identifier: MIT */
#ifndef KEYS_H
#define KEYS_H

/*
 * The keys that sshd may accept for one person, one a line, as authorized_keys has them.
 *
 * MUST: print a whole line of a known key type without options, or nothing; print nothing for
 * anybody whom access_decide() refuses, except that too old an SSO login does not hide the keys
 * (pam_prism refuses that with a sentence, which a missing key could not show); print nothing when
 * the uid that sshd resolved is not the snapshot's; compare names whole.
 */
#include <stdint.h>
#include <stdio.h>

/*
 * Print to "out" and flush. Returns the number of keys; -ENOTUNIQ if the name has another uid here;
 * -EBADMSG for a damaged record; another -errno if the snapshot could not be read or the output
 * not be written. Nothing is printed on failure, except when writing itself fails.
 */
int keys_print(const char *dir, const char *user, uint32_t uid, int64_t now, FILE *out);

#endif
