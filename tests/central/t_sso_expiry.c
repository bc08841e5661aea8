/* SPDX-License-Identifier: MIT */
/* Certificates of SAML connections that end: what is said of them, and how often. */
#include "prism-central/sso.h"
#include "prism-central/sso_certificate.h"
#include "world.h"

#define HOUR	 3600
#define DAY	 86400
#define TEN_DAYS (10 * DAY)

static char pem[4096];
static int64_t ends;

/* An enabled connection whose own certificate is new. */
static void connection(void)
{
	_cleanup_buf_ struct buf key = BUF_INIT(SSO_PEM_MAX), certificate = BUF_INIT(SSO_PEM_MAX);
	struct sso_certificate x;

	EXPECT_INT(sso_certificate_make("prism uni", &key, &certificate), 0);
	EXPECT_INT(sso_certificates_look(buf_str(&certificate), &x, 1), 1);
	EXPECT_STR(x.subject, "CN=prism uni");
	EXPECT_INT(strlen(x.fingerprint), 95);
	snprintf(pem, sizeof(pem), "%s", buf_str(&certificate));
	ends = x.not_after;
	EXPECT(ends > clock_now() + 3649 * DAY);
	_cleanup_buf_ struct buf text = BUF_INIT(8192);
	buf_addf(&text,
	    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, sp_certificate, created_at, created_by, updated_at) SELECT 7, o.id,"
	    " 'uni', 'Uni', 'saml', 1, 'urn:uni', (SELECT min(id) FROM roles), '%s', 1,"
	    " (SELECT min(id) FROM users), 1 FROM organizations o LIMIT 1",
	    pem);
	sql(buf_str(&text));
}

static int watch(int64_t *last, int64_t now)
{
	return sso_expiry_watch(&central, last, now);
}

TEST("I3.2 a certificate that ends is told of once a day, from thirty days before")
{
	int64_t last = 0;

	world();
	snprintf(central.config.database, sizeof(central.config.database), "%s", world_url);
	EXPECT_INT(watch(&last, clock_now()), 0);
	connection();
	last = 0;
	EXPECT_INT(watch(&last, clock_now()), 0);
	last = 0;
	EXPECT_INT(watch(&last, ends - 31 * DAY), 0);
	EXPECT_INT(watch(&last, ends - 29 * DAY - HOUR), 1);
	EXPECT_INT(watch(&last, ends - 29 * DAY), 0);
	EXPECT_INT(watch(&last, ends - 28 * DAY - HOUR - 1), 0);
	EXPECT_INT(watch(&last, ends - 28 * DAY - HOUR), 1);
	EXPECT_INT(watch(&last, ends + DAY), 1);
	EXPECT_INT(last, ends + DAY);
}

TEST("I3.2 the next certificate counts as the present one does, a former one and a disabled "
     "connection do not")
{
	int64_t last = 0;

	world();
	snprintf(central.config.database, sizeof(central.config.database), "%s", world_url);
	connection();
	sql("UPDATE sso_connections SET sp_other = 'next', sp_other_certificate = sp_certificate");
	EXPECT_INT(watch(&last, ends - TEN_DAYS), 2);
	sql("UPDATE sso_connections SET sp_other = 'former'");
	last = 0;
	EXPECT_INT(watch(&last, ends - TEN_DAYS), 1);
	sql("UPDATE sso_connections SET enabled = 0");
	last = 0;
	EXPECT_INT(watch(&last, ends - TEN_DAYS), 0);
}

TEST("I3.2 of several certificates each is looked at, and what stands between them is not")
{
	_cleanup_buf_ struct buf text = BUF_INIT(SSO_PEM_MAX);
	struct sso_certificate all[SSO_CERTIFICATES_MAX];

	world();
	connection();
	EXPECT_INT(sso_certificates_look("", all, SSO_CERTIFICATES_MAX), 0);
	EXPECT_INT(sso_certificates_look("no certificate", all, SSO_CERTIFICATES_MAX), 0);
	buf_addf(&text, "%swords\n%s", pem, pem);
	EXPECT_INT(sso_certificates_look(buf_str(&text), all, SSO_CERTIFICATES_MAX), 2);
	EXPECT_STR(all[0].fingerprint, all[1].fingerprint);
	EXPECT_INT(sso_certificates_look(buf_str(&text), all, 1), 1);
}

TEST_MAIN()
