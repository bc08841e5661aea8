/* SPDX-License-Identifier: MIT */
/* with: prism-saml.a */
/* A document as a response, as an assertion whose signature was good, and as metadata. */
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "base/encode.h"
#include "prism-saml/operation.h"
#include "prism-saml/shape.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whose key has signed some of the corpus, at this time; it was thrown away. */
#define NOW 1790000000
static const char idp_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDCTCCAfGgAwIBAgIUJGluldVZhmvKQ/E4DpQiCcttoDowDQYJKoZIhvcNAQEL\n"
    "BQAwEzERMA8GA1UEAwwIZnV6ei1pZHAwIBcNMjYxMTIwMTIzMDM2WhgPMjEwOTAx\n"
    "MDkxMjMwMzZaMBMxETAPBgNVBAMMCGZ1enotaWRwMIIBIjANBgkqhkiG9w0BAQEF\n"
    "AAOCAQ8AMIIBCgKCAQEAlOfV4a+ePCWhF0b3dLgD4uaeT15vebyS+Xle4Dkn2f5i\n"
    "KpMrKOLIJCmJIVEENFBttxUOL9ceth05gJInPa2WMAHvc+/d/N6QDlgp06+ISZXs\n"
    "sECOpthWfOF2zWWSKWSw0WI/Ey6foL6rFcwb/OJWymlGnanNQKyUwXv1R/WTNJpY\n"
    "3W328OMXh/BKemNrKMt+CBbubg8CwFYAEqK1fX4bmHpsQg+zCqJ+V6yXfdbCA+Hj\n"
    "OKkZx1Fv6hOz0H27OS52CpTj/8J1WsQrjR9MT1aLgh+97IXQxjTcy/x0sY2nqmLb\n"
    "FzFo8FdqjYnihFbJYrCXOV6+9+O76HrBiG7JAqoF8QIDAQABo1MwUTAdBgNVHQ4E\n"
    "FgQUS1OS/ZaOYgAMJF8R5oFvXjkA4kowHwYDVR0jBBgwFoAUS1OS/ZaOYgAMJF8R\n"
    "5oFvXjkA4kowDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAeZLz\n"
    "tE64Es3c/NnbRJxnAcyetFwFtmvK8Z38b4tiWMtCR8txS7hndcWZELjp4DNqDpZv\n"
    "N7L7A7rPHunHa2VkrIwAg9Ik1Ph4k2s4AG0TpauhdBB/7xj2kGXaZNtHdfyV4COu\n"
    "qCYtc5/o40L7lP4XXsCovl9ma+yXfANk6RloVnoQzYRrv9WTOg3+bEjSUkSI49aQ\n"
    "r6ahwfaK+6j4aeWi059nm1XGlDWaXOmtI4au+8IuLecgZ4m575koulsIRPmfpbyg\n"
    "786IW2hCqrXd4mOM+pTcRnx6FWufQmqmnXoXqDgan1A5UfDveVFsfGCGr2PjpOIq\n"
    "SYJVqK+bfR6BTKG3qA==\n"
    "-----END CERTIFICATE-----\n";

static char key[4096];

/* lasso forgets keys that do not decrypt; its process lives for one message. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libxmlsec1\nleak:liblasso\n";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	EVP_PKEY *k = EVP_RSA_gen(2048);
	BIO *b = BIO_new(BIO_s_mem());

	/* xmlsec looks for the system's certificates every time; in the sandbox there are none. */
	setenv("SSL_CERT_FILE", "/dev/null", 1);
	setenv("SSL_CERT_DIR", "/dev/null", 1);
	if (operation_init() < 0 || !k || !b ||
	    !PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL))
		abort();
	key[BIO_read(b, key, sizeof(key) - 1)] = '\0';
	BIO_free(b);
	EVP_PKEY_free(k);
	return 0;
}

static json_t *ask(json_t *q)
{
	char *text = json_dumps(q, 0);
	json_t *answer = operation_run(text, strlen(text));
	const char *word = json_string_value(json_object_get(answer, "fault"));

	if (!answer || (word && !json_string_value(json_object_get(answer, "text"))))
		abort();
	json_decref(q);
	free(text);
	return answer;
}

/* Nobody gets in but the one whom the key's owner has named, by the assertion that was signed. */
static void as_response(const char *xml, size_t n)
{
	char *text = malloc(BASE64_LEN(n) + 1);
	json_t *a, *q;

	base64_encode(xml, n, text);
	q = json_pack("{s:s, s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:s, s:s, s:i}",
	    "operation", "consume", "sp", "entity_id", "https://prism.test/sso/uni/metadata", "acs",
	    "https://prism.test/sso/uni/acs", "certificate", idp_certificate, "key", key, "idp",
	    "entity_id", "https://idp.uni.test/saml", "entry_point", "https://idp.uni.test/sso",
	    "certificates", idp_certificate, "response", text, "request_id", "_req", "now", NOW);
	free(text);
	a = ask(q);
	if (!json_object_get(a, "fault")) {
		const char *subject = json_string_value(json_object_get(a, "subject"));
		const char *id = json_string_value(json_object_get(a, "assertion_id"));

		if (strcmp(id, "_the-one") != 0 ||
		    (strcmp(subject, "p-4711") != 0 && strcmp(subject, "alice@uni.edu") != 0 &&
			strncmp(subject, "a&b<c", 5) != 0))
			abort();
	}
	json_decref(a);
}

static void as_assertion(const char *xml, size_t n)
{
	static const struct expected e = {.issuer = "https://idp.uni.test/saml",
	    .acs = "https://prism.test/sso/uni/acs",
	    .audience = "https://prism.test/sso/uni/metadata",
	    .request_id = "_req",
	    .now = NOW,
	    .fresh_since = NOW - 600};
	struct fault f = {FAULT_NONE, ""};
	struct shape s;
	json_t *answer = NULL;
	xmlDoc *doc = NULL;

	if (tree_parse(xml, n, &f, &doc) < 0)
		return;
	if (shape_check_assertion(xmlDocGetRootElement(doc), &f, &s) == 0 &&
	    claims_read(s.assertion, &e, &f, &answer) == 0) {
		if (!*json_string_value(json_object_get(answer, "subject")) ||
		    json_integer_value(json_object_get(answer, "not_on_or_after")) < NOW - 60)
			abort();
		json_decref(answer);
	}
	xmlFreeDoc(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *xml = malloc(size + 1);

	memcpy(xml, data, size);
	xml[size] = '\0';
	if (strstr(xml, "Response"))
		as_response(xml, size);
	as_assertion(xml, size);
	json_t *text = json_string(xml);
	if (text)
		json_decref(ask(json_pack("{s:s, s:o}", "operation", "idp-metadata", "xml", text)));
	free(xml);
	return 0;
}
