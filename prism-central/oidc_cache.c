/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "oidc_cache.h"

/* What is known of one connection's provider. Times are of the monotonic clock, in ms; 0: never. */
struct entry {
	int64_t connection, org;
	char issuer[SSO_URL_MAX];
	int64_t used;
	int waiting; /* threads that wait for it */
	int64_t slow_until;
	struct oidc_metadata metadata;
	int64_t metadata_at;	 /* the last try */
	int64_t keys_at;	 /* those in "keys" are of */
	int64_t keys_tried;	 /* the last look for newer ones */
	struct oidc_fault fault; /* word: why there is no metadata; NULL: there is */
	struct oidc_keys *keys;
};

int oidc_cache_new(struct oidc **ret)
{
	struct oidc *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	pthread_mutex_init(&o->lock, NULL);
	sso_shares_init(&o->shares);
	*ret = o;
	return 0;
}

static void keys_unref(struct oidc_keys *k)
{
	if (!k || --k->refs > 0)
		return;
	jwks_free(k->set);
	free(k);
}

static void entry_free(struct entry *e)
{
	if (!e)
		return;
	keys_unref(e->keys);
	free(e);
}

void oidc_cache_free(struct oidc *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < OIDC_ENTRIES; i++)
		entry_free(o->entries[i]);
	sso_shares_free(&o->shares);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* ---- entries, under the lock ----------------------------------------------------------------- */

static bool entry_is(const struct entry *e, const struct sso_connection *c)
{
	return e && e->connection == c->id;
}

/* A free place, or that of whom nobody has asked for longest. NULL: everybody is being waited for.
 */
static struct entry **place_find(struct oidc *o)
{
	struct entry **oldest = NULL;

	for (size_t i = 0; i < OIDC_ENTRIES; i++) {
		struct entry **p = &o->entries[i];
		if (!*p)
			return p;
		if ((*p)->waiting == 0 && (!oldest || (*p)->used < (*oldest)->used))
			oldest = p;
	}
	return oldest;
}

/* Another issuer under the same name is another provider: nothing of the old one counts. */
static void entry_renew(struct entry *e, const struct sso_connection *c)
{
	if (strcmp(e->issuer, c->issuer) == 0)
		return;
	keys_unref(e->keys);
	e->keys = NULL;
	e->metadata_at = e->keys_at = e->keys_tried = 0;
	memcpy(e->issuer, c->issuer, sizeof(e->issuer));
}

/* NULL: there is no memory, or no place. */
static struct entry *entry_get(struct oidc *o, const struct sso_connection *c)
{
	struct entry *e = NULL;

	for (size_t i = 0; i < OIDC_ENTRIES && !e; i++)
		if (entry_is(o->entries[i], c))
			e = o->entries[i];
	if (!e) {
		struct entry **p = place_find(o);
		if (!p || !(e = calloc(1, sizeof(*e))))
			return NULL;
		entry_free(*p);
		*p = e;
		e->connection = c->id;
		e->org = c->org;
		memcpy(e->issuer, c->issuer, sizeof(e->issuer));
	}
	entry_renew(e, c);
	e->used = clock_mono_ms();
	return e;
}

static bool within(int64_t at, int64_t seconds)
{
	return at && clock_mono_ms() - at < seconds * 1000;
}

/* ---- who may wait ---------------------------------------------------------------------------- */

bool oidc_enter(struct central *central, const struct sso_connection *c)
{
	struct oidc *o = central->oidc;
	int64_t now = clock_mono_ms();
	bool slow = false;
	int waiting = 0;

	pthread_mutex_lock(&o->lock);
	struct entry *e = entry_get(o, c);
	for (size_t i = 0; i < OIDC_ENTRIES; i++) {
		const struct entry *other = o->entries[i];
		if (!other || other->org != c->org)
			continue;
		waiting += other->waiting;
		slow |= other->slow_until > now;
	}
	bool ok = e && (!slow || waiting == 0);
	if (ok)
		e->waiting++;
	pthread_mutex_unlock(&o->lock);
	return ok;
}

void oidc_leave(struct central *central, const struct sso_connection *c, int64_t took_ms)
{
	struct oidc *o = central->oidc;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < OIDC_ENTRIES; i++) {
		struct entry *e = o->entries[i];
		if (!entry_is(e, c))
			continue;
		e->waiting--;
		e->slow_until = took_ms > OIDC_SLOW_MS ? clock_mono_ms() + OIDC_NEGATIVE * 1000 : 0;
	}
	pthread_mutex_unlock(&o->lock);
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* 1: *ret is set; -EPROTO: it is known that there is none; 0: nothing is known. */
static int metadata_cached(
    struct oidc *o, const struct sso_connection *c, struct oidc_metadata *ret, struct oidc_fault *f)
{
	int r = 0;

