/* SPDX-License-Identifier: MIT */
#ifndef PRISM_SSO_H
#define PRISM_SSO_H

/* What the commands about connections and about domains share. */
#include "cli.h"

/*
 * The organization that a command is about: --organization, or the person's only one. Returns a
 * status.
 */
int sso_organization(struct cli *c, char *out, size_t size);

/*
 * sso_show.c: a connection as the service answered it, below the title (NULL: none), or as JSON.
 * Returns a status.
 */
int sso_connection_show(struct cli *c, const char *title, const json_t *o);
/* What is to be said of the provider's certificates in one cell: "" if they are good. */
const char *sso_certificates_text(const json_t *o);

/* sso_domain.c */
int sso_domain_add(struct cli *c);
int sso_domain_list(struct cli *c);
int sso_domain_verify(struct cli *c);
int sso_domain_remove(struct cli *c);

#endif
