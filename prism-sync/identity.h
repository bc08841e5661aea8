/* SPDX-License-Identifier: MIT */
#ifndef IDENTITY_H
#define IDENTITY_H

/*
 * Who this host is to the central service: what the network half needs, in its own folder
 * (/var/lib/prism/net, 0700 of user prism-sync): host.key, 32 raw bytes of the Ed25519 private key,
 * host.json, and ca.crt, the authority's certificates that were given at enrolment.
 */
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_CA "ca.crt"

struct identity {
	char url[512];
	char pin[64];	  /* "" if none */
	char host_id[33]; /* hexadecimal */
	char name[64];
	uint8_t seed[32];
	char ca_file[600]; /* ca.crt in full; "" if there is none */
};

/* 0, -ENOENT (not enrolled), -EBADMSG, or another -errno. The caller wipes *ret. */
int identity_load(const char *dir, struct identity *ret);
/* Write both files, owned by uid:gid where those are not -1. 0 or -errno. */
int identity_save(const char *dir, const struct identity *id, uid_t uid, gid_t gid);

#endif
