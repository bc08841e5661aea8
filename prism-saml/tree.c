/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <string.h>
#include <libxml/parser.h>
#include "api/saml.h"
#include "base/clock.h"

/* In bytes, before a parser sees them: no parser's idea of entities matters then. */
static bool has_doctype(const char *xml, size_t n)
{
	return memmem(xml, n, "<!DOCTYPE", 9) || memmem(xml, n, "<!ENTITY", 8);
}

static bool encoding_known(const xmlDoc *doc)
{
	return !doc->encoding || !xmlStrcasecmp(doc->encoding, BAD_CAST "UTF-8") ||
	       !xmlStrcasecmp(doc->encoding, BAD_CAST "US-ASCII");
}

int tree_parse(const char *xml, size_t n, struct fault *f, xmlDoc **ret)
{
	_cleanup_doc_ xmlDoc *doc = NULL;

	if (n > SAML_RESPONSE_MAX)
		return fault_set(f, FAULT_TOO_LARGE, NULL);
	if (n == 0 || memchr(xml, '\0', n))
		return fault_set(f, FAULT_MALFORMED, NULL);
	if (has_doctype(xml, n))
		return fault_set(f, FAULT_DOCTYPE, NULL);
	doc = xmlReadMemory(
	    xml, (int)n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc || !xmlDocGetRootElement(doc) || !encoding_known(doc))
		return fault_set(f, FAULT_MALFORMED, NULL);
	if (doc->intSubset || doc->extSubset)
		return fault_set(f, FAULT_DOCTYPE, NULL);
	*ret = TAKE_PTR(doc);
	return 0;
}

bool tree_is(const xmlNode *n, const char *ns, const char *name)
{
	return n && n->type == XML_ELEMENT_NODE && n->ns && n->ns->href &&
	       !strcmp((const char *)n->ns->href, ns) && !strcmp((const char *)n->name, name);
}

static xmlNode *find(xmlNode *n, const char *ns, const char *name)
{
	for (; n; n = n->next)
		if (name ? tree_is(n, ns, name) : n->type == XML_ELEMENT_NODE)
			return n;
	return NULL;
}

xmlNode *tree_first(const xmlNode *parent, const char *ns, const char *name)
{
	return parent ? find(parent->children, ns, name) : NULL;
}

xmlNode *tree_next(const xmlNode *n, const char *ns, const char *name)
{
	return n ? find(n->next, ns, name) : NULL;
}

unsigned tree_count(const xmlNode *parent, const char *ns, const char *name)
{
	unsigned count = 0;

	for (const xmlNode *n = tree_first(parent, ns, name); n; n = tree_next(n, ns, name))
		count++;
	return count;
}

xmlChar *tree_attr(const xmlNode *n, const char *name)
{
	return n ? xmlGetNoNsProp(n, BAD_CAST name) : NULL;
}

bool tree_attr_is(const xmlNode *n, const char *name, const char *value)
{
	_cleanup_xml_ xmlChar *is = tree_attr(n, name);

	return is && !strcmp((char *)is, value);
}

/* clock_parse() wants whole seconds in UTC; it would take a bare date as well. */
static int time_parse(const char *s, int64_t *ret)
{
	char text[CLOCK_TEXT];
	size_t whole = strlen("2026-05-03T09:00:00"), n = strlen(s);
	const char *rest = s + whole;

	if (n <= whole)
		return -1;
	if (*rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");

		if (digits < 1 || digits > 12)
			return -1;
		rest += 1 + digits;
	}
	if (strcmp(rest, "Z") != 0)
		return -1;
	snprintf(text, sizeof(text), "%.*sZ", (int)whole, s);
	return clock_parse(text, ret);
}

int tree_attr_time(const xmlNode *n, const char *name, struct fault *f, int64_t *ret)
{
	_cleanup_xml_ xmlChar *text = tree_attr(n, name);

	if (!text)
		return 0;
	return time_parse((char *)text, ret) < 0 ? fault_set(f, FAULT_MALFORMED, (char *)text) : 1;
}

xmlChar *tree_text(const xmlNode *n)
{
	if (!n || n->type != XML_ELEMENT_NODE)
		return NULL;
	for (const xmlNode *c = n->children; c; c = c->next)
		if (c->type != XML_TEXT_NODE)
			return NULL;
	return xmlNodeGetContent(n);
}

bool tree_text_is(const xmlNode *n, const char *text)
{
	_cleanup_xml_ xmlChar *is = tree_text(n);

	return is && !strcmp((char *)is, text);
}
