/* SPDX-License-Identifier: MIT */
#ifndef KEYS_H
#define KEYS_H

/*
 * The keys that sshd may accept for one person, one a line, as authorized_keys has them.
 *
 * MUST: print a whole line of a known key type, or nothing; print no key that opens anything for
 * anybody whom access_decide() refuses; print nothing when the uid that sshd resolved is not the
 * snapshot's; compare names whole.
 *
 * A member who is refused (ended, expired, suspended, ...) keeps their keys in a barred form, with
 * the options restrict,command="/bin/false". So whoever holds the private key gets as far as PAM's
 * account management, whose sentence says why and whom to ask; without the key nobody learns who
 * is or was a member; and were PAM ever out of the way, such a key would still open nothing. Too
 * old an SSO login leaves the keys as they are: pam_prism refuses it, or accepts one made
 * meanwhile.
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
