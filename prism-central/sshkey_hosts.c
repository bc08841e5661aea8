/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/attr.h"
#include "feed/feed.h"
#include "host.h"
#include "sshkey_hosts.h"

static const char sql_hosts[] =
    "SELECT h.name, p.slug, COALESCE(ha.revision, 0), CASE WHEN ha.epoch = f.epoch"
    " AND ha.revision >= fr.revision THEN 1 ELSE 0 END, h.report, u.username, u.uid"
    " FROM memberships m"
    " JOIN users u ON u.id = m.user_id JOIN projects p ON p.id = m.project_id"
    " JOIN feeds f ON f.project_id = p.id"
    " JOIN feed_records fr ON fr.project_id = p.id AND fr.type = $3 AND fr.subject = u.uid"
    " JOIN host_projects hp ON hp.project_id = p.id"
    " JOIN hosts h ON h.id = hp.host_id AND h.state = 'enrolled'"
    " LEFT JOIN host_applied ha ON ha.host_id = h.id AND ha.project_id = p.id"
    " WHERE m.user_id = $1 AND m.state = 'active' AND (m.not_after = 0 OR m.not_after > $2)"
    " ORDER BY h.name, p.slug";

static int hosts_read(struct tx *t, int64_t user, int64_t now, json_t *into)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_hosts, "iii", &r, user, now, (int64_t)FEED_MEMBER);
	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		_cleanup_free_ char *why =
		    host_report_refusal(row_text(r, 4), row_text(r, 5), row_int(r, 6));
		bool applied = row_int(r, 3);
		json_t *host = json_pack("{ss, ss, sI, sb, sb, ss?}", "host", row_text(r, 0),
		    "project", row_text(r, 1), "revision_applied", (json_int_t)row_int(r, 2),
		    "applied", (int)applied, "present", (int)(applied && !why), "reason", why);
		if (json_array_append_new(into, host) < 0)
			return -ENOMEM;
	}
	return n;
}

int sshkey_add_hosts(struct tx *t, int64_t user, int64_t now, json_t *keys)
{
	json_t *hosts = json_array(), *key;
	size_t i;
	int r = hosts_read(t, user, now, hosts);
	json_array_foreach(keys, i, key) if (!r && json_object_set(key, "hosts", hosts) < 0) r =
	    -ENOMEM;
	json_decref(hosts);
	return r;
}
