/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/buf.h"
#include "base/encode.h"
#include "operation.h"

#define METADATA_MAX	 (128u << 10)
#define CERTIFICATES_MAX 8
#define KEY_BITS_MIN	 2048

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void x509_freep(X509 **c)
{
	X509_free(*c);
}

static void der_freep(unsigned char **p)
{
	OPENSSL_free(*p);
}

/* ---- what is asked --------------------------------------------------------------------------- */

const char *operation_string(const json_t *in, const char *name, struct fault *f)
{
	const char *s = json_string_value(json_object_get(in, name));

	if (s && s[0])
		return s;
	fault_set(f, FAULT_PROTOCOL, name);
	return NULL;
}

int party_sp(const json_t *in, bool with_key, struct fault *f, struct party *ret)
{
	const json_t *o = json_object_get(in, "sp");
	struct party p = {0};

	p.entity_id = operation_string(o, "entity_id", f);
	p.address = operation_string(o, "acs", f);
	p.pem = operation_string(o, "certificate", f);
	p.key = with_key ? operation_string(o, "key", f) : NULL;
	p.next_pem = json_string_value(json_object_get(o, "next_certificate"));
	p.other_key = with_key ? json_string_value(json_object_get(o, "other_key")) : NULL;
	if (!p.entity_id || !p.address || !p.pem || (with_key && !p.key))
		return -EBADMSG;
	*ret = p;
	return 0;
}

int party_idp(const json_t *in, struct fault *f, struct party *ret)
{
	const json_t *o = json_object_get(in, "idp");
	struct party p = {0};

	p.entity_id = operation_string(o, "entity_id", f);
	p.address = operation_string(o, "entry_point", f);
	p.pem = operation_string(o, "certificates", f);
	if (!p.entity_id || !p.address || !p.pem)
		return -EBADMSG;
	*ret = p;
	return 0;
}

/* ---- XML ------------------------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *s)
{
	_cleanup_xml_ xmlChar *text = xmlEncodeSpecialChars(NULL, BAD_CAST s);

	buf_add_str(b, text ? (char *)text : "");
	if (!text)
		b->error = -ENOMEM;
}

static bool key_acceptable(const X509 *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c);

	return key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= KEY_BITS_MIN;
}

static int put_certificate(struct buf *b, X509 *c, const char *use)
{
	_cleanup_(der_freep) unsigned char *der = NULL;
	_cleanup_free_ char *text = NULL;
	int n = i2d_X509(c, &der);

	if (n <= 0 || !key_acceptable(c))
		return -EINVAL;
	text = malloc(BASE64_LEN((size_t)n) + 1);
	if (!text)
		return -ENOMEM;
	base64_encode(der, (size_t)n, text);
	buf_addf(b,
	    "<md:KeyDescriptor use=\"%s\"><ds:KeyInfo xmlns:ds=\"" NS_DSIG "\"><ds:X509Data>"
	    "<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
	    "</md:KeyDescriptor>",
	    use, text);
	return 0;
}

/* Every certificate of the PEM text. Whatever else stands in it is skipped, as OpenSSL does. */
static int put_certificates(struct buf *b, const char *pem, const char *use)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
	int n = 0, rc = bio ? 0 : -ENOMEM;

	while (rc == 0 && n < CERTIFICATES_MAX) {
		_cleanup_(x509_freep) X509 *c = PEM_read_bio_X509(bio, NULL, NULL, (void *)"");

		if (!c)
			break;
		rc = put_certificate(b, c, use);
		n++;
	}
	ERR_clear_error();
	return rc < 0 ? rc : n > 0 ? 0 : -EINVAL;
}

static void put_entity(struct buf *b, const struct party *p)
{
	buf_add_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor "
		       "xmlns:md=\"" NS_METADATA "\" entityID=\"");
	put_text(b, p->entity_id);
	buf_add_str(b, "\">");
}

static int take_xml(struct buf *b, int rc, struct fault *f, char **ret)
{
	if (rc == 0)
		rc = buf_error(b);
	if (rc < 0)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	*ret = buf_detach(b);
	return *ret ? 0 : fault_set(f, FAULT_CONFIGURATION, NULL);
}

int party_sp_xml(const struct party *sp, struct fault *f, char **ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(METADATA_MAX);
	int rc;

	put_entity(&b, sp);
	buf_add_str(&b,
	    "<md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" "
	    "protocolSupportEnumeration=\"" NS_PROTOCOL "\">");
	rc = put_certificates(&b, sp->pem, "signing");
	if (rc == 0 && sp->next_pem)
		rc = put_certificates(&b, sp->next_pem, "signing");
	if (rc == 0)
		rc = put_certificates(&b, sp->pem, "encryption");
	buf_add_str(&b, "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
			"</md:NameIDFormat><md:NameIDFormat>"
			"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>"
			"<md:AssertionConsumerService index=\"0\" isDefault=\"true\" "
			"Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"");
	put_text(&b, sp->address);
	buf_add_str(&b, "\"/></md:SPSSODescriptor></md:EntityDescriptor>\n");
	return take_xml(&b, rc, f, ret);
}

int party_idp_xml(const struct party *idp, struct fault *f, char **ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(METADATA_MAX);
	int rc;

	put_entity(&b, idp);
	buf_add_str(&b, "<md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" "
			"protocolSupportEnumeration=\"" NS_PROTOCOL "\">");
	rc = put_certificates(&b, idp->pem, "signing");
	buf_add_str(&b,
	    "<md:SingleSignOnService "
	    "Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"");
	put_text(&b, idp->address);
	buf_add_str(&b, "\"/></md:IDPSSODescriptor></md:EntityDescriptor>\n");
	return take_xml(&b, rc, f, ret);
}

/* ---- lasso ----------------------------------------------------------------------------------- */

static int open_lasso(struct parties *p, const char *ours, const char *theirs, struct fault *f)
{
	p->server = lasso_server_new_from_buffers(ours, p->sp.key, NULL, p->sp.pem);
	if (!p->server)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	if (p->sp.other_key &&
	    lasso_server_set_encryption_private_key(p->server, p->sp.other_key) != 0)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	p->server->signature_method = LASSO_SIGNATURE_METHOD_RSA_SHA256;
	if (lasso_server_add_provider_from_buffer(
		p->server, LASSO_PROVIDER_ROLE_IDP, theirs, NULL, NULL) != 0)
		return fault_set(f, FAULT_CONFIGURATION, NULL);
	p->login = lasso_login_new(p->server);
	return p->login ? 0 : fault_set(f, FAULT_CONFIGURATION, NULL);
}

int party_open(const json_t *in, struct fault *f, struct parties *ret)
{
	_cleanup_parties_ struct parties p = {0};
	_cleanup_free_ char *ours = NULL, *theirs = NULL;
	int rc = party_sp(in, true, f, &p.sp);

	if (rc == 0)
		rc = party_idp(in, f, &p.idp);
	if (rc == 0)
		rc = party_sp_xml(&p.sp, f, &ours);
	if (rc == 0)
		rc = party_idp_xml(&p.idp, f, &theirs);
	if (rc == 0)
		rc = open_lasso(&p, ours, theirs, f);
	if (rc < 0)
		return rc;
	*ret = p;
	p = (struct parties){0};
	return 0;
}

void party_close(struct parties *p)
{
	if (p->login)
		g_object_unref(p->login);
	if (p->server)
		g_object_unref(p->server);
	*p = (struct parties){0};
}
