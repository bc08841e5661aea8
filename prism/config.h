/* SPDX-License-Identifier: MIT */
#ifndef PRISM_CONFIG_H
#define PRISM_CONFIG_H

/*
 * What the CLI keeps in ~/.prism, which only its owner may enter (0700):
 *
 *	config.json	 {"version": 1, "current": URL, "servers": {URL: {"pin"?, "ca_file"?,
 *			  "proxy"?}}}
 *	credentials.json {"version": 1, "servers": {URL: {"token", "username", "expires_at"}}}, 0600
 *	ssh_keys/	 id_ed25519 and id_ed25519.pub (0700, 0600, 0644)
 *	known_hosts	 host keys that the service vouches for
 *
 * MUST: follow no symbolic link in ~/.prism; believe no file that others can write; give a server
 *no credentials but those that the same address issued. The address is compared as text, in the
 *form that config_url() gives it.
 */
#include <stdbool.h>
#include <stddef.h>
#include "cli.h"

#define CONFIG_PATH_MAX 4096
#define KEY_SHOWN	"~/.prism/ssh_keys/id_ed25519"

/*
 * The form in which addresses are kept: with a scheme ("https://" when there is none), scheme and
 * host in lower case, without the scheme's own port and without a '/' at the end.
 * 0 or -EINVAL (too long, or not an address).
 */
int config_url(const char *s, char *out, size_t size);

/* Loads both files; missing ones count as empty. Returns a status. Later calls do nothing. */
int config_open(struct cli *c);
void config_free(struct config *g);

/* "~/.prism/REST" in full; "" is ~/.prism. Valid until the next call with the same "out". */
int config_path(struct cli *c, const char *rest, char out[static CONFIG_PATH_MAX]);

/* Create ~/.prism/REST (0700) where it is missing, and refuse it where others could write in it. */
int config_dir(struct cli *c, const char *rest);

/*
 * Set the modes of ~/.prism, its folders and its files right; appends what was changed to "changed"
 * (an array of text). Needs no config_open() before.
 */
int config_repair(struct cli *c, json_t *changed);

/* These need config_open(). NULL: not known. */
const char *config_current(const struct cli *c);
bool config_knows(const struct cli *c, const char *url);
const char *config_pin(const struct cli *c, const char *url);
const char *config_ca_file(const struct cli *c, const char *url);
const char *config_proxy(const struct cli *c, const char *url);
const char *config_token(const struct cli *c, const char *url);
const char *config_username(const struct cli *c, const char *url);

/* Each writes the file at once. "pin" and "ca_file" may be NULL. Returns a status. */
int config_set_server(
    struct cli *c, const char *url, const char *pin, const char *ca_file, bool make_current);
/* Of a server that is known; "proxy" NULL: from the environment, "": none. */
int config_set_proxy(struct cli *c, const char *url, const char *proxy);
int config_set_session(struct cli *c, const char *url, const char *token, const char *username,
    const char *expires_at);
int config_drop_session(struct cli *c, const char *url);

#endif
