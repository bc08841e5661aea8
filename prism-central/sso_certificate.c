/* SPDX-License-Identifier: MIT */
#include "sso_certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "base/attr.h"
#include "base/secret.h"

#define OUR_BITS 2048
#define OUR_DAYS 3650

static void biop(BIO **b)
{
	BIO_free(*b);
}
#define _cleanup_bio_ _cleanup_(biop)

static void x509p(X509 **x)
{
	X509_free(*x);
}
#define _cleanup_x509_ _cleanup_(x509p)

static void pkeyp(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
#define _cleanup_pkey_ _cleanup_(pkeyp)

static int fault(char *why, size_t size, const char *text)
{
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

static int bio_take(BIO *b, struct buf *ret)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	if (n <= 0)
		return -ENOMEM;
	buf_add(ret, p, (size_t)n);
	return buf_error(ret);
}

/* ---- theirs ---------------------------------------------------------------------------------- */

static int key_check(X509 *x, char *why, size_t size)
{
	const EVP_PKEY *k = X509_get0_pubkey(x);
	int type = k ? EVP_PKEY_get_base_id(k) : 0;
	int bits = k ? EVP_PKEY_get_bits(k) : 0;

	if (type == EVP_PKEY_RSA && bits >= 2048)
		return 0;
	if (type == EVP_PKEY_RSA)
		return fault(why, size, "The certificate's key is too short.");
	return fault(why, size, "The certificate's key is not RSA: prism-saml verifies no others.");
}

static int64_t end_of(const X509 *x)
{
	struct tm tm = {0};

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return 0;
	return timegm(&tm);
}

int sso_certificates_read(const char *pem, struct buf *ret, char *why, size_t why_size)
{
	_cleanup_bio_ BIO *in = BIO_new_mem_buf(pem, (int)strnlen(pem, SSO_PEM_MAX));
	_cleanup_bio_ BIO *out = BIO_new(BIO_s_mem());
	int n = 0;

	if (!in || !out)
		return -ENOMEM;
	if (strstr(pem, "PRIVATE KEY"))
		return fault(why, why_size, "This is a private key: keep it to yourself.");
	for (;; n++) {
		_cleanup_x509_ X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (!x)
			break;
		if (n == SSO_CERTIFICATES_MAX)
			return fault(why, why_size, "These are too many certificates.");
		if (key_check(x, why, why_size) < 0)
			return -EINVAL;
		if (PEM_write_bio_X509(out, x) != 1)
			return -ENOMEM;
	}
	/* The end of the text is the one fault that is none. */
	bool done = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (n == 0 || !done)
		return fault(why, why_size, "This is no certificate in PEM.");
	return bio_take(out, ret);
}

/* ---- looked at ------------------------------------------------------------------------------- */

static void fingerprint_of(const X509 *x, char *out, size_t size)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, EVP_sha256(), digest, &n) != 1)
		n = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < n && size >= 3; i++, out += 3, size -= 3)
		snprintf(out, size, "%02X%s", digest[i], i + 1 < n ? ":" : "");
}

static void subject_of(const X509 *x, char *out, size_t size)
{
	_cleanup_bio_ BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (b && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(b, &p);
	snprintf(out, size, "%.*s", n > 0 ? (int)n : 0, n > 0 ? p : "");
}

int sso_certificates_look(const char *pem, struct sso_certificate *ret, int max)
{
	_cleanup_bio_ BIO *in = BIO_new_mem_buf(pem, (int)strnlen(pem, SSO_PEM_MAX));
	int n = 0;

	while (in && n < max) {
		_cleanup_x509_ X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (!x)
			break;
		fingerprint_of(x, ret[n].fingerprint, sizeof(ret[n].fingerprint));
		subject_of(x, ret[n].subject, sizeof(ret[n].subject));
		ret[n].not_after = end_of(x);
		n++;
	}
	ERR_clear_error();
	return n;
}

/* ---- ours ------------------------------------------------------------------------------------ */

static int certificate_sign(X509 *x, EVP_PKEY *key, const char *name)
{
	uint64_t serial = 0;
	X509_NAME *subject = X509_get_subject_name(x);
	const unsigned char *text = (const unsigned char *)name;

	if (secret_random(&serial, sizeof(serial)) < 0)
		return -EIO;
	if (!X509_set_version(x, X509_VERSION_3) ||
	    !ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x), -86400) ||
	    !X509_time_adj_ex(X509_getm_notAfter(x), OUR_DAYS, 0, NULL) ||
	    !X509_set_pubkey(x, key) ||
	    !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) ||
	    !X509_set_issuer_name(x, subject) || !X509_sign(x, key, EVP_sha256()))
		return -EIO;
	return 0;
}

int sso_certificate_make(const char *name, struct buf *ret_key, struct buf *ret_certificate)
{
	_cleanup_pkey_ EVP_PKEY *key = EVP_RSA_gen(OUR_BITS);
	_cleanup_x509_ X509 *x = X509_new();
	_cleanup_bio_ BIO *secret = BIO_new(BIO_s_secmem()), *text = BIO_new(BIO_s_mem());

	if (!key || !x || !secret || !text)
		return -ENOMEM;
	int r = certificate_sign(x, key, name);
	if (r == 0 && (PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) != 1 ||
			  PEM_write_bio_X509(text, x) != 1))
		r = -ENOMEM;
	if (r == 0)
		r = bio_take(secret, ret_key);
	return r < 0 ? r : bio_take(text, ret_certificate);
}
