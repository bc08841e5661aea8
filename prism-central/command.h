/* SPDX-License-Identifier: MIT */
#ifndef COMMAND_H
#define COMMAND_H

/*
 * The commands of prism-central, and what they share. Each gets its own arguments (argv[0] is the
 * command's name) and the configuration, and returns the exit status: 0, 1 failed (said why on
 * standard error), 2 used wrongly.
 */
#include "central.h"
#include "store.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

int command_serve(int argc, char **argv, struct config *cfg);
int command_bootstrap(int argc, char **argv, struct config *cfg);
int command_password(int argc, char **argv, struct config *cfg);
int command_backup(int argc, char **argv, struct config *cfg);
int command_restore(int argc, char **argv, struct config *cfg);
int command_audit(int argc, char **argv, struct config *cfg);
int command_feed_key(int argc, char **argv, struct config *cfg);
int command_secrets(int argc, char **argv, struct config *cfg);
int command_migrate(int argc, char **argv, struct config *cfg);
int command_check_config(int argc, char **argv, struct config *cfg);
int command_version(int argc, char **argv, struct config *cfg);

/* A sentence on standard error; returns EXIT_FAILED, EXIT_USAGE. */
int command_failed(const char *fmt, ...) _printf_(1, 2);
int command_usage(const char *synopsis);

/*
 * A password: the first line of the file ("-": standard input), or one that is made where path is
 * NULL. Before state_open_store(), since the file may be root's. 0, or EXIT_FAILED having said why.
 */
int command_password_take(const char *path, char **ret);

/*
 * Go on as the owner of the state folder when started by root, so that no file in it comes to
 * belong to root. 0 or -errno.
 */
int state_become_owner(const struct config *cfg);
/* The owner of the state folder. 0 or -errno. */
int state_owner(const struct config *cfg, uid_t *ret_uid, gid_t *ret_gid);
/* Make the folder if it is missing and hold its lock: one service at a time. A descriptor, or
 * -EWOULDBLOCK while another process holds it, or -errno. */
int state_lock(const struct config *cfg);
/* The database, as its owner, with its schema up to date. 0, or EXIT_FAILED having said why. */
int state_open_store(const struct config *cfg, struct store **ret);
/* A sentence for an error of store_open(), migrate_run() and the like. */
const char *state_error(int error);

#endif
