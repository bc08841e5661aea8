/* SPDX-License-Identifier: MIT */
#ifndef NSS_PRISM_H
#define NSS_PRISM_H

/*
 * libnss_prism.so.2: what glibc calls for "prism" in nsswitch.conf.
 *
 * MUST: no I/O but the mapped snapshot, no memory but the caller's buffer (and the growth of the
 * array that initgroups_dyn is handed), errno as it was, no id outside the reader's own limits
 * whatever the file says. SUCCESS; NOTFOUND: there is nobody of that name; UNAVAIL: there is no
 * (sound) snapshot; TRYAGAIN with ERANGE: the buffer is too small for this one entry.
 */
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stddef.h>

enum nss_status _nss_prism_getpwnam_r(
    const char *name, struct passwd *result, char *buffer, size_t buflen, int *errnop);
enum nss_status _nss_prism_getpwuid_r(
    uid_t uid, struct passwd *result, char *buffer, size_t buflen, int *errnop);
enum nss_status _nss_prism_getgrnam_r(
    const char *name, struct group *result, char *buffer, size_t buflen, int *errnop);
enum nss_status _nss_prism_getgrgid_r(
    gid_t gid, struct group *result, char *buffer, size_t buflen, int *errnop);
/*
 * "group" is the primary group of the account that the caller found under this name. Where that is
 * not the private group of Prism's person (whose gid is their uid), the account is a local one,
 * made since the agent looked last: NOTFOUND, so that nobody gets a namesake's groups. (gid_t)-1 is
 * a caller that knows no account.
 */
enum nss_status _nss_prism_initgroups_dyn(const char *user, gid_t group, long *start, long *size,
    gid_t **groupsp, long limit, int *errnop);

/*
 * Enumeration. Groups: those of projects first, then the private ones, each by ascending id. A walk
 * that a new generation overtakes goes on behind the id that it gave last, so nobody comes twice.
 */
enum nss_status _nss_prism_setpwent(int stayopen);
enum nss_status _nss_prism_getpwent_r(
    struct passwd *result, char *buffer, size_t buflen, int *errnop);
enum nss_status _nss_prism_endpwent(void);
enum nss_status _nss_prism_setgrent(int stayopen);
enum nss_status _nss_prism_getgrent_r(
    struct group *result, char *buffer, size_t buflen, int *errnop);
enum nss_status _nss_prism_endgrent(void);

#endif
