/* SPDX-License-Identifier: MIT */

/* A host in wrong hands writes as much into the audit as it may, and not more. */
#include "base/attr.h"
#include "base/encode.h"
#include "feed/login.h"
#include "prism-central/oauth.h"
#include "world.h"
#include "pages.h"

#define TOKEN  "pht_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN2 "pht_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static int64_t now_ms;
static struct browse ws1, ws2, web;
static char user_code[16], device_code[64];

static int64_t fake_clock(void)
{
	return now_ms;
}

struct made {
	const char *name, *token;
	int64_t id;
};

static int host_tx(struct tx *t, void *arg)
{
	static const char sql_host[] =
	    "INSERT INTO hosts (id, organization_id, name, public_key, hostname, address,"
	    " ssh_host_keys, state, manifest, enrolled_at, last_seen) SELECT $1, organization_id,"
	    " $2, $2, $2, '10.0.0.9', '[]', 'enrolled', 1, 1, 1 FROM projects";
	static const char sql_serves[] =
	    "INSERT INTO host_projects (host_id, project_id) SELECT $1, id FROM projects";
	static const char sql_token[] = "INSERT INTO host_tokens (id, host_id, token_hash,"
					" expires_at) VALUES ($1, $2, $3, 99999999999)";
	struct made *m = arg;
	char hash[65];
	int r = tx_exec(t, sql_host, "is", m->id, m->name);

	sha256_hex(m->token, strlen(m->token), hash);
	if (r == 0)
		r = tx_exec(t, sql_serves, "i", m->id);
	return r ? r : tx_exec(t, sql_token, "iis", store_new_id(), m->id, hash);
}

/* Two hosts of the superadmin's project; limits count, and time stands still. */
static void stage(void)
{
	struct made one = {"ws1", TOKEN, 1001}, two = {"ws2", TOKEN2, 1002};

	world();
	project(&chief, "lab");
	EXPECT_INT(store_tx(db, STORE_WRITE, host_tx, &one), 0);
	EXPECT_INT(store_tx(db, STORE_WRITE, host_tx, &two), 0);
	ws1 = (struct browse){.bearer = "Bearer " TOKEN, .no_csrf = true};
	ws2 = (struct browse){.bearer = "Bearer " TOKEN2, .no_csrf = true};
	web = (struct browse){.cookie = ""};
	world_limits = true;
	now_ms = 1000000000;
	ratelimit_reset(fake_clock);
}

/* chief logs in at this host, from there. */
static int begin(struct browse *host, int from)
{
	char form[256], nonce[2 * LOGIN_NONCE_LEN + 1];

	memset(nonce, 'a', sizeof(nonce) - 1);
	nonce[sizeof(nonce) - 1] = '\0';
	snprintf(form, sizeof(form),
	    "client_id=prism-host&login_hint=chief&service=sshd&origin=10.1.%d.%d&nonce=%s",
	    from / 256, from % 256, nonce);
	int status = browse(host, HTTP_POST, "/oauth2/device_authorization", form);
	json_auto_t *o = json_loads(host->body, 0, NULL);
	const char *device = json_string_value(json_object_get(o, "device_code"));
	const char *user = json_string_value(json_object_get(o, "user_code"));
	snprintf(device_code, sizeof(device_code), "%s", device ? device : "");
	snprintf(user_code, sizeof(user_code), "%s", user ? user : "");
	return status;
}

static int give_up(struct browse *host)
{
	char form[160];

	snprintf(form, sizeof(form), "client_id=prism-host&token=%s", device_code);
	return browse(host, HTTP_POST, "/oauth2/revoke", form);
}

static int64_t events(const char *action)
{
	char text[128];

	snprintf(text, sizeof(text), "SELECT COUNT(*) FROM audit WHERE action = '%s'", action);
	return sql_int(text);
}

/* Take so many of those that ws1 has. */
static void use_up(int n)
{
	while (n-- > 0)
		EXPECT_INT(ratelimit_take(RATELIMIT_HOST_NOTED, "1001"), 0);
}

