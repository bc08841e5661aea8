/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/io.h"
#include "base/log.h"
#include "test.h"
#include "prism-central/central.h"

static char why[512];

static int parse(const char *text, struct config *ret)
{
	why[0] = '\0';
	return config_parse("c.conf", text, strlen(text), ret, why, sizeof(why));
}

TEST("D2 an empty configuration has the documented defaults")
{
	struct config c;

	EXPECT_INT(parse("", &c), 0);
	EXPECT_STR(c.listen, "0.0.0.0:8443");
	EXPECT_STR(c.listen_plain, "unix:/run/prism-central/http.sock");
	EXPECT_STR(c.database, "sqlite:/var/lib/prism-central/prism.db");
	EXPECT_STR(c.home_root, "/efs/home");
	EXPECT_STR(c.shell, "/bin/bash");
	EXPECT_HAS(c.url, "https://");
	EXPECT_INT(c.uid_first, 10001);
	EXPECT_INT(c.uid_last, 1999999);
	EXPECT_INT(c.gid_first, 2000000);
	EXPECT_INT(c.gid_last, 2999999);
	EXPECT_INT(c.feed_validity, 7 * 24 * 3600);
	EXPECT_STR(c.sso_ca_file, "");
	EXPECT_STR(c.sso_proxy, "");
	EXPECT_STR(c.sso_dns, "");
	EXPECT_INT(c.sso_private, 0);
	EXPECT_INT(c.sso_refresh, 15 * 60);
	EXPECT_STR(c.saml_helper, "/usr/libexec/prism/prism-saml");
	EXPECT_INT(c.workers, 4);
	EXPECT_INT(c.connections_per_peer, 512);
	EXPECT_INT(c.log_level, LOG_LEVEL_INFO);
}

TEST("D2 every key is read")
{
	static const char text[] = "# comment\n"
				   "[server]\n"
				   "url = https://[2001:db8::1]:9443\n"
				   "listen = [::]:9443\n"
				   "listen_plain = 127.0.0.1:9080 ; why\n"
				   "state_dir = /srv/prism\n"
				   "workers = 8\n"
				   "loops = 1\n"
				   "connections_per_peer = 7\n"
				   "behind_proxy = yes\n"
				   "[tls]\n"
				   "certificate = /a/b.crt\n"
				   "key = /a/b.key\n"
				   "[feed]\n"
				   "signing_key = /a/feed.key\n"
				   "validity = 36h\n"
				   "[secrets]\n"
				   "master_keys = /a/master.keys\n"
				   "[sso]\n"
				   "ca_file = /a/ca.crt\n"
				   "proxy = http://user:pw@proxy.uni.edu:3128\n"
				   "private_addresses = yes\n"
				   "dns = [2001:db8::53]:5353\n"
				   "refresh = 1h\n"
				   "saml_helper = /a/saml\n"
				   "[ids]\n"
				   "uid_range = 20000-29999\n"
				   "gid_range = 30000-39999\n"
				   "[accounts]\n"
				   "home_root = /home\n"
				   "shell = /bin/sh\n"
				   "[log]\n"
				   "level = debug\n";
	struct config c;

	EXPECT_INT(parse(text, &c), 0);
	EXPECT_STR(c.url, "https://[2001:db8::1]:9443");
	EXPECT_STR(c.listen, "[::]:9443");
	EXPECT_STR(c.listen_plain, "127.0.0.1:9080");
	EXPECT_STR(c.database, "sqlite:/srv/prism/prism.db");
	EXPECT_INT(c.workers, 8);
	EXPECT_INT(c.loops, 1);
	EXPECT_INT(c.connections_per_peer, 7);
	EXPECT_INT(c.behind_proxy, 1);
	EXPECT_STR(c.tls_cert, "/a/b.crt");
	EXPECT_STR(c.tls_key, "/a/b.key");
	EXPECT_STR(c.signing_key, "/a/feed.key");
	EXPECT_INT(c.feed_validity, 36 * 3600);
	EXPECT_STR(c.master_keys, "/a/master.keys");
	EXPECT_STR(c.sso_ca_file, "/a/ca.crt");
	EXPECT_STR(c.sso_proxy, "http://user:pw@proxy.uni.edu:3128");
	EXPECT_INT(c.sso_private, 1);
	EXPECT_STR(c.sso_dns, "[2001:db8::53]:5353");
	EXPECT_INT(c.sso_refresh, 3600);
	EXPECT_STR(c.saml_helper, "/a/saml");
	EXPECT_INT(c.uid_first, 20000);
	EXPECT_INT(c.gid_last, 39999);
	EXPECT_STR(c.home_root, "/home");
	EXPECT_INT(c.log_level, LOG_LEVEL_DEBUG);
}

