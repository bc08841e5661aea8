-- SPDX-License-Identifier: MIT
--
-- Hosts and the change feeds. As in 0001: times are UTC seconds, 0 for none; hashes, keys and feed ids
-- are lowercase hex; BYTEA is a type name that SQLite and PostgreSQL both take.

-- One counter for everything that a host of this organization can see.
ALTER TABLE organizations ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- The deployment's epoch: one row. A restored backup begins the next one.
CREATE TABLE feed_epoch (
	id INTEGER PRIMARY KEY,			-- 1
	epoch BIGINT NOT NULL,
	started_at BIGINT NOT NULL		-- 0: the first
);
INSERT INTO feed_epoch (id, epoch, started_at) VALUES (1, 1, 0);

CREATE TABLE feeds (
	project_id BIGINT PRIMARY KEY REFERENCES projects (id),
	feed_id TEXT NOT NULL UNIQUE,		-- 16 random bytes
	epoch BIGINT NOT NULL,
	revision BIGINT NOT NULL,		-- of the newest record
	digest TEXT NOT NULL			-- of all records that are not deleted
);

CREATE TABLE feed_records (
	project_id BIGINT NOT NULL REFERENCES feeds (project_id),
	type INTEGER NOT NULL,			-- enum feed_type
	subject BIGINT NOT NULL,
	revision BIGINT NOT NULL,		-- that last changed it
	deleted INTEGER NOT NULL,
	bytes BYTEA NOT NULL,			-- the record as sent, with its length
	PRIMARY KEY (project_id, type, subject)
);
CREATE INDEX feed_records_by_revision ON feed_records (project_id, revision);

CREATE TABLE hosts (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	name TEXT NOT NULL,
	public_key TEXT NOT NULL UNIQUE,	-- Ed25519; a removed host's key never comes back
	hostname TEXT NOT NULL,
	address TEXT NOT NULL,
	ssh_host_keys TEXT NOT NULL,		-- JSON array of lines
	state TEXT NOT NULL CHECK (state IN ('enrolled', 'removed')),
	manifest BIGINT NOT NULL,		-- revision of the list of its projects
	manifest_at BIGINT NOT NULL DEFAULT 0,	-- when that was last sent
	enrolled_at BIGINT NOT NULL,
	removed_at BIGINT NOT NULL DEFAULT 0,
	last_seen BIGINT NOT NULL,
	reported_at BIGINT NOT NULL DEFAULT 0,
	report TEXT				-- the latest one, JSON
);
CREATE UNIQUE INDEX hosts_by_name ON hosts (name) WHERE state = 'enrolled';

CREATE TABLE host_projects (
	host_id BIGINT NOT NULL REFERENCES hosts (id),
	project_id BIGINT NOT NULL REFERENCES projects (id),
	PRIMARY KEY (host_id, project_id)
);
CREATE INDEX host_projects_by_project ON host_projects (project_id);

-- What a host says it has published.
CREATE TABLE host_applied (
	host_id BIGINT NOT NULL REFERENCES hosts (id),
	project_id BIGINT NOT NULL REFERENCES projects (id),
	epoch BIGINT NOT NULL,
	revision BIGINT NOT NULL,
	PRIMARY KEY (host_id, project_id)
);

-- One-time enrolment tokens.
CREATE TABLE enrol_tokens (
	id BIGINT PRIMARY KEY,
	project_id BIGINT NOT NULL REFERENCES projects (id),
	name TEXT NOT NULL,			-- that the host must take; '': free
	secret_hash TEXT NOT NULL UNIQUE,
	created_by BIGINT NOT NULL REFERENCES users (id),
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL DEFAULT 0
);

-- Access tokens of hosts.
CREATE TABLE host_tokens (
	id BIGINT PRIMARY KEY,
	host_id BIGINT NOT NULL REFERENCES hosts (id),
	token_hash TEXT NOT NULL UNIQUE,
	expires_at BIGINT NOT NULL
);
CREATE INDEX host_tokens_by_host ON host_tokens (host_id);
CREATE INDEX host_tokens_by_expiry ON host_tokens (expires_at);

-- Assertions that were used, until they would have expired anyway.
CREATE TABLE host_assertions (
	host_id BIGINT NOT NULL REFERENCES hosts (id),
	jti_hash TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (host_id, jti_hash)
);
CREATE INDEX host_assertions_by_expiry ON host_assertions (expires_at);
