/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_H
#define CENTRAL_H

/* The service as a whole: its configuration and what all requests share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "feed/feed.h"

struct config {
	char database[512];  /* "sqlite:/var/lib/prism-central/prism.db" */
	char state_dir[256]; /* /var/lib/prism-central */
	char listen[256];    /* "0.0.0.0:8443", TLS; "": none */
	char
	    listen_plain[256]; /* "127.0.0.1:8080", "unix:/run/prism-central/http.sock"; "": none */
	char url[512];	       /* base URL of every link: "https://prism.uni.edu:8443" */
	char tls_cert[256];    /* "": generated in state_dir on first start, with its key */
	char tls_key[256];
	char signing_key[256];	  /* the feed's; "": state_dir/feed.key */
	int workers;		  /* threads that run handlers, each with a database connection */
	int loops;		  /* threads that do input, output and TLS */
	int connections_per_peer; /* of one address, on the TLS listener */
	int behind_proxy;	  /* 1: believe X-Forwarded-For on the plain listener */
	uint32_t uid_first, uid_last, gid_first, gid_last;
	int64_t feed_validity; /* seconds */
	char master_keys[256]; /* the file that opens sealed secrets; "": none */
	char sso_ca_file[256]; /* for login providers; "": the system's */
	char sso_proxy[256];   /* "": the environment's, "none" */
	int sso_private;       /* 1: providers may have addresses that are not public */
	char sso_dns[64];      /* "ADDRESS[:PORT]" that is asked for TXT records; "": resolv.conf */
	int64_t sso_refresh;   /* seconds between two refreshes of one identity */
	char saml_helper[256]; /* "/usr/libexec/prism/prism-saml" */
	char home_root[256];   /* "/efs/home" */
	char shell[256];       /* "/bin/bash" */
	int log_level;	       /* enum log_level */
};

struct http;
struct feed_cache;
struct announcement;
struct secrets;
struct oidc;

struct central {
	struct config config;
	struct feed_signer *signer;
	uint8_t recovery_key_id[FEED_KEY_ID_LEN];
	struct announcement *announcement; /* signing_next.c's own; NULL: no key is announced */
	struct secrets *secrets;	   /* what opens organizations' secrets: secrets.h */
	char tls_pin[64];  /* base64 of SHA-256 of the certificate's public key (SPKI); "" where
			    * an authority has signed it: then clients go by that */
	struct http *http; /* http.c's own */
	struct feed_cache *feeds; /* host_feed.c's own */
	struct oidc *oidc;	  /* oidc.c's own: keys and addresses of providers */
};

/* Every key at its default. */
void config_defaults(struct config *ret);
/*
 * Parse the text of a configuration file (INI); absent keys have their defaults. Unknown sections
 * and keys, repeated keys and values that do not fit are errors. 0 or -EINVAL, with "NAME:LINE:
 * reason" in why; *ret is untouched on failure.
 */
int config_parse(
    const char *name, const char *text, size_t len, struct config *ret, char *why, size_t why_size);
/* The same for a file. 0 or -errno. */
int config_load(const char *path, struct config *ret, char *why, size_t why_size);
/* state_dir/name. 0 or -ENAMETOOLONG. */
int config_state_path(const struct config *c, const char *name, char *out, size_t size);

#endif
