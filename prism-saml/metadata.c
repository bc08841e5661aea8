/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>
#include "base/buf.h"
#include "operation.h"

#define REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define PEM_MAX	 (64u << 10)

int operation_metadata(const json_t *in, struct fault *f, json_t **ret_answer)
{
	_cleanup_free_ char *xml = NULL;
	struct party sp;
	int rc = party_sp(in, false, f, &sp);

	if (rc == 0)
		rc = party_sp_xml(&sp, f, &xml);
	if (rc < 0)
		return rc;
	*ret_answer = json_pack("{s:s}", "xml", xml);
	return *ret_answer ? 0 : fault_set(f, FAULT_CONFIGURATION, NULL);
}

/* ---- theirs ---------------------------------------------------------------------------------- */

/* Base64 in lines of 64, between PEM's two lines. */
static void put_pem(struct buf *b, const char *base64)
{
	unsigned column = 0;

	buf_add_str(b, "-----BEGIN CERTIFICATE-----\n");
	for (; *base64; base64++) {
		if (isspace((unsigned char)*base64))
			continue;
		buf_add_char(b, *base64);
		if (++column % 64 == 0)
			buf_add_char(b, '\n');
	}
	buf_add_str(
	    b, column % 64 ? "\n-----END CERTIFICATE-----\n" : "-----END CERTIFICATE-----\n");
}

static void put_key(struct buf *b, const xmlNode *descriptor)
{
	const xmlNode *info = tree_first(descriptor, NS_DSIG, "KeyInfo");

	if (tree_attr_is(descriptor, "use", "encryption"))
		return;
	for (const xmlNode *d = tree_first(info, NS_DSIG, "X509Data"); d;
	     d = tree_next(d, NS_DSIG, "X509Data")) {
		_cleanup_xml_ xmlChar *text = tree_text(tree_first(d, NS_DSIG, "X509Certificate"));

		if (text)
			put_pem(b, (char *)text);
	}
}

/* The one provider of the document: itself the root, or alone in a list. */
static const xmlNode *find_idp(const xmlNode *root, const xmlNode **ret_entity)
{
	const xmlNode *entity = root, *idp;

	if (tree_is(root, NS_METADATA, "EntitiesDescriptor")) {
		if (tree_count(root, NS_METADATA, "EntityDescriptor") != 1)
			return NULL;
		entity = tree_first(root, NS_METADATA, "EntityDescriptor");
	}
	if (!tree_is(entity, NS_METADATA, "EntityDescriptor"))
		return NULL;
	idp = tree_first(entity, NS_METADATA, "IDPSSODescriptor");
	*ret_entity = entity;
	return idp;
}

static xmlChar *find_address(const xmlNode *idp)
{
	for (const xmlNode *s = tree_first(idp, NS_METADATA, "SingleSignOnService"); s;
	     s = tree_next(s, NS_METADATA, "SingleSignOnService"))
		if (tree_attr_is(s, "Binding", REDIRECT))
			return tree_attr(s, "Location");
	return NULL;
}

/* Made into metadata once more: so the certificates are known to be such. */
static int read_idp(const xmlNode *root, struct fault *f, json_t **ret_answer)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(PEM_MAX);
	_cleanup_xml_ xmlChar *id = NULL, *address = NULL;
	_cleanup_free_ char *xml = NULL;
	const xmlNode *entity = NULL, *idp = find_idp(root, &entity);
	struct party p;
	int rc;

	id = tree_attr(idp ? entity : NULL, "entityID");
	address = find_address(idp);
	if (!id || !address)
		return fault_set(
		    f, FAULT_MALFORMED, idp ? "SingleSignOnService" : "IDPSSODescriptor");
	for (const xmlNode *k = tree_first(idp, NS_METADATA, "KeyDescriptor"); k;
	     k = tree_next(k, NS_METADATA, "KeyDescriptor"))
		put_key(&pem, k);
	p = (struct party){
	    .entity_id = (char *)id, .address = (char *)address, .pem = buf_str(&pem)};
	rc = party_idp_xml(&p, f, &xml);
	if (rc < 0)
		return rc;
	*ret_answer = json_pack("{s:s, s:s, s:s}", "entity_id", p.entity_id, "entry_point",
	    p.address, "certificates", p.pem);
	return *ret_answer ? 0 : fault_set(f, FAULT_MALFORMED, NULL);
}

int operation_idp_metadata(const json_t *in, struct fault *f, json_t **ret_answer)
{
	_cleanup_doc_ xmlDoc *doc = NULL;
	const char *xml = operation_string(in, "xml", f);
	int rc = xml ? tree_parse(xml, strlen(xml), f, &doc) : -EBADMSG;

	return rc < 0 ? rc : read_idp(xmlDocGetRootElement(doc), f, ret_answer);
}
