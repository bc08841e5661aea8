/* SPDX-License-Identifier: MIT */
#ifndef BENCH_NSS_OPS_H
#define BENCH_NSS_OPS_H

/*
 * What nssbench asks, and of whom: the functions of an NSS module, and random keys.
 * A call returns 1 for found, 0 for not found, -1 for anything else.
 */
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
	char name[32];
	enum nss_status (*getpwnam)(const char *, struct passwd *, char *, size_t, int *);
	enum nss_status (*getpwuid)(uid_t, struct passwd *, char *, size_t, int *);
	enum nss_status (*getgrnam)(const char *, struct group *, char *, size_t, int *);
	enum nss_status (*getgrgid)(gid_t, struct group *, char *, size_t, int *);
	enum nss_status (*initgroups)(const char *, gid_t, long *, long *, gid_t **, long, int *);
};

struct key {
	char name[48];
	uint32_t id;
};

struct answer; /* a caller's buffers: 1 MiB, so that no call meets ERANGE */

struct op {
	const char *name; /* NULL ends the table */
	bool of_group, miss;
	int (*call)(const struct module *m, struct answer *a, const struct key *k);
	size_t function; /* offset in struct module */
};

extern const struct op ops[];

void keys_load(const char *users, const char *groups);
void key_fill(struct key *k, const struct op *op, uint64_t *seed);
void module_load(const char *path, struct module *ret);
void keys_prime(const struct op *op, const struct module *m, struct answer *a);
bool op_present(const struct op *op, const struct module *m);
struct answer *answer_new(void);
bool answer_right(const struct op *op, const struct answer *a, const struct key *k);

#endif