TEST("D2 what is wrong is said with the file, the line and what was expected")
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"[server]\nworker = 4\n", "c.conf:2: there is no key worker in [server]"},
	    {"[servers]\nurl = x\n", "c.conf:2: there is no section [servers]"},
	    {"url = https://x\n", "c.conf:1: there is no section []"},
	    {"[log]\n\nlevel = info\nlevel = debug\n", "c.conf:4: level is set twice"},
	    {"[log]\nlevel = loud\n", "c.conf:2: level must be error, warning"},
	    {"[log]\nlevel\n", "c.conf:2: "},
	    {"[log\n", "c.conf:1: "},
	    {"[server]\nurl = http://prism.example.edu\n", "c.conf:2: url must be https://"},
	    {"[server]\nurl = http://localhost.evil\n", "c.conf:2: url must be https://"},
	    {"[server]\nurl = https://\n", "c.conf:2: url must be"},
	    {"[server]\nurl = https://a/b\n", "c.conf:2: url must be"},
	    {"[server]\nlisten = 8443\n", "c.conf:2: listen must be ADDRESS:PORT"},
	    {"[server]\nlisten = 0.0.0.0:70000\n", "c.conf:2: listen must be ADDRESS:PORT"},
	    {"[server]\nlisten_plain = 0.0.0.0:80\n", "c.conf:2: listen_plain must be unix:/PATH"},
	    {"[server]\nlisten_plain = 192.0.2.1:80\n", "stays on this machine"},
	    {"[server]\nlisten_plain = unix:http.sock\n", "c.conf:2: listen_plain must be"},
	    {"[server]\nlisten = none\nlisten_plain = none\n", "are both none"},
	    {"[server]\nworkers = 0\n", "c.conf:2: workers must be a number from 1 to 64"},
	    {"[server]\nworkers = 4x\n", "c.conf:2: workers must be a number"},
	    {"[server]\nstate_dir = var\n", "c.conf:2: state_dir must be an absolute path"},
	    {"[server]\nstate_dir = /var/../etc\n", "c.conf:2: state_dir must be"},
	    {"[database]\nurl = sqlite:prism.db\n", "c.conf:2: url must be sqlite:/PATH"},
	    {"[tls]\ncertificate = /a\n", "both certificate and key"},
	    {"[feed]\nvalidity = 10s\n", "c.conf:2: validity must be a duration from 60s"},
	    {"[secrets]\nmaster_keys = keys\n", "c.conf:2: master_keys must be an absolute path"},
	    {"[sso]\nca_file = ca.crt\n", "c.conf:2: ca_file must be an absolute path"},
	    {"[sso]\nproxy = socks5://x\n", "c.conf:2: proxy must be [http[s]://]"},
	    {"[sso]\nprivate_addresses = 1\n", "c.conf:2: private_addresses must be yes or no"},
	    {"[sso]\ndns = dns.uni.edu\n", "c.conf:2: dns must be ADDRESS[:PORT]"},
	    {"[sso]\ndns = 192.0.2.53:0\n", "c.conf:2: dns must be ADDRESS[:PORT]"},
	    {"[sso]\ndns = [192.0.2.53]:53\n", "c.conf:2: dns must be ADDRESS[:PORT]"},
	    {"[sso]\ndns = [::1\n", "c.conf:2: dns must be ADDRESS[:PORT]"},
	    {"[sso]\ndns = ::1]:53\n", "c.conf:2: dns must be ADDRESS[:PORT]"},
	    {"[sso]\nrefresh = 10s\n", "c.conf:2: refresh must be a duration from 60s"},
	    {"[sso]\nrefresh = never\n", "or off"},
	    {"[sso]\nsaml_helper = prism-saml\n", "c.conf:2: saml_helper must be an absolute"},
	    {"[ids]\nuid_range = 0-100\n", "c.conf:2: uid_range must be FIRST-LAST"},
	    {"[ids]\nuid_range = 500-60000\n", "c.conf:2: uid_range must be FIRST-LAST"},
	    {"[ids]\nuid_range = 20000-10000\n", "c.conf:2: uid_range must be"},
	    {"[ids]\nuid_range = 10001-2500000\n", "uid_range and gid_range overlap"},
	    {"[accounts]\nshell = bash\n", "c.conf:2: shell must be an absolute path"},
	};
	struct config c = {.workers = 77};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(parse(cases[i].text, &c), -EINVAL);
		EXPECT_HAS(why, cases[i].says);
		EXPECT_INT(c.workers, 77);
	}
}