TEST("L4.14 a class of two hundred that logs in at once, and gives up, is noted to the last")
{
	stage();
	for (int i = 0; i < 200; i++) {
		EXPECT_INT(begin(&ws1, i), 200);
		EXPECT_INT(give_up(&ws1), 200);
	}
	EXPECT_INT(events("device.begin"), 200);
	EXPECT_INT(events("device.end"), 200);
	EXPECT_INT(events("host.ceiling"), 0);
	/* and so would be nine more of them */
	use_up(3600);
}

TEST("L4.14 what a host begins beyond its ceiling is not noted; that there was more, once")
{
	stage();
	use_up(3998);
	for (int i = 0; i < 8; i++) {
		EXPECT_INT(begin(&ws1, i), 200);
		EXPECT_INT(give_up(&ws1), 200);
	}
	EXPECT_INT(events("device.begin"), 1);
	EXPECT_INT(events("device.end"), 1);
	EXPECT_INT(events("host.ceiling"), 1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'host.ceiling' AND"
			   " actor = 'host:ws1' AND object = 'host:ws1' AND"
			   " detail = '{\"not_noted\":\"device.begin\"}'"),
	    1);
	/* another host's are its own */
	EXPECT_INT(begin(&ws2, 1), 200);
	EXPECT_INT(events("device.begin"), 2);
	/* one comes back every five seconds; the sentence, after a day */
	now_ms += 5000;
	EXPECT_INT(begin(&ws1, 20), 200);
	EXPECT_INT(begin(&ws1, 21), 200);
	EXPECT_INT(events("device.begin"), 3);
	EXPECT_INT(events("host.ceiling"), 1);
	now_ms += 86400000;
	use_up(4000);
	EXPECT_INT(begin(&ws1, 22), 200);
	EXPECT_INT(events("host.ceiling"), 2);
}

TEST("L4.14 it hides nothing that lets anybody in")
{
	char form[256];

	stage();
	use_up(4000);
	EXPECT_INT(begin(&ws1, 1), 200);
	EXPECT_INT(events("device.begin"), 0);
	EXPECT_INT(browse_login(&web, "chief", "correct+horse+battery"), 303);
	snprintf(form, sizeof(form), "/device?user_code=%s", user_code);
	EXPECT_INT(browse(&web, HTTP_GET, form, NULL), 200);
	snprintf(form, sizeof(form), "user_code=%s&decision=approve", user_code);
	EXPECT_INT(browse(&web, HTTP_POST, "/device/decide", form), 200);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'device.approve' AND"
			   " detail LIKE '%10.1.0.1%'"),
	    1);
	snprintf(form, sizeof(form),
	    "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=prism-host"
	    "&device_code=%s",
	    device_code);
	EXPECT_INT(browse(&ws1, HTTP_POST, "/oauth2/token", form), 200);
	EXPECT_INT(events("device.redeem"), 1);
}

/* A report that names another address; whether that is what people are told now. */
static bool moves(int n)
{
	char address[32], text[128];

	snprintf(address, sizeof(address), "10.9.0.%d", n);
	EXPECT_STR(
	    outcome(HTTP_POST, TOKEN, "hosts/self/report", json_pack("{ss}", "address", address)),
	    "204");
	snprintf(text, sizeof(text),
	    "SELECT COUNT(*) FROM hosts WHERE id = 1001 AND address = '%s'", address);
	return sql_int(text) == 1;
}

TEST("L4.14 a host that is somewhere else at every report is believed once an hour")
{
	stage();
	for (int i = 0; i < 24; i++)
		EXPECT(moves(i));
	EXPECT_INT(events("host.change"), 24);
	EXPECT(!moves(24));
	/* no change without its event, and what is no change is none */
	EXPECT(moves(23));
	EXPECT_INT(events("host.change"), 24);
	now_ms += 3600000;
	EXPECT(moves(24));
	EXPECT(!moves(25));
	EXPECT_INT(events("host.change"), 25);
}

TEST_MAIN()