	pthread_mutex_lock(&o->lock);
	const struct entry *e = entry_get(o, c);
	if (e && within(e->metadata_at, e->fault.word ? OIDC_NEGATIVE : OIDC_TTL)) {
		if (e->fault.word)
			*f = e->fault;
		else
			*ret = e->metadata;
		r = e->fault.word ? -EPROTO : 1;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

static void metadata_keep(struct oidc *o, const struct sso_connection *c,
    const struct oidc_metadata *m, const struct oidc_fault *f)
{
	pthread_mutex_lock(&o->lock);
	struct entry *e = entry_get(o, c);
	if (e && m)
		e->metadata = *m;
	if (e) {
		e->fault = m ? (struct oidc_fault){NULL} : *f;
		e->metadata_at = clock_mono_ms();
	}
	pthread_mutex_unlock(&o->lock);
}

/* A slash at the end is all that is wrong, often enough: both are shown. */
static int metadata_refuse(const struct sso_connection *c, const struct http_response *res,
    const char *word, struct oidc_fault *f)
{
	char named[101];

	if (strcmp(word, "discovery_issuer") == 0 &&
	    oidc_metadata_issuer(
		(const char *)res->body.data, res->body.len, named, sizeof(named)) == 0)
		return oidc_fail(
		    f, word, "discovery: the document says %s, not %.100s", named, c->issuer);
	return oidc_fail(f, word, "discovery: what it answered is not acceptable");
}

static int metadata_fetch(struct central *central, const struct sso_connection *c,
    struct oidc_metadata *ret, struct oidc_fault *f)
{
	static const char suffix[] = "/.well-known/openid-configuration";
	_cleanup_(http_response_free) struct http_response res;
	char url[SSO_URL_MAX + sizeof(suffix)];
	const char *fault = NULL;
	size_t n = strlen(c->issuer);

	while (n > 0 && c->issuer[n - 1] == '/')
		n--;
	snprintf(url, sizeof(url), "%.*s%s", (int)n, c->issuer, suffix);
	http_response_init(&res, OIDC_DOCUMENT_MAX);
	int r =
	    oidc_fetch(central, c, &(struct oidc_query){.what = "discovery", .url = url}, &res, f);
	if (r < 0)
		return r;
	if (res.status != 200)
		return oidc_fail(f, "provider_status", "discovery: it answered %ld", res.status);
	r = oidc_metadata_parse((const char *)res.body.data, res.body.len, c->issuer,
	    central->config.sso_private, ret, &fault);
	return r == -EBADMSG ? metadata_refuse(c, &res, fault, f) : r;
}

int oidc_metadata(struct central *central, const struct sso_connection *c,
    struct oidc_metadata *ret, struct oidc_fault *f)
{
	int r = metadata_cached(central->oidc, c, ret, f);

	if (r)
		return r < 0 ? r : 0;
	r = metadata_fetch(central, c, ret, f);
	if (r == 0)
		metadata_keep(central->oidc, c, ret, NULL);
	else if (r == -EPROTO && strcmp(f->word, "provider_busy") != 0)
		metadata_keep(central->oidc, c, NULL, f);
	return r;
}

/* ---- keys ------------------------------------------------------------------------------------ */

void oidc_keys_put(struct central *central, struct oidc_keys *k)
{
	pthread_mutex_lock(&central->oidc->lock);
	keys_unref(k);
	pthread_mutex_unlock(&central->oidc->lock);
}

/* 1: *ret is another set than it was; -EAGAIN: not now; 0: they must be fetched. */
static int keys_cached(
    struct oidc *o, const struct sso_connection *c, bool newer, struct oidc_keys **ret)
{
	int r = 0;

	pthread_mutex_lock(&o->lock);
	struct entry *e = entry_get(o, c);
	if (e && e->keys && within(e->keys_at, OIDC_TTL) && e->keys != *ret) {
		keys_unref(*ret);
		*ret = e->keys;
		e->keys->refs++;
		r = 1;
	} else if (e && newer && within(e->keys_tried, OIDC_KEYS_AGAIN)) {
		r = -EAGAIN;
	} else if (e && newer) {
		e->keys_tried = clock_mono_ms();
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

static void keys_keep(struct oidc *o, const struct sso_connection *c, struct oidc_keys *k)
{
	pthread_mutex_lock(&o->lock);
	struct entry *e = entry_get(o, c);
	if (e) {
		keys_unref(e->keys);
		e->keys = k;
		k->refs++;
		e->keys_at = clock_mono_ms();
	}
	pthread_mutex_unlock(&o->lock);
}

static int keys_fetch(struct central *central, const struct sso_connection *c,
    const struct oidc_metadata *m, struct oidc_keys **ret, struct oidc_fault *f)
{
	_cleanup_(http_response_free) struct http_response res;
	_cleanup_jwks_ struct jwks *set = NULL;

	http_response_init(&res, JWKS_MAX);
	int r = oidc_fetch(
	    central, c, &(struct oidc_query){.what = "keys", .url = m->jwks_uri}, &res, f);
	if (r < 0)
		return r;
	if (res.status != 200)
		return oidc_fail(f, "provider_status", "keys: it answered %ld", res.status);
	r = jwks_parse((const char *)res.body.data, res.body.len, &set);
	if (r < 0)
		return r == -ENOMEM ? r : oidc_fail(f, "keys_form", "keys: not a set of keys");
	struct oidc_keys *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->set = TAKE_PTR(set);
	k->refs = 1;
	*ret = k;
	return 0;
}

int oidc_keys(struct central *central, const struct sso_connection *c,
    const struct oidc_metadata *m, bool newer, struct oidc_keys **ret, struct oidc_fault *f)
{
	struct oidc_keys *k = NULL;
	int r = keys_cached(central->oidc, c, newer, ret);

	if (r)
		return r < 0 ? r : 0;
	r = keys_fetch(central, c, m, &k, f);
	if (r < 0)
		return r;
	keys_keep(central->oidc, c, k);
	oidc_keys_put(central, *ret);
	*ret = k;
	return 0;
}
