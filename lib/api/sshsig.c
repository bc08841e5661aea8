/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include "api/sshsig.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/name.h"

#define BEGIN	     "-----BEGIN SSH SIGNATURE-----"
#define END	     "-----END SSH SIGNATURE-----"
#define MAGIC	     "SSHSIG"
#define MAGIC_LEN    6
#define VERSION	     1
#define BLOB_MAX     4096
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* ---- SSH's wire encoding: u32 lengths, most significant byte first -------------------------- */

struct ssh {
	const uint8_t *p, *end;
	bool failed;
};

struct str {
	const uint8_t *p;
	size_t n;
};

static const uint8_t *get(struct ssh *s, size_t n)
{
	const uint8_t *p = s->p;
	if (s->failed || (size_t)(s->end - s->p) < n) {
		s->failed = true;
		return NULL;
	}
	s->p += n;
	return p;
}

static uint32_t get_u32(struct ssh *s)
{
	const uint8_t *p = get(s, 4);
	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static struct str get_str(struct ssh *s)
{
	size_t n = get_u32(s);
	const uint8_t *p = get(s, n);
	return p ? (struct str){p, n} : (struct str){NULL, 0};
}

/* A positive number in its shortest form, without the zero byte that keeps it positive. */
static struct str get_mpint(struct ssh *s)
{
	struct str v = get_str(s);
	if (s->failed || !v.n || v.p[0] & 0x80 || (v.n > 1 && !v.p[0] && !(v.p[1] & 0x80)) ||
	    (v.n == 1 && !v.p[0])) {
		s->failed = true;
		return (struct str){NULL, 0};
	}
	if (!v.p[0])
		v = (struct str){v.p + 1, v.n - 1};
	return v;
}

static bool done(const struct ssh *s)
{
	return !s->failed && s->p == s->end;
}

static bool is(struct str v, const char *text)
{
	return v.p && v.n == strlen(text) && !memcmp(v.p, text, v.n);
}

static struct ssh reader(struct str v)
{
	return (struct ssh){v.p, v.p + v.n, false};
}

/* ---- public keys ---------------------------------------------------------------------------- */

struct public_key {
	const struct algorithm *algorithm;
	struct str a, b; /* Ed25519: the point; ECDSA: curve, point; RSA: e, n */
};

static void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

/* One kind of key: how its blob reads on after its name, and how a signature by it is checked. */
struct algorithm {
	const char *name, *curve, *group;
	size_t point; /* bytes of a public point */
	int (*read)(struct ssh *s, struct public_key *k);
	EVP_PKEY *(*make)(const struct public_key *k);
	int (*check)(EVP_PKEY *pkey, struct str type, struct ssh *sig, const struct public_key *k,
	    struct str data);
};

static int digest_check(EVP_PKEY *pkey, const EVP_MD *md, struct str sig, struct str data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1 &&
		 EVP_DigestVerify(ctx, sig.p, sig.n, data.p, data.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EKEYREJECTED;
}

static int ed25519_read(struct ssh *s, struct public_key *k)
{
	k->a = get_str(s);
	return done(s) && k->a.n == 32 ? 0 : -EBADMSG;
}

static EVP_PKEY *ed25519_make(const struct public_key *k)
{
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->a.p, k->a.n);
}

static int ed25519_check(
    EVP_PKEY *pkey, struct str type, struct ssh *sig, const struct public_key *k, struct str data)
{
	struct str v = get_str(sig);
	if (!is(type, k->algorithm->name))
		return -ENOTSUP;
	if (!done(sig) || v.n != 64)
		return -EBADMSG;
	return digest_check(pkey, NULL, v, data);
}

static int ecdsa_read(struct ssh *s, struct public_key *k)
{
	k->a = get_str(s);
	k->b = get_str(s);
	if (!done(s) || !is(k->a, k->algorithm->curve) || k->b.n != k->algorithm->point ||
	    k->b.p[0] != 4)
		return -EBADMSG;
	return 0;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *ecdsa_make(const struct public_key *k)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	if (bld &&
	    OSSL_PARAM_BLD_push_utf8_string(
		bld, OSSL_PKEY_PARAM_GROUP_NAME, k->algorithm->group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, k->b.p, k->b.n) == 1)
		pkey = pkey_from("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

/* SSH sends r and s as two numbers, OpenSSL wants them in DER. */
static int ecdsa_der(struct str r, struct str s, unsigned char **ret)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *rn = BN_bin2bn(r.p, (int)r.n, NULL), *sn = BN_bin2bn(s.p, (int)s.n, NULL);
	int n = -ENOMEM;
	if (sig && rn && sn && ECDSA_SIG_set0(sig, rn, sn) == 1) {
		n = i2d_ECDSA_SIG(sig, ret);
	} else {
		BN_free(rn);
		BN_free(sn);
	}
	ECDSA_SIG_free(sig);
	return n > 0 ? n : -ENOMEM;
}

static int ecdsa_check(
    EVP_PKEY *pkey, struct str type, struct ssh *sig, const struct public_key *k, struct str data)
{
	struct str v = get_str(sig);
	unsigned char *der = NULL;
	if (!is(type, k->algorithm->name))
		return -ENOTSUP;
	if (!done(sig))
		return -EBADMSG;
	struct ssh in = reader(v);
	struct str r = get_mpint(&in), s = get_mpint(&in);
	if (!done(&in) || r.n > k->algorithm->point || s.n > k->algorithm->point)
		return -EBADMSG;
	int n = ecdsa_der(r, s, &der);
	if (n < 0)
		return n;
	const EVP_MD *md = k->algorithm->point <= 65   ? EVP_sha256()
			   : k->algorithm->point <= 97 ? EVP_sha384()
						       : EVP_sha512();
	n = digest_check(pkey, md, (struct str){der, (size_t)n}, data);
	OPENSSL_free(der);
	return n;
}

static int rsa_read(struct ssh *s, struct public_key *k)
{
	k->a = get_mpint(s);
	k->b = get_mpint(s);
	if (!done(s))
		return -EBADMSG;
	/* An odd exponent of at most 64 bits, above 1; the modulus within bounds that cost little.
	 */
	if (k->a.n > 8 || !(k->a.p[k->a.n - 1] & 1) || (k->a.n == 1 && k->a.p[0] < 3))
		return -EBADMSG;
	return k->b.n * 8 < RSA_BITS_MIN || k->b.n * 8 > RSA_BITS_MAX || !(k->b.p[0] & 0x80)
		   ? -ENOTSUP
		   : 0;
}

static EVP_PKEY *rsa_make(const struct public_key *k)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *e = BN_bin2bn(k->a.p, (int)k->a.n, NULL), *n = BN_bin2bn(k->b.p, (int)k->b.n, NULL);
	if (bld && e && n && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1)
		pkey = pkey_from("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(e);
	BN_free(n);
	return pkey;
}

static int rsa_check(
    EVP_PKEY *pkey, struct str type, struct ssh *sig, const struct public_key *k, struct str data)
{
	struct str v = get_str(sig);
	bool sha256 = is(type, "rsa-sha2-256");
	if (!sha256 && !is(type, "rsa-sha2-512"))
		return -ENOTSUP;
	if (!done(sig) || v.n != k->b.n)
		return -EBADMSG;
	return digest_check(pkey, sha256 ? EVP_sha256() : EVP_sha512(), v, data);
}

static const struct algorithm algorithms[] = {
    {"ssh-ed25519", NULL, NULL, 0, ed25519_read, ed25519_make, ed25519_check},
    {"ecdsa-sha2-nistp256", "nistp256", "P-256", 65, ecdsa_read, ecdsa_make, ecdsa_check},
    {"ecdsa-sha2-nistp384", "nistp384", "P-384", 97, ecdsa_read, ecdsa_make, ecdsa_check},
    {"ecdsa-sha2-nistp521", "nistp521", "P-521", 133, ecdsa_read, ecdsa_make, ecdsa_check},
    {"ssh-rsa", NULL, NULL, 0, rsa_read, rsa_make, rsa_check},
};

static int key_read(struct str blob, struct public_key *ret)
{
	struct ssh s = reader(blob);
	struct str name = get_str(&s);
	if (s.failed)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		if (!is(name, algorithms[i].name))
			continue;
		ret->algorithm = &algorithms[i];
		return algorithms[i].read(&s, ret);
	}
	return -ENOTSUP;
}

/* The blob of "TYPE BASE64 [COMMENT]", whose type must be the blob's own. Returns its length. */
static ssize_t line_blob(const char *line, uint8_t *out, size_t max)
{
	size_t type = strcspn(line, " ");
	const char *b64 = line + type;
	if (!type || *b64 != ' ')
		return -EBADMSG;
	b64++;
	ssize_t n = base64_decode(b64, strcspn(b64, " "), out, max);
	if (n < 0)
		return n == -ENOBUFS ? -ENOTSUP : -EBADMSG;
	struct ssh s = reader((struct str){out, (size_t)n});
	struct str name = get_str(&s);
	if (s.failed || name.n != type || memcmp(name.p, line, type) != 0)
		return -EBADMSG;
	return n;
}

int sshsig_public_key(
    const char *line, char *out, size_t size, char fingerprint[static SSHSIG_FINGERPRINT_LEN + 1])
{
	uint8_t blob[BLOB_MAX], hash[SHA256_DIGEST_LENGTH];
	char text[BASE64_LEN(sizeof(hash)) + 1];
	struct public_key k;
	if (strlen(line) > SSHKEY_LINE_MAX)
		return -EBADMSG;
	ssize_t n = line_blob(line, blob, sizeof(blob));
	if (n < 0)
		return (int)n;
	int r = key_read((struct str){blob, (size_t)n}, &k);
	if (r < 0)
		return r;
	_cleanup_(pkey_freep) EVP_PKEY *pkey = k.algorithm->make(&k);
	if (!pkey)
		return -EBADMSG;
	size_t len = strcspn(line, " ") + 1;
	len += strcspn(line + len, " ");
	if (len >= size)
		return -ENOBUFS;
	memcpy(out, line, len);
	out[len] = '\0';
	SHA256(blob, (size_t)n, hash);
	base64_encode(hash, sizeof(hash), text);
	text[strcspn(text, "=")] = '\0';
	snprintf(fingerprint, SSHSIG_FINGERPRINT_LEN + 1, "SHA256:%s", text);
	return 0;
}

/* ---- signatures ----------------------------------------------------------------------------- */

/* The bytes between the two lines, which stand alone; line breaks anywhere between. */
static ssize_t armor_blob(const char *armored, uint8_t *out, size_t max)
{
	char b64[SSHSIG_ARMOR_MAX];
	size_t n = 0;
	if (strlen(armored) > sizeof(b64) || strncmp(armored, BEGIN, strlen(BEGIN)) != 0)
		return -EBADMSG;
	const char *p = armored + strlen(BEGIN), *end = strstr(p, END);
	if (!end || (*p != '\n' && *p != '\r'))
		return -EBADMSG;
	for (; p < end; p++)
		if (*p != '\n' && *p != '\r')
			b64[n++] = *p;
	for (p = end + strlen(END); *p; p++)
		if (*p != '\n' && *p != '\r')
			return -EBADMSG;
	ssize_t r = base64_decode(b64, n, out, max);
	return r < 0 ? -EBADMSG : r;
}

struct sshsig {
	struct str key, ns, reserved, hash, signature;
};

static int sig_read(struct str blob, struct sshsig *ret)
{
	struct ssh s = reader(blob);
	const uint8_t *magic = get(&s, MAGIC_LEN);
	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN) != 0 || get_u32(&s) != VERSION)
		return -EBADMSG;
	ret->key = get_str(&s);
	ret->ns = get_str(&s);
	ret->reserved = get_str(&s);
	ret->hash = get_str(&s);
	ret->signature = get_str(&s);
	return done(&s) ? 0 : -EBADMSG;
}

