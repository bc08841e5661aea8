/* SPDX-License-Identifier: MIT */
#include "keyproof.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/name.h"
#include "config.h"
#include "tool.h"

#define PROOF_TEXT "prism-key-proof-v1\n%s\n%s\n"
#define PROOF_NS   "prism-key"

#define COMMENT_MAX 160

static int keygen_failed(struct cli *c, const char *what, int r)
{
	if (r < 0)
		return cli_fail(c, STATUS_LOCAL, "NO_SSH_KEYGEN",
		    "Install the OpenSSH client (package openssh-client).",
		    "ssh-keygen cannot be run: %s", strerror(-r));
	return cli_fail(c, STATUS_LOCAL, "SSH_KEYGEN",
	    "Check the key; a missing one is made by: prism user provision",
	    "ssh-keygen could not %s.", what);
}

/* ---- making -----------------------------------------------------------------------------------*/

/* Two paths that differ by an ending. */
static int with_suffix(struct cli *c, const char *path, const char *suffix, char *out)
{
	if (snprintf(out, CONFIG_PATH_MAX, "%s%s", path, suffix) < CONFIG_PATH_MAX)
		return STATUS_OK;
	return cli_fail_file(c, path, -ENAMETOOLONG);
}

/* A public half without its private one is of no use, but it is not ours to delete either. */
static int set_aside(struct cli *c, const char *path)
{
	char aside[CONFIG_PATH_MAX];

	if (access(path, F_OK) < 0)
		return STATUS_OK;
	if (with_suffix(c, path, ".lost", aside))
		return STATUS_LOCAL;
	return rename(path, aside) < 0 ? cli_fail_file(c, path, -errno) : STATUS_OK;
}

/*
 * Both files are made beside and then linked to their names: link(2) fails where something is, so
 * nothing can be overwritten, whatever else runs at the same time.
 */
static int link_pair(struct cli *c, const char *made, const char *path)
{
	char made_pub[CONFIG_PATH_MAX], pub[CONFIG_PATH_MAX];

	if (with_suffix(c, made, ".pub", made_pub) || with_suffix(c, path, ".pub", pub) ||
	    set_aside(c, pub))
		return STATUS_LOCAL;
	if (link(made, path) < 0)
		return cli_fail_file(c, path, -errno);
	if (link(made_pub, pub) < 0)
		return cli_fail_file(c, pub, -errno);
	io_sync_parent(path);
	return STATUS_OK;
}

static void remove_made(const char *dir)
{
	static const char *const names[] = {"key", "key.pub"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[CONFIG_PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) < (int)sizeof(path))
			unlink(path);
	}
	rmdir(dir);
}

