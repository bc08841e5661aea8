/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "prism-central/oidc.h"
#include "test.h"

static struct sso_assertion said;

/* What the mapping makes of these; "more" is the userinfo's, or NULL. */
static const struct sso_assertion *map(const char *mapping, const char *claims, const char *more)
{
	struct sso_connection c = {.mapping = json_loads(mapping, 0, NULL),
	    .allowed_roles = json_loads("[\"member\",\"admin\"]", 0, NULL)};
	json_t *a = json_loads(claims, 0, NULL), *b = more ? json_loads(more, 0, NULL) : NULL;

	EXPECT(c.mapping && c.allowed_roles && a && (!more || b));
	said = (struct sso_assertion){0};
	oidc_map(&c, a, b, &said);
	json_decref(c.mapping);
	json_decref(c.allowed_roles);
	json_decref(a);
	json_decref(b);
	return &said;
}

static bool lacks(const char *mapping, const char *claims)
{
	struct sso_connection c = {.mapping = json_loads(mapping, 0, NULL)};
	json_t *a = json_loads(claims, 0, NULL);
	bool out = oidc_map_lacks(&c, a);

	json_decref(c.mapping);
	json_decref(a);
	return out;
}

#define PERSON "\"name\":\"Alice\",\"preferred_username\":\"alice\""

TEST("S3.16 without a mapping the usual claims count")
{
	const struct sso_assertion *a =
	    map("{}", "{\"email\":\"a@uni.edu\",\"email_verified\":true," PERSON "}", NULL);

	EXPECT_STR(a->email, "a@uni.edu");
	EXPECT(a->email_verified);
	EXPECT_STR(a->name, "Alice");
	EXPECT_STR(a->username, "alice");
	EXPECT_STR(a->role, "");
}

TEST("S3.16 a mapping names other claims, also within others")
{
	const struct sso_assertion *a = map("{\"email\":\"mail\",\"name\":\"campus.display\","
					    "\"username\":\"uid\",\"role\":\"campus.role\"}",
	    "{\"mail\":\"a@uni.edu\",\"uid\":\"al\",\"campus\":{\"display\":\"A\",\"role\":"
	    "\"admin\"}}",
	    NULL);

	EXPECT_STR(a->email, "a@uni.edu");
	EXPECT_STR(a->name, "A");
	EXPECT_STR(a->username, "al");
	EXPECT_STR(a->role, "admin");
}

