/* SPDX-License-Identifier: MIT */
#include "shape.h"

#include <string.h>
#include "api/saml.h"

#define IDS_MAX	     64
#define ELEMENTS_MAX 4096

struct walk {
	struct fault *f;
	struct shape *s;
	const xmlNode *root;
	xmlChar *ids[IDS_MAX];
	unsigned nids, nelements;
};

static void walk_release(struct walk *w)
{
	for (unsigned i = 0; i < w->nids; i++)
		xmlFree(w->ids[i]);
}
#define _cleanup_walk_ _cleanup_(walk_release)

static int check_id(struct walk *w, const xmlAttr *a)
{
	_cleanup_xml_ xmlChar *value = NULL;

	if (xmlStrcasecmp(a->name, BAD_CAST "ID") != 0)
		return 0;
	/* xml:id would be an ID of its own to the parser, before ours is. */
	if (a->ns || w->nids == IDS_MAX)
		return fault_set(w->f, FAULT_MALFORMED, "ID");
	value = xmlNodeListGetString(a->doc, a->children, 1);
	if (!value || !value[0])
		return fault_set(w->f, FAULT_MALFORMED, "ID");
	for (unsigned i = 0; i < w->nids; i++)
		if (xmlStrEqual(w->ids[i], value))
			return fault_set(w->f, FAULT_DUPLICATE_ID, NULL);
	w->ids[w->nids++] = TAKE_PTR(value);
	return 0;
}

static int take_signature(struct walk *w, xmlNode *n)
{
	xmlNode **place = NULL;

	if (n->parent && n->parent == w->s->assertion)
		place = &w->s->assertion_signature;
	else if (n->parent && n->parent == w->s->response)
		place = &w->s->response_signature;
	if (!place || *place)
		return fault_set(w->f, FAULT_MISPLACED_SIGNATURE, NULL);
	*place = n;
	return 0;
}

static int take_assertion(struct walk *w, xmlNode *n, bool encrypted)
{
	bool at_home = w->s->response ? n->parent == w->s->response : n == w->root && !encrypted;

	if (!at_home)
		return fault_set(w->f, FAULT_MISPLACED_ASSERTION, NULL);
	if (w->s->assertion || w->s->encrypted)
		return fault_set(w->f, FAULT_SEVERAL_ASSERTIONS, NULL);
	*(encrypted ? &w->s->encrypted : &w->s->assertion) = n;
	return 0;
}

static bool below(const xmlNode *n, const xmlNode *ancestor)
{
	for (; n; n = n->parent)
		if (n == ancestor)
			return ancestor != NULL;
	return false;
}

static int check_element(struct walk *w, xmlNode *n)
{
	if (++w->nelements > ELEMENTS_MAX)
		return fault_set(w->f, FAULT_TOO_LARGE, NULL);
	if (tree_is(n, NS_PROTOCOL, "Response") && n != w->root)
		return fault_set(w->f, FAULT_MISPLACED_ASSERTION, NULL);
	if (tree_is(n, NS_ASSERTION, "Assertion"))
		return take_assertion(w, n, false);
	if (tree_is(n, NS_ASSERTION, "EncryptedAssertion"))
		return take_assertion(w, n, true);
	if (tree_is(n, NS_DSIG, "Signature"))
		return take_signature(w, n);
	if (tree_is(n, NS_DSIG, "Object") || tree_is(n, NS_DSIG, "Manifest"))
		return fault_set(w->f, FAULT_MISPLACED_SIGNATURE, NULL);
	if (n->ns && !strcmp((const char *)n->ns->href, NS_ENCRYPTION) &&
	    !below(n, w->s->encrypted))
		return fault_set(w->f, FAULT_ENCRYPTED_PART, NULL);
	return 0;
}

static int check_node(struct walk *w, xmlNode *n)
{
	int rc;

	if (n->type == XML_TEXT_NODE)
		return 0;
	if (n->type == XML_COMMENT_NODE || n->type == XML_PI_NODE ||
	    n->type == XML_CDATA_SECTION_NODE)
		return fault_set(w->f, FAULT_COMMENT, NULL);
	if (n->type != XML_ELEMENT_NODE)
		return fault_set(w->f, FAULT_MALFORMED, NULL);
	rc = check_element(w, n);
	for (const xmlAttr *a = n->properties; a && rc == 0; a = a->next)
		rc = check_id(w, a);
	return rc;
}

/* Depth first, without recursion. */
static int walk(struct walk *w)
{
	xmlNode *n = (xmlNode *)w->root;
	unsigned depth = 0;
	int rc = check_node(w, n);

	while (rc == 0) {
		if (n->type == XML_ELEMENT_NODE && n->children) {
			n = n->children;
			if (++depth > SAML_DEPTH_MAX)
				return fault_set(w->f, FAULT_TOO_DEEP, NULL);
		} else {
			while (n != w->root && !n->next) {
				n = n->parent;
				depth--;
			}
			if (n == w->root)
				break;
			n = n->next;
		}
		rc = check_node(w, n);
	}
	return rc;
}

static int check_cover(const struct shape *s, struct fault *f)
{
	int rc = 0;

	if (s->response_signature)
		rc = signature_check(s->response_signature, s->response, f);
	if (rc == 0 && s->assertion_signature)
		rc = signature_check(s->assertion_signature, s->assertion, f);
	if (rc == 0 && s->encrypted)
		rc = encryption_check(s->encrypted, f);
	return rc;
}

static int check_tree(const xmlNode *root, struct fault *f, struct shape *s)
{
	_cleanup_walk_ struct walk w = {.f = f, .s = s, .root = root};
	int rc = walk(&w);

	return rc < 0 ? rc : check_cover(s, f);
}

int shape_check(xmlDoc *doc, struct fault *f, struct shape *ret)
{
	struct shape s = {0};
	int rc = 0;

	s.response = xmlDocGetRootElement(doc);
	if (!tree_is(s.response, NS_PROTOCOL, "Response"))
		return fault_set(f, FAULT_MALFORMED, NULL);
	for (const xmlNode *n = doc->children; n; n = n->next)
		if (n != s.response)
			rc = fault_set(f, FAULT_COMMENT, NULL);
	if (rc == 0)
		rc = check_tree(s.response, f, &s);
	if (rc == 0)
		*ret = s;
	return rc;
}

int shape_check_assertion(xmlNode *assertion, struct fault *f, struct shape *ret)
{
	struct shape s = {0};
	int rc;

	if (!tree_is(assertion, NS_ASSERTION, "Assertion"))
		return fault_set(f, FAULT_MALFORMED, NULL);
	rc = check_tree(assertion, f, &s);
	if (rc == 0)
		*ret = s;
	return rc;
}