static void put_str(uint8_t **out, const void *p, size_t n)
{
	const uint8_t len[4] = {
	    (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	memcpy(*out, len, sizeof(len));
	if (n)
		memcpy(*out + sizeof(len), p, n);
	*out += sizeof(len) + n;
}

#define SIGNED_MAX (MAGIC_LEN + 4 * 4 + SSHSIG_NAMESPACE_MAX + 8 + SHA512_DIGEST_LENGTH)

/* What is really signed: magic, namespace, reserved (empty), the hash's name, the hash. */
static int signed_data(const struct sshsig *s, const char *ns, const void *p, size_t n,
    uint8_t out[static SIGNED_MAX], size_t *ret_len)
{
	uint8_t hash[SHA512_DIGEST_LENGTH], *end = out;
	size_t len;
	if (is(s->hash, "sha256")) {
		SHA256(p, n, hash);
		len = SHA256_DIGEST_LENGTH;
	} else if (is(s->hash, "sha512")) {
		SHA512(p, n, hash);
		len = SHA512_DIGEST_LENGTH;
	} else {
		return -ENOTSUP;
	}
	memcpy(end, MAGIC, MAGIC_LEN);
	end += MAGIC_LEN;
	put_str(&end, ns, strlen(ns));
	put_str(&end, NULL, 0);
	put_str(&end, s->hash.p, s->hash.n);
	put_str(&end, hash, len);
	*ret_len = (size_t)(end - out);
	return 0;
}

static int check(const struct sshsig *s, const struct public_key *k, struct str data)
{
	_cleanup_(pkey_freep) EVP_PKEY *pkey = k->algorithm->make(k);
	if (!pkey)
		return -EBADMSG;
	struct ssh sig = reader(s->signature);
	struct str type = get_str(&sig);
	if (sig.failed)
		return -EBADMSG;
	return k->algorithm->check(pkey, type, &sig, k, data);
}

int sshsig_verify(const char *armored, const char *line, const char *ns, const void *p, size_t n)
{
	uint8_t blob[BLOB_MAX], key[BLOB_MAX], data[SIGNED_MAX];
	struct public_key k;
	struct sshsig s;
	size_t len;
	if (strlen(ns) > SSHSIG_NAMESPACE_MAX)
		return -EBADMSG;
	ssize_t got = armor_blob(armored, blob, sizeof(blob));
	if (got < 0)
		return (int)got;
	int r = sig_read((struct str){blob, (size_t)got}, &s);
	if (r < 0)
		return r;
	got = line_blob(line, key, sizeof(key));
	if (got < 0)
		return (int)got;
	r = key_read((struct str){key, (size_t)got}, &k);
	if (r < 0)
		return r;
	/* "reserved" is left out of what we hash, so one that is not empty can never verify. */
	if (s.key.n != (size_t)got || memcmp(s.key.p, key, s.key.n) != 0 || !is(s.ns, ns) ||
	    s.reserved.n)
		return -EKEYREJECTED;
	r = signed_data(&s, ns, p, n, data, &len);
	return r ? r : check(&s, &k, (struct str){data, len});
}
