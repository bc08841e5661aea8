/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/buf.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secret.h"
#include "tls.h"

#define VALID_DAYS 3650
#define PEM_MAX	   65536

static void pkeyfreep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void x509freep(X509 **x)
{
	X509_free(*x);
}

static void biofreep(BIO **b)
{
	BIO_free_all(*b);
}

#define _cleanup_pkey_ _cleanup_(pkeyfreep)
#define _cleanup_x509_ _cleanup_(x509freep)
#define _cleanup_bio_  _cleanup_(biofreep)

static int failed(const char *path, const char *why)
{
	log_event(LOG_LEVEL_ERROR, "certificate", "file", "%s", path, "reason", "%s", why, NULL);
	return -EINVAL;
}

/* ---- what stands in it ----------------------------------------------------------------------- */

/* The host of "https://host:port" or "https://[::1]:port". */
static void url_host(const char *url, char *out, size_t size)
{
	const char *p = strstr(url, "://");
	bool bracket;

	p = p ? p + 3 : url;
	bracket = *p == '[';
	p += bracket;
	snprintf(out, size, "%.*s", (int)strcspn(p, bracket ? "]" : ":/"), p);
}

static void add_name(struct buf *b, const char *name)
{
	struct in6_addr a;
	bool numeric = inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;

	/* The syntax of OpenSSL's extensions: nothing else may come through. */
	if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789.-:")])
		return;
	buf_addf(b, "%s%s:%s", b->len ? "," : "", numeric ? "IP" : "DNS", name);
}

static int add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	int ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok ? 0 : -EINVAL;
}

static int add_extensions(X509 *x, const struct config *cfg)
{
	_cleanup_buf_ struct buf names = BUF_INIT(2048);
	char host[512], machine[HOST_NAME_MAX + 1] = "";

	url_host(cfg->url, host, sizeof(host));
	add_name(&names, host);
	if (gethostname(machine, sizeof(machine) - 1) == 0 && strcmp(machine, host) != 0)
		add_name(&names, machine);
	buf_add_str(&names, names.len ? "," : "");
	buf_add_str(&names, "DNS:localhost,IP:127.0.0.1,IP:::1");
	if (buf_error(&names))
		return buf_error(&names);
	int r = add_extension(x, NID_subject_alt_name, buf_str(&names));
	if (r == 0)
		r = add_extension(x, NID_basic_constraints, "critical,CA:FALSE");
	if (r == 0)
		r = add_extension(x, NID_key_usage, "critical,digitalSignature");
	return r < 0 ? r : add_extension(x, NID_ext_key_usage, "serverAuth");
}

static int set_serial(X509 *x)
{
	uint8_t bytes[16];
	int r = secret_random(bytes, sizeof(bytes));
	BIGNUM *n = r == 0 ? BN_bin2bn(bytes, sizeof(bytes), NULL) : NULL;

	if (!n || !BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)))
		r = -ENOMEM;
	BN_free(n);
	return r;
}

static int build(const struct config *cfg, EVP_PKEY *key, X509 **ret)
{
	_cleanup_x509_ X509 *x = X509_new();

	if (!x || set_serial(x) < 0)
		return -ENOMEM;
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_time_adj_ex(X509_getm_notAfter(x), VALID_DAYS, 0, NULL);
	X509_NAME *name = X509_get_subject_name(x);
	if (X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"prism-central", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1 || X509_set_pubkey(x, key) != 1 ||
	    add_extensions(x, cfg) < 0 || X509_sign(x, key, EVP_sha256()) == 0)
		return -EINVAL;
	*ret = TAKE_PTR(x);
	return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static int write_bio(BIO *b, const char *path, mode_t mode)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	if (n <= 0)
		return -ENOMEM;
	int r = io_replace_file(path, p, (size_t)n, mode, (uid_t)-1, (gid_t)-1);
	explicit_bzero(p, (size_t)n);
	return r;
}

