/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "shape.h"

#define XMLENC	 "http://www.w3.org/2001/04/xmlenc#"
#define XMLENC11 "http://www.w3.org/2009/xmlenc11#"
#define DSIGMORE "http://www.w3.org/2001/04/xmldsig-more#"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"

static const char *const c14n_methods[] = {EXC_C14N, NULL};
static const char *const enveloped[] = {NS_DSIG "enveloped-signature", NULL};
static const char *const signature_methods[] = {
    DSIGMORE "rsa-sha256", DSIGMORE "rsa-sha384", DSIGMORE "rsa-sha512", NULL};
static const char *const digest_methods[] = {
    XMLENC "sha256", DSIGMORE "sha384", XMLENC "sha512", NULL};
static const char *const data_methods[] = {XMLENC "aes128-cbc", XMLENC "aes192-cbc",
    XMLENC "aes256-cbc", XMLENC11 "aes128-gcm", XMLENC11 "aes192-gcm", XMLENC11 "aes256-gcm", NULL};
static const char *const key_methods[] = {XMLENC "rsa-oaep-mgf1p", XMLENC11 "rsa-oaep", NULL};

static int check_method(const xmlNode *n, const char *const *accepted, struct fault *f)
{
	_cleanup_xml_ xmlChar *method = tree_attr(n, "Algorithm");

	for (size_t i = 0; method && accepted[i]; i++)
		if (!strcmp((char *)method, accepted[i]))
			return 0;
	return fault_set(f, method ? FAULT_WEAK_ALGORITHM : FAULT_MALFORMED, (char *)method);
}

/* The next element must be this one; NULL otherwise. */
static xmlNode *expect(xmlNode *n, const char *name)
{
	return tree_is(n, NS_DSIG, name) ? n : NULL;
}

static xmlNode *after(const xmlNode *n)
{
	return tree_next(n, NULL, NULL);
}

static bool refers_to(const xmlNode *reference, const xmlNode *parent)
{
	_cleanup_xml_ xmlChar *uri = tree_attr(reference, "URI");
	_cleanup_xml_ xmlChar *id = tree_attr(parent, "ID");

	return uri && id && uri[0] == '#' && !strcmp((char *)uri + 1, (char *)id);
}

static int check_transforms(const xmlNode *transforms, struct fault *f)
{
	xmlNode *first = tree_first(transforms, NULL, NULL), *second = after(first);
	int rc;

	if (!expect(first, "Transform") || !expect(second, "Transform") || after(second))
		return fault_set(f, FAULT_MISPLACED_SIGNATURE, NULL);
	rc = check_method(first, enveloped, f);
	if (rc == 0 && first->children)
		rc = fault_set(f, FAULT_MISPLACED_SIGNATURE, NULL);
	return rc < 0 ? rc : check_method(second, c14n_methods, f);
}

static int check_reference(const xmlNode *reference, const xmlNode *parent, struct fault *f)
{
	xmlNode *transforms = expect(tree_first(reference, NULL, NULL), "Transforms");
	xmlNode *method = expect(after(transforms), "DigestMethod");
	xmlNode *value = expect(after(method), "DigestValue");
	int rc;

	if (!value || after(value) || !refers_to(reference, parent))
		return fault_set(f, FAULT_MISPLACED_SIGNATURE, NULL);
	rc = check_method(method, digest_methods, f);
	return rc < 0 ? rc : check_transforms(transforms, f);
}

int signature_check(const xmlNode *signature, const xmlNode *parent, struct fault *f)
{
	xmlNode *info = expect(tree_first(signature, NULL, NULL), "SignedInfo");
	xmlNode *value = expect(after(info), "SignatureValue");
	xmlNode *key = after(value);
	xmlNode *c14n = expect(tree_first(info, NULL, NULL), "CanonicalizationMethod");
	xmlNode *method = expect(after(c14n), "SignatureMethod");
	xmlNode *reference = expect(after(method), "Reference");
	int rc;

	if (!value || !reference || after(reference) || tree_first(method, NULL, NULL) ||
	    (key && (!expect(key, "KeyInfo") || after(key))))
		return fault_set(f, FAULT_MISPLACED_SIGNATURE, NULL);
	rc = check_method(c14n, c14n_methods, f);
	if (rc == 0)
		rc = check_method(method, signature_methods, f);
	return rc < 0 ? rc : check_reference(reference, parent, f);
}

/* Every method below: of the data, and of the keys, wherever they stand. */
static int check_methods_below(const xmlNode *n, struct fault *f)
{
	int rc = 0;

	for (xmlNode *c = tree_first(n, NULL, NULL); c && rc == 0; c = after(c)) {
		if (tree_is(c, NS_ENCRYPTION, "CipherReference"))
			return fault_set(f, FAULT_MALFORMED, "CipherReference");
		if (tree_is(c, NS_ENCRYPTION, "EncryptionMethod"))
			rc = check_method(c,
			    tree_is(n, NS_ENCRYPTION, "EncryptedKey") ? key_methods : data_methods,
			    f);
		if (rc == 0)
			rc = check_methods_below(c, f);
	}
	return rc;
}

int encryption_check(const xmlNode *encrypted, struct fault *f)
{
	xmlNode *data = tree_first(encrypted, NS_ENCRYPTION, "EncryptedData");

	if (!data || tree_count(encrypted, NS_ENCRYPTION, "EncryptedData") != 1 ||
	    !tree_first(data, NS_ENCRYPTION, "EncryptionMethod"))
		return fault_set(f, FAULT_MALFORMED, "EncryptedAssertion");
	return check_methods_below(encrypted, f);
}
