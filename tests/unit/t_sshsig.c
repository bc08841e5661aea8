/* SPDX-License-Identifier: MIT */
/* The proof that somebody holds a private key, against signatures that ssh-keygen made. */
#include <errno.h>
#include "api/sshsig.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/name.h"
#include "sshsig_vectors.h"
#include "test.h"

#define NS "prism-key"

static int verify(const struct sshsig_vector *v)
{
	return sshsig_verify(v->signature, v->key, NS, VECTOR_TEXT, strlen(VECTOR_TEXT));
}

TEST("S1.6 a proof by each kind of key that Prism takes verifies")
{
	for (size_t i = 0; i < ARRAY_SIZE(good_vectors); i++) {
		int r = verify(&good_vectors[i]);
		if (r)
			test_fail(__FILE__, __LINE__, "%s: %d", good_vectors[i].name, r);
	}
}

TEST("S1.6 a short RSA key is not taken, nor a signature for another purpose")
{
	EXPECT_INT(verify(&bad_vectors[0]), -ENOTSUP);
	EXPECT_INT(verify(&bad_vectors[1]), -EKEYREJECTED);
	/* It is the namespace alone that is wrong with the second. */
	EXPECT_INT(sshsig_verify(bad_vectors[1].signature, bad_vectors[1].key, "file", VECTOR_TEXT,
		       strlen(VECTOR_TEXT)),
	    0);
}

TEST("S1.6 another text, or another person's key, is refused")
{
	const struct sshsig_vector *v = good_vectors;
	EXPECT_INT(sshsig_verify(v->signature, v->key, NS, VECTOR_TEXT, strlen(VECTOR_TEXT) - 1),
	    -EKEYREJECTED);
	EXPECT_INT(sshsig_verify(v->signature, v->key, NS, "", 0), -EKEYREJECTED);
	for (size_t i = 1; i < 5; i++)
		EXPECT_INT(sshsig_verify(v->signature, good_vectors[i].key, NS, VECTOR_TEXT,
			       strlen(VECTOR_TEXT)),
		    -EKEYREJECTED);
}

/* The armored text around other bytes. */
static void armor(const uint8_t *blob, size_t n, char *out, size_t size)
{
	char b64[8192];
	base64_encode(blob, n, b64);
	snprintf(
	    out, size, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n", b64);
}

static size_t unarmor(const char *text, uint8_t *out, size_t max)
{
	char b64[8192];
	size_t n = 0;
	for (const char *p = strchr(text, '\n'); *p && strncmp(p, "-----END", 8) != 0; p++)
		if (*p != '\n')
			b64[n++] = *p;
	ssize_t len = base64_decode(b64, n, out, max);
	EXPECT(len > 0);
	return (size_t)len;
}

TEST("S1.6 no signature with one bit changed verifies")
{
	for (size_t i = 0; i < ARRAY_SIZE(good_vectors); i++) {
		const struct sshsig_vector *v = &good_vectors[i];
		uint8_t blob[4096];
		char text[8192];
		size_t n = unarmor(v->signature, blob, sizeof(blob));
		armor(blob, n, text, sizeof(text));
		EXPECT_INT(sshsig_verify(text, v->key, NS, VECTOR_TEXT, strlen(VECTOR_TEXT)), 0);
		for (size_t bit = 0; bit < n * 8; bit += 3) {
			blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
			armor(blob, n, text, sizeof(text));
			if (!sshsig_verify(text, v->key, NS, VECTOR_TEXT, strlen(VECTOR_TEXT)))
				test_fail(__FILE__, __LINE__, "%s: bit %zu", v->name, bit);
			blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

TEST("S1.6 no signature that was cut short or prolonged verifies")
{
	const struct sshsig_vector *v = good_vectors;
	uint8_t blob[4096] = {0};
	char text[8192];
	size_t n = unarmor(v->signature, blob, sizeof(blob));
	for (size_t cut = 0; cut <= n + 8; cut++) {
		armor(blob, cut, text, sizeof(text));
		int r = sshsig_verify(text, v->key, NS, VECTOR_TEXT, strlen(VECTOR_TEXT));
		if (cut == n ? r != 0 : r == 0)
			test_fail(__FILE__, __LINE__, "%zu of %zu: %d", cut, n, r);
	}
	EXPECT_INT(sshsig_verify("", v->key, NS, "", 0), -EBADMSG);
	EXPECT_INT(sshsig_verify("-----BEGIN SSH SIGNATURE-----", v->key, NS, "", 0), -EBADMSG);
}

TEST("S1.6 a public key is read whole, and named by its fingerprint")
{
	char line[SSHKEY_LINE_MAX + 1], fingerprint[SSHSIG_FINGERPRINT_LEN + 1];
	for (size_t i = 0; i < 5; i++) {
		EXPECT_INT(
		    sshsig_public_key(good_vectors[i].key, line, sizeof(line), fingerprint), 0);
		EXPECT(!strncmp(fingerprint, "SHA256:", 7));
		EXPECT_INT(strlen(fingerprint), SSHSIG_FINGERPRINT_LEN);
		EXPECT(!strstr(line, "comment"));
		EXPECT(sshkey_line_valid(line));
		/* A line without its comment gives the same again. */
		char again[SSHKEY_LINE_MAX + 1], same[SSHSIG_FINGERPRINT_LEN + 1];
		EXPECT_INT(sshsig_public_key(line, again, sizeof(again), same), 0);
		EXPECT_STR(again, line);
		EXPECT_STR(same, fingerprint);
	}
	EXPECT_INT(
	    sshsig_public_key(bad_vectors[0].key, line, sizeof(line), fingerprint), -ENOTSUP);
}

TEST("S1.6 what is no public key is refused")
{
	static const char *const bad[] = {"", " ", "ssh-ed25519", "ssh-ed25519 ",
	    "ssh-ed25519 AAAA",
	    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	    "command=\"x\" ssh-ed25519 "
	    "AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAH2FhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
	    "ssh-dss AAAAB3NzaC1kc3MAAAAA"};
	char line[SSHKEY_LINE_MAX + 1], fingerprint[SSHSIG_FINGERPRINT_LEN + 1];
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!sshsig_public_key(bad[i], line, sizeof(line), fingerprint))
			test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
	EXPECT_INT(sshsig_public_key(good_vectors[0].key, line, 20, fingerprint), -ENOBUFS);
}

TEST_MAIN()
