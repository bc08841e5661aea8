/* SPDX-License-Identifier: MIT */
#ifndef HOST_NAME_H
#define HOST_NAME_H

/* What hosts say about themselves, checked in one place (host_name.c). */
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#define HOSTNAME_LEN   253
#define HOST_NAME_MAX_ 63
#define HOST_KEYS_MAX  8
#define HOST_ID_HEX    32 /* digits */
#define HOSTNAME_RULE                                                                          \
	"A host's name has 1 to 63 lowercase letters, digits, dots and dashes, beginning and " \
	"ending with a letter or digit."

/* The name of a workspace: as HOSTNAME_RULE says. */
bool hostname_valid(const char *s);
/* A host name or an IP address, as it may stand in a command: [A-Za-z0-9.:_-], no dash in front. */
bool address_valid(const char *s);

/*
 * An array of at most HOST_KEYS_MAX public key lines, without comments, as compact JSON, which the
 * caller frees. NULL is an empty array. 0, -EINVAL or -ENOMEM.
 */
int host_keys_check(const json_t *keys, char **ret);

/* A host's id as its feeds and assertions have it: 16 bytes, the number in the last eight. */
void host_id_bytes(int64_t id, uint8_t out[static 16]);
void host_id_hex(int64_t id, char out[static HOST_ID_HEX + 1]);
/* 0 if it is none. */
int64_t host_id_parse(const char *hex);

#endif
