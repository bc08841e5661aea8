/* SPDX-License-Identifier: MIT */
#include "signer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include "base/buf.h"
#include "base/encode.h"

#define DIGEST_LEN	32
#define FINGERPRINT_MAX (3 * DIGEST_LEN)
#define DER_MAX		16384

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void x509_freep(X509 **c)
{
	X509_free(*c);
}

/* ---- what the signature names ---------------------------------------------------------------- */

/* Only digested, never parsed: it is anybody's. */
static bool digest_text(const char *text, uint8_t ret[static DIGEST_LEN])
{
	_cleanup_buf_ struct buf joined = BUF_INIT(BASE64_LEN(DER_MAX));
	uint8_t der[DER_MAX];
	ssize_t n = 0;

	for (; *text && buf_error(&joined) == 0; text += n) {
		text += strspn(text, " \t\r\n");
		n = (ssize_t)strcspn(text, " \t\r\n");
		buf_add(&joined, text, (size_t)n);
	}
	if (buf_error(&joined) < 0 || joined.len == 0)
		return false;
	n = base64_decode(buf_str(&joined), joined.len, der, sizeof(der));
	return n > 0 && EVP_Digest(der, (size_t)n, ret, NULL, EVP_sha256(), NULL) == 1;
}

static bool digest_named(const xmlNode *signature, uint8_t ret[static DIGEST_LEN])
{
	const xmlNode *info = tree_first(signature, NS_DSIG, "KeyInfo");
	const xmlNode *data = tree_first(info, NS_DSIG, "X509Data");
	_cleanup_xml_ xmlChar *text = tree_text(tree_first(data, NS_DSIG, "X509Certificate"));

	return text && digest_text((char *)text, ret);
}

/* ---- and what we have ------------------------------------------------------------------------ */

static bool is_among(const uint8_t digest[static DIGEST_LEN], const char *pem)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
	bool found = false;

	while (bio && !found) {
		_cleanup_(x509_freep) X509 *c = PEM_read_bio_X509(bio, NULL, NULL, (void *)"");
		uint8_t have[EVP_MAX_MD_SIZE];

		if (!c)
			break;
		found = X509_digest(c, EVP_sha256(), have, NULL) == 1 &&
			memcmp(have, digest, DIGEST_LEN) == 0;
	}
	return found;
}

int signer_fault(const struct shape *shape, const char *pem, struct fault *f)
{
	const xmlNode *const all[] = {shape->response_signature, shape->assertion_signature};
	uint8_t digest[DIGEST_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char text[FINGERPRINT_MAX] = "", *p = text;

		if (!all[i] || !digest_named(all[i], digest) || is_among(digest, pem))
			continue;
		for (size_t k = 0; k < DIGEST_LEN; k++)
			p += snprintf(p, 4, "%02X%s", digest[k], k + 1 < DIGEST_LEN ? ":" : "");
		return fault_set(f, FAULT_UNKNOWN_CERTIFICATE, text);
	}
	return fault_set(f, FAULT_BAD_SIGNATURE, NULL);
}