static int load_key(const char *path, EVP_PKEY **ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PEM_MAX);
	int r = io_read_private(path, geteuid(), 077, &b);

	if (r < 0)
		return r;
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(b.data, (int)b.len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	if (!key)
		return -EBADMSG;
	*ret = key;
	return 0;
}

static int make_key(const char *path, EVP_PKEY **ret)
{
	_cleanup_pkey_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

	if (!key || !bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	int r = write_bio(bio, path, 0600);
	if (r == 0)
		*ret = TAKE_PTR(key);
	return r;
}

static int make_certificate(const struct config *cfg, const char *cert, const char *key_path)
{
	_cleanup_pkey_ EVP_PKEY *key = NULL;
	_cleanup_x509_ X509 *x = NULL;
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
	int r = exists(key_path) ? load_key(key_path, &key) : make_key(key_path, &key);

	if (r < 0)
		return failed(key_path, strerror(-r));
	r = build(cfg, key, &x);
	if (r == 0 && (!bio || PEM_write_bio_X509(bio, x) != 1))
		r = -ENOMEM;
	if (r == 0)
		r = write_bio(bio, cert, 0644);
	if (r < 0)
		return failed(cert, strerror(-r));
	log_event(LOG_LEVEL_INFO, "certificate", "made", "%s", cert, "for", "%s", cfg->url, NULL);
	return 0;
}

static int find_pin(struct central *c, const char *cert)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PEM_MAX);
	int r = io_read_file(cert, &b);

	if (r < 0)
		return failed(cert, strerror(-r));
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(b.data, (int)b.len);
	_cleanup_x509_ X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL, hash[32];
	if (!x)
		return failed(cert, "it holds no certificate");
	c->tls_pin[0] = '\0';
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		log_event(LOG_LEVEL_WARN, "certificate", "file", "%s", cert, "reason", "%s",
		    "it has expired", NULL);
	if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0)
		return 0;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool ok = n > 0 && EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	if (!ok)
		return failed(cert, "its key cannot be read");
	base64_encode(hash, sizeof(hash), c->tls_pin);
	return 0;
}

int tls_prepare(
    struct central *c, char ret_cert[static TLS_PATH_SIZE], char ret_key[static TLS_PATH_SIZE])
{
	const struct config *cfg = &c->config;
	int r = config_state_path(cfg, "tls.crt", ret_cert, TLS_PATH_SIZE);

	if (r == 0)
		r = config_state_path(cfg, "tls.key", ret_key, TLS_PATH_SIZE);
	if (r < 0)
		return r;
	if (cfg->tls_cert[0]) {
		snprintf(ret_cert, TLS_PATH_SIZE, "%s", cfg->tls_cert);
		snprintf(ret_key, TLS_PATH_SIZE, "%s", cfg->tls_key);
	} else if (!exists(ret_cert) || !exists(ret_key)) {
		r = make_certificate(cfg, ret_cert, ret_key);
		if (r < 0)
			return r;
	}
	return find_pin(c, ret_cert);
}

int tls_pin(const struct config *cfg, bool make, char ret[static TLS_PIN_SIZE])
{
	char cert[TLS_PATH_SIZE], key[TLS_PATH_SIZE];
	struct central *c = calloc(1, sizeof(*c));
	int r = c ? config_state_path(cfg, "tls.crt", cert, sizeof(cert)) : -ENOMEM;

	if (r == 0)
		r = config_state_path(cfg, "tls.key", key, sizeof(key));
	if (r == 0 && !make && !cfg->tls_cert[0] && !(exists(cert) && exists(key)))
		r = -ENOENT;
	if (r == 0) {
		c->config = *cfg;
		r = tls_prepare(c, cert, key);
	}
	if (r == 0)
		snprintf(ret, TLS_PIN_SIZE, "%s", c->tls_pin);
	free(c);
	return r;
}