/* A service says who we are; whatever it says is one line in the key's file. */
static void comment_plain(const char *comment, char out[static COMMENT_MAX])
{
	snprintf(out, COMMENT_MAX, "%s", comment);
	for (char *p = out; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

static int make_pair(struct cli *c, const char *path, const char *comment)
{
	char dir[CONFIG_PATH_MAX], made[CONFIG_PATH_MAX], plain[COMMENT_MAX];
	int r;

	comment_plain(comment, plain);
	if (with_suffix(c, path, ".XXXXXX", dir))
		return STATUS_LOCAL;
	if (!mkdtemp(dir))
		return cli_fail_file(c, dir, -errno);
	r = with_suffix(c, dir, "/key", made);
	if (!r) {
		const char *argv[] = {
		    "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", plain, "-f", made, NULL};

		r = tool_run(argv, NULL, 0, NULL);
		r = r ? keygen_failed(c, "make a key", r) : link_pair(c, made, path);
	}
	remove_made(dir);
	return r;
}

int key_make_public(struct cli *c, const char *path, const char *pub)
{
	const char *argv[] = {"ssh-keygen", "-y", "-f", path, NULL};
	_cleanup_buf_ struct buf out = BUF_INIT(SSHKEY_LINE_MAX * 2);
	int r = tool_run(argv, "", 0, &out);

	if (r)
		return keygen_failed(c, "read the private key", r);
	r = io_replace_file(pub, out.data, out.len, 0644, (uid_t)-1, (gid_t)-1);
	return r ? cli_fail_file(c, pub, r) : STATUS_OK;
}

int key_private_state(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_uid != geteuid() || (st.st_mode & 077) ? -EPERM : 1;
}

int key_ensure(struct cli *c, const char *name, const char *comment, bool *ret_made)
{
	char path[CONFIG_PATH_MAX], pub[CONFIG_PATH_MAX];
	struct stat st;
	int state;

	if (config_dir(c, "") || config_dir(c, "ssh_keys") || config_path(c, name, path) ||
	    with_suffix(c, path, ".pub", pub))
		return STATUS_LOCAL;
	state = key_private_state(path);
	if (state < 0)
		return cli_fail_file(c, path, state);
	*ret_made = state == 0;
	if (state == 0)
		return make_pair(c, path, comment);
	if (lstat(pub, &st) == 0)
		return S_ISREG(st.st_mode) ? STATUS_OK : cli_fail_file(c, pub, -ELOOP);
	return key_make_public(c, path, pub);
}

/* ---- renaming ---------------------------------------------------------------------------------*/

static int rename_pair(struct cli *c, const char *from, const char *to)
{
	char from_pub[CONFIG_PATH_MAX], to_pub[CONFIG_PATH_MAX];

	if (with_suffix(c, from, ".pub", from_pub) || with_suffix(c, to, ".pub", to_pub))
		return STATUS_LOCAL;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		return cli_fail_file(c, to, -errno);
	if (rename(from_pub, to_pub) < 0 && errno != ENOENT)
		return cli_fail_file(c, to_pub, -errno);
	io_sync_parent(to);
	return STATUS_OK;
}

/* The first of PATH.old-2026-05-03, PATH.old-2026-05-03.2, ... that is free; "old" is the tag. */
static int free_name(struct cli *c, const char *path, const char *tag, char *out)
{
	char day[16], suffix[40];
	time_t t = (time_t)c->now;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	for (int i = 1; i < 1000; i++) {
		if (i == 1)
			snprintf(suffix, sizeof(suffix), ".%s-%s", tag, day);
		else
			snprintf(suffix, sizeof(suffix), ".%s-%s.%d", tag, day, i);
		if (with_suffix(c, path, suffix, out))
			return STATUS_LOCAL;
		if (access(out, F_OK) < 0)
			return STATUS_OK;
	}
	return cli_fail_file(c, path, -EEXIST);
}

int key_replace(struct cli *c, const char *name, const char *from, char *ret_old, size_t size)
{
	char path[CONFIG_PATH_MAX], next[CONFIG_PATH_MAX], old[CONFIG_PATH_MAX] = "";
	int r = config_path(c, name, path) || config_path(c, from, next);

	if (r)
		return STATUS_LOCAL;
	if (access(path, F_OK) == 0) {
		r = free_name(c, path, "old", old);
		if (!r)
			r = rename_pair(c, path, old);
	}
	if (!r)
		r = rename_pair(c, next, path);
	if (!r)
		snprintf(ret_old, size, "%s", *old ? strrchr(old, '/') + 1 : "");
	return r;
}

int key_set_aside(struct cli *c, const char *name, char *ret_kept, size_t size)
{
	char path[CONFIG_PATH_MAX], kept[CONFIG_PATH_MAX];
	int r = config_path(c, name, path) ? STATUS_LOCAL : free_name(c, path, "broken", kept);

	if (!r)
		r = rename_pair(c, path, kept);
	if (!r)
		snprintf(ret_kept, size, "%s", strrchr(kept, '/') + 1);
	return r;
}

/* ---- using ------------------------------------------------------------------------------------*/

int key_public(struct cli *c, const char *path, char **ret)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SSHKEY_LINE_MAX * 2);
	char pub[CONFIG_PATH_MAX];
	size_t n = strlen(path);
	char *line;
	int r;

	if (with_suffix(c, path, n > 4 && strcmp(path + n - 4, ".pub") == 0 ? "" : ".pub", pub))
		return STATUS_LOCAL;
	r = io_read_file(pub, &text);
	if (r)
		return cli_fail_file(c, pub, r);
	line = buf_detach(&text);
	if (!line)
		return cli_fail_memory(c);
	line[strcspn(line, "\r\n")] = '\0';
	if (!sshkey_line_valid(line)) {
		free(line);
		return cli_fail(c, STATUS_LOCAL, "BAD_KEY",
		    "Use an Ed25519, ECDSA or RSA key in OpenSSH's form.",
		    "%s is not a public key that Prism takes.", pub);
	}
	*ret = line;
	return STATUS_OK;
}

int key_sign(struct cli *c, const char *path, const char *nonce, char **ret)
{
	const char *argv[] = {"ssh-keygen", "-q", "-Y", "sign", "-n", PROOF_NS, "-f", path, NULL};
	_cleanup_buf_ struct buf text = BUF_INIT(1024), out = BUF_INIT(16384);
	int r;

	/* The address that we speak to: no other service can use what we sign. */
	buf_addf(&text, PROOF_TEXT, c->server, nonce);
	if (buf_error(&text))
		return cli_fail_memory(c);
	r = tool_run(argv, buf_str(&text), text.len, &out);
	if (r)
		return keygen_failed(c, "sign with the key", r);
	*ret = buf_detach(&out);
	return *ret ? STATUS_OK : cli_fail_memory(c);
}

int key_proof(struct cli *c, const char *path, const char *nonce, json_t **ret)
{
	_cleanup_free_ char *line = NULL, *signature = NULL;
	json_t *j;
	int r = key_public(c, path, &line);

	if (!r)
		r = key_sign(c, path, nonce, &signature);
	if (r)
		return r;
	j = json_pack("{s:s, s:s}", "public_key", line, "signature", signature);
	if (!j)
		return cli_fail_memory(c);
	*ret = j;
	return STATUS_OK;
}

void key_fingerprint(const char *line, char out[static FINGERPRINT_MAX])
{
	uint8_t blob[SSHKEY_LINE_MAX], hash[32];
	char text[BASE64_LEN(32) + 1];
	const char *b = strchr(line, ' ');
	ssize_t n;

	out[0] = '\0';
	if (!b)
		return;
	b++;
	n = base64_decode(b, strcspn(b, " "), blob, sizeof(blob));
	if (n < 0 || !EVP_Digest(blob, (size_t)n, hash, NULL, EVP_sha256(), NULL))
		return;
	base64_encode(hash, sizeof(hash), text);
	text[strcspn(text, "=")] = '\0';
	snprintf(out, FINGERPRINT_MAX, "SHA256:%s", text);
}
