/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/io.h"
#include "identity.h"

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static int text_of(const json_t *j, const char *key, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (s == NULL || strlen(s) >= size)
		return -EBADMSG;
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int load_json(const char *dir, struct identity *id)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	char path[600];

	snprintf(path, sizeof(path), "%s/host.json", dir);
	int rc = io_read_private(path, geteuid(), 077, &b);

	if (rc < 0)
		return rc;
	_cleanup_(json_freep) json_t *j =
	    json_loadb(buf_str(&b), b.len, JSON_REJECT_DUPLICATES, NULL);

	if (j == NULL || text_of(j, "url", id->url, sizeof(id->url)) < 0 ||
	    text_of(j, "pin", id->pin, sizeof(id->pin)) < 0 ||
	    text_of(j, "host_id", id->host_id, sizeof(id->host_id)) < 0 ||
	    text_of(j, "name", id->name, sizeof(id->name)) < 0 || strlen(id->host_id) != 32)
		return -EBADMSG;
	return 0;
}

int identity_load(const char *dir, struct identity *ret)
{
	_cleanup_buf_ struct buf key = BUF_INIT(64);
	struct identity id = {.url = ""};
	char path[600];
	int rc = load_json(dir, &id);

	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/host.key", dir);
	rc = io_read_private(path, geteuid(), 077, &key);
	if (rc < 0)
		return rc;
	if (key.len != sizeof(id.seed))
		return -EBADMSG;
	memcpy(id.seed, key.data, sizeof(id.seed));
	snprintf(id.ca_file, sizeof(id.ca_file), "%s/" IDENTITY_CA, dir);
	if (access(id.ca_file, F_OK) < 0)
		id.ca_file[0] = '\0';
	*ret = id;
	explicit_bzero(&id, sizeof(id));
	return 0;
}

int identity_save(const char *dir, const struct identity *id, uid_t uid, gid_t gid)
{
	_cleanup_(json_freep) json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "url", id->url, "pin",
	    id->pin, "host_id", id->host_id, "name", id->name);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	char path[600];

	if (text == NULL)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/host.key", dir);
	int rc = io_replace_file(path, id->seed, sizeof(id->seed), 0600, uid, gid);

	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/host.json", dir);
	return io_replace_file(path, text, strlen(text), 0600, uid, gid);
}
