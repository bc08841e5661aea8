/* SPDX-License-Identifier: MIT */
#ifndef PRISM_SSHKEY_H
#define PRISM_SSHKEY_H

/* The registered keys of the person; shared by "user provision" and "user ssh-key". */
#include <stdbool.h>
#include "cli.h"

/* GET /me/ssh-keys. */
int sshkey_fetch(struct cli *c, json_t **ret_list);

/* The registered key with this fingerprint, or NULL. Borrowed from the list. */
json_t *sshkey_find(const json_t *list, const char *fingerprint);

/* The fingerprint of ~/.prism/NAME.pub; "" when there is none. */
int sshkey_local(struct cli *c, const char *name, char *out);

/*
 * Register the key in "path" (private, or public with its half in an agent): challenge, signature,
 * POST. *ret is the key as the service knows it.
 */
int sshkey_register(struct cli *c, const char *path, const char *origin, json_t **ret);

/* "KEY on HOST" lines: one row for each host of the key. */
void sshkey_hosts_print(const json_t *key);

/* The same for an array of hosts, after a key has gone: whether they have heard of it. */
void sshkey_hosts_told(const json_t *hosts);

/* --grace in seconds; *grace is left as it is when it was not given. */
int sshkey_grace(struct cli *c, int64_t *grace);

/* The command "user ssh-key revoke". */
int sshkey_revoke(struct cli *c);

/* Every host of the key has it, though it may refuse the person. */
bool sshkey_everywhere(const json_t *key);

/* Until every host has the key, or "limit" seconds have passed. *ret: the key as last seen. */
int sshkey_wait(struct cli *c, const char *fingerprint, int64_t limit, json_t **ret, bool *ret_all);

#endif
