/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/num.h"
#include "central.h"
#include "sso_internal.h"

#define ANSWER_MAX    65535
#define CNAMES_MAX    8
#define TXT_MAX	      1024
#define SECONDS	      2 /* for one question; the resolver asks each server twice */
#define TRIES	      2
#define SERVERS_MAX   2
#define DNS_PORT      53
#define RECORD_PREFIX "_prism-challenge."

/* ---- names ------------------------------------------------------------------------------------
 */

static bool label_ok(const char *s, size_t n)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	return strspn(s, chars) >= n;
}

bool sso_domain_canonical(const char *text, char out[SSO_DOMAIN_MAX + 1])
{
	size_t labels = 0, last = 0;

	text += text[0] == '@';
	size_t n = strnlen(text, SSO_DOMAIN_MAX + 2);
	if (n > 0 && text[n - 1] == '.')
		n--;
	if (n == 0 || n > SSO_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	out[n] = '\0';
	for (size_t at = 0; at <= n; labels++) {
		size_t len = strcspn(out + at, ".");
		if (!label_ok(out + at, len))
			return false;
		last = at;
		at += len + 1;
	}
	/* A top-level domain begins with a letter: an address is no domain. */
	return labels >= 2 && out[last] >= 'a' && out[last] <= 'z';
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* One TXT record may be many strings: they are read as one. -EBADMSG if they do not fill it. */
static int txt_read(const uint8_t *p, size_t n, char *out, size_t size)
{
	size_t len = 0;

	while (n > 0) {
		size_t part = *p;
		if (part > n - 1)
			return -EBADMSG;
		/* What is too long is not ours, and a NUL must not make it look like ours. */
		if (part >= size - len || memchr(p + 1, '\0', part)) {
			out[0] = '\0';
			return 0;
		}
		memcpy(out + len, p + 1, part);
		len += part;
		p += part + 1;
		n -= part + 1;
	}
	out[len] = '\0';
	return 0;
}

/* 1: this record is the one; 0: it is not; 2: it is a CNAME from "name", which becomes the next. */
static int record_look(ns_msg *m, int i, char name[NS_MAXDNAME], const char *text)
{
	char value[TXT_MAX];
	ns_rr rr;

	if (ns_parserr(m, ns_s_an, i, &rr) < 0)
		return -EBADMSG;
	if (ns_rr_class(rr) != ns_c_in || strcasecmp(ns_rr_name(rr), name) != 0)
		return 0;
	if (ns_rr_type(rr) == ns_t_cname) {
		int n =
		    dn_expand(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(rr), name, NS_MAXDNAME);
		return n < 0 ? -EBADMSG : 2;
	}
	if (ns_rr_type(rr) != ns_t_txt)
		return 0;
	int r = txt_read(ns_rr_rdata(rr), ns_rr_rdlen(rr), value, sizeof(value));
	return r < 0 ? r : strcmp(value, text) == 0;
}

int sso_dns_match(const uint8_t *answer, size_t n, const char *name, const char *text)
{
	char at[NS_MAXDNAME];
	ns_msg m;

	if (n > ANSWER_MAX || strlen(name) >= sizeof(at) || ns_initparse(answer, (int)n, &m) < 0 ||
	    !ns_msg_getflag(m, ns_f_qr) || ns_msg_getflag(m, ns_f_rcode) != ns_r_noerror)
		return -EBADMSG;
	snprintf(at, sizeof(at), "%s", name);
	for (int hops = 0; hops <= CNAMES_MAX; hops++) {
		int r = 0;
		for (int i = 0; r == 0 && i < ns_msg_count(m, ns_s_an); i++)
			r = record_look(&m, i, at, text);
		if (r != 2)
			return r;
	}
	return 0;
}

/* ---- the question ---------------------------------------------------------------------------- */

static int address4(struct __res_state *res, const char *host, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return -EINVAL;
	res->nsaddr_list[0] = a;
	res->nscount = 1;
	return 0;
}

/* The place that resolv.conf's own IPv6 servers are kept in; res_nclose() frees it. */
static int address6(struct __res_state *res, const char *host, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET6, host, &a.sin6_addr) != 1)
		return -EINVAL;
	struct sockaddr_in6 *own = res->_u._ext.nsaddrs[0];
	if (!own)
		own = malloc(sizeof(*own));
	if (!own)
		return -ENOMEM;
	*own = a;
	res->_u._ext.nsaddrs[0] = own;
	res->_u._ext.nscount = 1;
	res->nsaddr_list[0] = (struct sockaddr_in){0};
	res->nscount = 1;
	return 0;
}

/* "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353". */
static int server_set(struct __res_state *res, const char *text)
{
	char host[64];
	uint32_t port = DNS_PORT;

	snprintf(host, sizeof(host), "%s", text);
	char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	char *colon = end ? end + 1 : strchr(host, ':');
	bool six = end || (colon && strchr(colon + 1, ':'));
	if (six && !end)
		colon = NULL;
	if (colon && *colon == ':' && num_parse_u32(colon + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	if (colon)
		*colon = '\0';
	if (end)
		*end = '\0';
	return six ? address6(res, host + (end ? 1 : 0), (uint16_t)port)
		   : address4(res, host, (uint16_t)port);
}

/* Truncated answers are asked for again over TCP by the resolver. */
static int ask(struct __res_state *res, const char *name, const char *text)
{
	_cleanup_free_ uint8_t *answer = malloc(ANSWER_MAX);

	if (!answer)
		return -ENOMEM;
	int n = res_nquery(res, name, ns_c_in, ns_t_txt, answer, ANSWER_MAX);
	if (n < 0)
		return res->res_h_errno == HOST_NOT_FOUND || res->res_h_errno == NO_DATA ? -ENOENT
											 : -EAGAIN;
	if (n > ANSWER_MAX)
		return -EAGAIN;
	n = sso_dns_match(answer, (size_t)n, name, text);
	return n > 0 ? 0 : n == 0 ? -ENOENT : -EAGAIN;
}

int sso_domain_check(const struct config *c, const char *domain, const char *challenge)
{
	struct __res_state res = {0};
	char canonical[SSO_DOMAIN_MAX + 1], name[sizeof(RECORD_PREFIX) + SSO_DOMAIN_MAX];

	if (!sso_domain_canonical(domain, canonical) || !challenge[0])
		return -EINVAL;
	snprintf(name, sizeof(name), RECORD_PREFIX "%s", canonical);
	if (res_ninit(&res) < 0)
		return -EAGAIN;
	res.retrans = SECONDS;
	res.retry = TRIES;
	if (res.nscount > SERVERS_MAX)
		res.nscount = SERVERS_MAX;
	int r = c->sso_dns[0] ? server_set(&res, c->sso_dns) : 0;
	if (r == 0)
		r = ask(&res, name, challenge);
	res_nclose(&res);
	return r;
}
