/* SPDX-License-Identifier: MIT */
#ifndef TREE_H
#define TREE_H

/* Reading XML trees: what libxml2 says in many calls. Nothing here trusts the tree's shape. */
#include <stdbool.h>
#include <stdint.h>
#include <libxml/tree.h>
#include "base/attr.h"
#include "fault.h"

#define NS_PROTOCOL   "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_ASSERTION  "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_METADATA   "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_DSIG	      "http://www.w3.org/2000/09/xmldsig#"
#define NS_ENCRYPTION "http://www.w3.org/2001/04/xmlenc#"

static inline void xml_freep(xmlChar **p)
{
	if (*p)
		xmlFree(*p);
}
#define _cleanup_xml_ _cleanup_(xml_freep)

static inline void xml_doc_freep(xmlDoc **p)
{
	if (*p)
		xmlFreeDoc(*p);
}
#define _cleanup_doc_ _cleanup_(xml_doc_freep)

/*
 * Parse a document of at most SAML_RESPONSE_MAX bytes, in UTF-8, without document type, entities
 * and network. *ret is released with xmlFreeDoc().
 */
int tree_parse(const char *xml, size_t n, struct fault *f, xmlDoc **ret);

/* Whether this is the element of that name. */
bool tree_is(const xmlNode *n, const char *ns, const char *name);
/* The first child element of that name (NULL: of any), and the next after one; or NULL. */
xmlNode *tree_first(const xmlNode *parent, const char *ns, const char *name);
xmlNode *tree_next(const xmlNode *n, const char *ns, const char *name);
/* How many children have it. */
unsigned tree_count(const xmlNode *parent, const char *ns, const char *name);

/* A copy of an attribute without namespace, or NULL. Freed with xmlFree(). */
xmlChar *tree_attr(const xmlNode *n, const char *name);
/* Whether it is there and has exactly this value. */
bool tree_attr_is(const xmlNode *n, const char *name, const char *value);
/*
 * A time in an attribute ("2026-05-03T09:00:00.123Z"): 1, 0 if it is not there, or -EBADMSG with
 * FAULT_MALFORMED.
 */
int tree_attr_time(const xmlNode *n, const char *name, struct fault *f, int64_t *ret);
/* A copy of the text in an element that has nothing else in it; NULL otherwise. */
xmlChar *tree_text(const xmlNode *n);
/* Whether that is exactly this text. */
bool tree_text_is(const xmlNode *n, const char *text);

#endif
