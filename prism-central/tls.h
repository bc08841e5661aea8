/* SPDX-License-Identifier: MIT */
#ifndef TLS_H
#define TLS_H

/*
 * The certificate that the service shows. Without a configured one, a self-signed one is made on
 * first start in the state folder (tls.crt, tls.key), for the host of the configured URL, this
 * machine's name and loopback; clients know it by the pin of its key. The key stays when the
 * certificate has to be made anew.
 */
#include "central.h"

#define TLS_PATH_SIZE 512
#define TLS_PIN_SIZE  64

/*
 * The files to use, and c->tls_pin: of a self-signed certificate its pin, of any other "". Makes
 * the certificate if there is none. 0 or -errno; logs what went wrong.
 */
int tls_prepare(
    struct central *c, char ret_cert[static TLS_PATH_SIZE], char ret_key[static TLS_PATH_SIZE]);

/* The pin alone, "" where there is none to tell: tls_prepare() for commands. Without "make",
 * -ENOENT where there is no certificate yet. 0 or -errno. */
int tls_pin(const struct config *cfg, bool make, char ret[static TLS_PIN_SIZE]);

#endif