TEST("I3.4 refreshing can be switched off, and a DNS server named in every form")
{
	static const char *const servers[] = {"192.0.2.53", "192.0.2.53:5353", "2001:db8::53",
	    "[2001:db8::53]", "[2001:db8::53]:53", ""};
	struct config c;

	EXPECT_INT(parse("[sso]\nrefresh = off\n", &c), 0);
	EXPECT_INT(c.sso_refresh, 0);
	EXPECT_INT(parse("[sso]\nrefresh = 0\n", &c), 0);
	EXPECT_INT(c.sso_refresh, 0);
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "[sso]\ndns = %s\n", servers[i]);
		EXPECT_INT(parse(text, &c), 0);
		EXPECT_STR(c.sso_dns, servers[i]);
	}
	EXPECT_INT(parse("[sso]\nproxy = none\n", &c), 0);
	EXPECT_STR(c.sso_proxy, "none");
}

TEST("D2 a line that is too long or has a NUL is refused, not cut")
{
	char text[1024] = "[server]\nstate_dir = /";
	struct config c;

	memset(text + strlen(text), 'a', 600);
	EXPECT_INT(parse(text, &c), -EINVAL);
	EXPECT_HAS(why, "c.conf:2: the line is too long");
	EXPECT_INT(config_parse("c.conf", "[log]\0\n", 7, &c, why, sizeof(why)), -EINVAL);
	EXPECT_HAS(why, "c.conf:1: a NUL byte");
}

TEST("D2 the shipped configuration is valid, and what it shows are the defaults")
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	struct config shipped, defaults;

	EXPECT_INT(io_read_file("config/central.conf", &b), 0);
	EXPECT_INT(parse(buf_str(&b), &shipped), 0);
	EXPECT_INT(parse("", &defaults), 0);
	EXPECT_INT(memcmp(&shipped, &defaults, sizeof(shipped)), 0);
	/* Uncommented, but for the examples that cannot be everybody's. */
	for (char *p = (char *)b.data; (p = strstr(p, "\n;"));)
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	char *url = strstr((char *)b.data, "\nurl = https");
	char *cert = strstr((char *)b.data, "\ncertificate = ");
	char *key = strstr((char *)b.data, "\nkey = ");
	char *signing = strstr((char *)b.data, "\nsigning_key = ");
	char *master = strstr((char *)b.data, "\nmaster_keys = ");
	char *database = strstr((char *)b.data, "\nurl = sqlite");
	char *ca = strstr((char *)b.data, "\nca_file = ");
	char *proxy = strstr((char *)b.data, "\nproxy = ");
	char *dns = strstr((char *)b.data, "\ndns = ");
	EXPECT(url && cert && key && signing && master && database && ca && proxy && dns);
	ca[1] = proxy[1] = dns[1] = '#';
	url[1] = cert[1] = key[1] = signing[1] = master[1] = '#';
	EXPECT_INT(parse(buf_str(&b), &shipped), 0);
	EXPECT_INT(memcmp(&shipped, &defaults, sizeof(shipped)), 0);
}

TEST("D2 a missing file says so")
{
	struct config c;

	EXPECT_INT(config_load("/nonexistent/central.conf", &c, why, sizeof(why)), -ENOENT);
	EXPECT_HAS(why, "/nonexistent/central.conf: No such file");
}

TEST_MAIN()
