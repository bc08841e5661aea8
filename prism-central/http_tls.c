/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "base/log.h"
#include "http_internal.h"

static const char CIPHERS_TLS12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static void ctxfreep(SSL_CTX **c)
{
	SSL_CTX_free(*c);
}

int http_tls_new(const char *cert, const char *key, SSL_CTX **ret)
{
	_cleanup_(ctxfreep) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	static const unsigned char session_context[] = "prism-central";

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* A parked connection keeps 16 instead of 25 kB. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) == 1 &&
	    SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1) {
		*ret = TAKE_PTR(ctx);
		return 0;
	}
	char why[256];
	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	log_event(LOG_LEVEL_ERROR, "tls", "certificate", "%s", cert, "key", "%s", key, "reason",
	    "%s", why, NULL);
	ERR_clear_error();
	return -EINVAL;
}
