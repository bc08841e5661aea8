/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/encode.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secret.h"
#include "signing.h"

#define SEED_LEN     32
#define PATH_SIZE    512
#define RECOVERY_KEY "recovery.key.offline"
#define RECOVERY_PUB "recovery.pub"

static int failed(const char *path, int error)
{
	log_event(LOG_LEVEL_ERROR, "signing_key", "file", "%s", path, "reason", "%s",
	    error == -EPERM ? "it must belong to the service's user and be closed to all others"
			    : strerror(-error),
	    NULL);
	return error;
}

int signing_read(const char *path, uint8_t *out, size_t n)
{
	_cleanup_buf_ struct buf b = BUF_INIT(n);
	int r = io_read_private(path, geteuid(), 077, &b);

	if (r == 0 && b.len != n)
		r = -EBADMSG;
	if (r == 0)
		memcpy(out, b.data, n);
	return r;
}

int signing_path(const struct config *c, char *out, size_t size)
{
	if (!c->signing_key[0])
		return config_state_path(c, "feed.key", out, size);
	return (size_t)snprintf(out, size, "%s", c->signing_key) < size ? 0 : -ENAMETOOLONG;
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static int make_seed(const char *path)
{
	uint8_t seed[SEED_LEN];
	int r = secret_random(seed, sizeof(seed));

	if (r == 0)
		r = io_replace_file(path, seed, sizeof(seed), 0600, (uid_t)-1, (gid_t)-1);
	explicit_bzero(seed, sizeof(seed));
	return r;
}

static int load_signer(const char *path, struct feed_signer **ret)
{
	uint8_t seed[SEED_LEN];
	int r = signing_read(path, seed, sizeof(seed));

	if (r == 0)
		r = feed_signer_new(seed, ret);
	explicit_bzero(seed, sizeof(seed));
	return r;
}

static int open_feed_key(struct central *c, bool create)
{
	char path[PATH_SIZE];
	int r = signing_path(&c->config, path, sizeof(path));

	if (r < 0)
		return r;
	if (!exists(path)) {
		if (!create) {
			log_event(LOG_LEVEL_ERROR, "signing_key", "file", "%s", path, "reason",
			    "%s", "it is missing, and there are hosts that trust it: bring it back",
			    NULL);
			return -ENOENT;
		}
		r = make_seed(path);
		if (r < 0)
			return failed(path, r);
		log_event(LOG_LEVEL_INFO, "signing_key", "made", "%s", path, NULL);
	}
	r = load_signer(path, &c->signer);
	return r < 0 ? failed(path, r) : 0;
}

/* The private half first: a public half without it would promise a recovery that cannot be. */
static int make_recovery_key(const char *secret, const char *public)
{
	_cleanup_(feed_signer_freep) struct feed_signer *signer = NULL;
	char text[HEX_LEN(FEED_KEY_LEN) + 2];
	int r = make_seed(secret);

	if (r == 0)
		r = load_signer(secret, &signer);
	if (r < 0)
		return failed(secret, r);
	hex_encode(feed_signer_public(signer), FEED_KEY_LEN, text);
	text[HEX_LEN(FEED_KEY_LEN)] = '\n';
	r = io_replace_file(public, text, HEX_LEN(FEED_KEY_LEN) + 1, 0644, (uid_t)-1, (gid_t)-1);
	if (r < 0)
		return failed(public, r);
	log_event(LOG_LEVEL_WARN, "recovery_key", "file", "%s", secret, "action", "%s",
	    "move this file off the machine, into a safe; the service does not need it", NULL);
	return 0;
}

static int open_recovery_key(struct central *c, bool create)
{
	char secret[PATH_SIZE], public[PATH_SIZE];
	uint8_t key[FEED_KEY_LEN];
	int r = config_state_path(&c->config, RECOVERY_KEY, secret, sizeof(secret));

	if (r == 0)
		r = config_state_path(&c->config, RECOVERY_PUB, public, sizeof(public));
	if (r == 0 && create && !exists(public))
		r = make_recovery_key(secret, public);
	if (r < 0)
		return r;
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	r = io_read_private(public, geteuid(), 022, &b);
	if (r == 0 &&
	    (b.len != HEX_LEN(FEED_KEY_LEN) + 1 ||
		hex_decode(buf_str(&b), HEX_LEN(FEED_KEY_LEN), key, sizeof(key)) != FEED_KEY_LEN))
		r = -EBADMSG;
	if (r < 0)
		return failed(public, r);
	feed_key_id(key, c->recovery_key_id);
	if (exists(secret))
		log_event(LOG_LEVEL_WARN, "recovery_key", "file", "%s", secret, "action", "%s",
		    "is still on this machine: move it into a safe", NULL);
	return 0;
}

int signing_open(struct central *c, bool create)
{
	int r = open_feed_key(c, create);

	if (r == 0)
		r = signing_next_load(c);
	return r < 0 ? r : open_recovery_key(c, create);
}

void signing_close(struct central *c)
{
	signing_next_free(c);
	feed_signer_free(c->signer);
	c->signer = NULL;
}

int signing_sign(void *central, const void *p, size_t n, uint8_t sig[64])
{
	const struct central *c = central;

	return feed_signer_sign_raw(c->signer, p, n, sig);
}