TEST("S3.17 an address is verified only by the word that stands beside it")
{
	static const struct {
		const char *mapping, *claims, *more;
		bool verified;
	} cases[] = {
	    {"{}", "{\"email\":\"a@uni.edu\",\"email_verified\":true}", NULL, true},
	    {"{}", "{\"email\":\"a@uni.edu\"}", NULL, false},
	    {"{}", "{\"email\":\"a@uni.edu\",\"email_verified\":\"true\"}", NULL, false},
	    {"{}", "{\"email\":\"a@uni.edu\",\"email_verified\":1}", NULL, false},
	    {"{}", "{\"email\":\"no address\",\"email_verified\":true}", NULL, false},
	    /* The word is about another address. */
	    {"{\"email\":\"mail\"}", "{\"mail\":\"a@uni.edu\",\"email_verified\":true}", NULL,
		false},
	    {"{\"email\":\"upn\"}",
		"{\"upn\":\"a@uni.edu\",\"email\":\"b@uni.edu\",\"email_verified\":true}", NULL,
		false},
	    {"{\"email\":\"x.email\"}", "{\"x\":{\"email\":\"a@uni.edu\",\"email_verified\":true}}",
		NULL, true},
	    {"{\"email\":\"x.email\"}", "{\"x\":{\"email\":\"a@uni.edu\"},\"email_verified\":true}",
		NULL, false},
	    /* Of the same document, whichever. */
	    {"{}", "{\"email_verified\":true}", "{\"email\":\"a@uni.edu\"}", false},
	    {"{}", "{}", "{\"email\":\"a@uni.edu\",\"email_verified\":true}", true},
	    {"{}", "{\"email\":\"a@uni.edu\"}", "{\"email\":\"a@uni.edu\",\"email_verified\":true}",
		false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sso_assertion *a =
		    map(cases[i].mapping, cases[i].claims, cases[i].more);
		if (a->email_verified != cases[i].verified)
			printf("# case %zu\n", i);
		EXPECT_INT(a->email_verified, cases[i].verified);
	}
}

TEST("L4.9 a missing claim is looked for in the userinfo, an empty one is not")
{
	const struct sso_assertion *a = map("{}", "{\"name\":\"\"}", "{" PERSON "}");

	EXPECT_STR(a->name, "");
	EXPECT_STR(a->username, "alice");
	EXPECT(lacks("{}", "{\"email\":\"a@uni.edu\",\"name\":\"\"}"));
	EXPECT(!lacks("{}", "{\"email\":\"\"," PERSON "}"));
	EXPECT(!lacks("{}", "{\"email\":null," PERSON "}"));
	EXPECT(lacks("{\"role\":\"campus.role\"}", "{\"email\":\"\"," PERSON "}"));
	/* A word that is mapped to nothing is not needed. */
	EXPECT(!lacks("{\"email\":\"\"}", "{" PERSON "}"));
	EXPECT_STR(map("{\"email\":\"\"}", "{\"email\":\"a@uni.edu\"}", NULL)->email, "");
}

TEST("S3.17 what cannot be an address, a name or a username here is left out")
{
	const struct sso_assertion *a = map(
	    "{}", "{\"email\":\"a@b@c\",\"name\":\"a:b\",\"preferred_username\":\"root\"}", NULL);

	EXPECT_STR(a->email, "");
	EXPECT_STR(a->name, "");
	EXPECT_STR(a->username, "");
	EXPECT_STR(
	    map("{}", "{\"preferred_username\":\"Alice@uni.edu\"}", NULL)->username, "alice");
	EXPECT_STR(map("{}", "{\"preferred_username\":\"Z\\u00e9\"}", NULL)->username, "");
	EXPECT_STR(
	    map("{}", "{\"preferred_username\":[\"alice\"],\"name\":7}", NULL)->username, "");
	EXPECT_STR(
	    map("{}", "{\"preferred_username\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		NULL)
		->username,
	    "");
}

TEST("S3.16 of several roles the first that the connection allows")
{
	static const char m[] = "{\"role\":\"groups\"}";

	EXPECT_STR(map(m, "{\"groups\":[\"staff\",\"admin\",\"member\"]}", NULL)->role, "admin");
	EXPECT_STR(map(m, "{\"groups\":[\"staff\"]}", NULL)->role, "");
	EXPECT_STR(map(m, "{\"groups\":[7,{},null]}", NULL)->role, "");
	EXPECT_STR(map(m, "{\"groups\":[]}", NULL)->role, "");
	EXPECT_STR(map(m, "{\"groups\":\"owner\"}", NULL)->role, "owner");
	EXPECT_STR(
	    map(m, "{\"groups\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL)->role, "");
}

TEST("S3.16 a scope is a whole word of the connection's scopes")
{
	struct sso_connection c = {.scopes = "openid  offline_access2 email"};

	EXPECT(oidc_scope_has(&c, "openid"));
	EXPECT(oidc_scope_has(&c, "email"));
	EXPECT(!oidc_scope_has(&c, "offline_access"));
	EXPECT(!oidc_scope_has(&c, "mail"));
	EXPECT(!oidc_scope_has(&c, ""));
}

TEST("S3.17 what was asserted survives as text, without its refresh token")
{
	char secret[] = "secret";
	struct sso_assertion a = {.connection = 7,
	    .issuer = "https://i",
	    .subject = "s \"1\"",
	    .email = "a@uni.edu",
	    .email_verified = true,
	    .name = "Al \xc3\xa9",
	    .auth_at = 5,
	    .sid = "x",
	    .refresh_token = secret};
	struct sso_assertion b = {0};
	char *text = sso_assertion_pack(&a);

	EXPECT(text && !strstr(text, "secret"));
	EXPECT_INT(sso_assertion_unpack(text, &b), 0);
	a.refresh_token = NULL;
	EXPECT_INT(memcmp(&a, &b, sizeof(a)), 0);
	EXPECT_INT(sso_assertion_unpack("{}", &b), -EBADMSG);
	EXPECT_INT(sso_assertion_unpack("", &b), -EBADMSG);
	free(text);
}

TEST_MAIN()
