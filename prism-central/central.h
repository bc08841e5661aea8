/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_H
#define CENTRAL_H

/* The service as a whole: its configuration and what all requests share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "feed/feed.h"

struct config {
	char database[512];    /* "sqlite:/var/lib/prism-central/prism.db" */
	char state_dir[256];   /* /var/lib/prism-central */
	char listen[256];      /* "0.0.0.0:8443", TLS */
	char listen_plain[256];/* "127.0.0.1:8080" or "unix:/run/prism-central/http.sock"; "": none */
	char url[512];	       /* base URL of every link: "https://prism.uni.edu:8443" */
	char tls_cert[256], tls_key[256]; /* "": generated in state_dir on first start */
	char signing_key[256]; /* the feed's; "": state_dir/feed.key */
	int workers;
	uint32_t uid_first, uid_last, gid_first, gid_last;
	int64_t feed_validity; /* seconds */
	char home_root[256];   /* "/efs/home" */
	char shell[256];       /* "/bin/bash" */
	int log_level;
};

struct central {
	struct config config;
	struct feed_signer *signer;
	uint8_t recovery_key_id[FEED_KEY_ID_LEN];
	char tls_pin[64];  /* base64 of SHA-256 of the certificate's public key (SPKI), as curl has it */
	struct http *http; /* http.c's own */
	struct feed_cache *feeds; /* host_feed.c's own */
};

/* Read a configuration file; absent keys have their defaults. 0 or -errno, with the reason in why. */
int config_load(const char *path, struct config *ret, char *why, size_t why_size);

#endif
