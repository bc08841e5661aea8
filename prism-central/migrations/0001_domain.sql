-- SPDX-License-Identifier: MIT
--
-- The domain: people, organizations, projects, roles, memberships, the id register, invitations,
-- keys, sessions, the audit chain. Times are UTC seconds, 0 or NULL as told; hashes are lowercase hex;
-- flags are 0 or 1; ids are made by us. The subset of SQL that SQLite and PostgreSQL share.

CREATE TABLE users (
	id BIGINT PRIMARY KEY,
	username TEXT NOT NULL UNIQUE,		-- never changes, never reused: rows are never deleted
	name TEXT NOT NULL,			-- as people read it: the gecos field
	uid BIGINT NOT NULL UNIQUE,		-- and the private gid; from posix_ids
	home TEXT NOT NULL,
	shell TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'ended')),
	superadmin INTEGER NOT NULL DEFAULT 0,
	password TEXT,				-- encoded scrypt; NULL: none set
	created_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL DEFAULT 0	-- since when suspended or ended; 0
);

-- Addresses of people. "canonical" is what is compared: the whole address in lowercase.
CREATE TABLE emails (
	id BIGINT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	address TEXT NOT NULL,
	canonical TEXT NOT NULL UNIQUE,
	main INTEGER NOT NULL DEFAULT 1,
	verified_at BIGINT NOT NULL DEFAULT 0	-- 0: not verified
);
CREATE INDEX emails_by_user ON emails (user_id);

CREATE TABLE organizations (
	id BIGINT PRIMARY KEY,
	slug TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('active', 'archived')),
	created_at BIGINT NOT NULL
);

-- Roles are rows; what they allow are rows too. Built-in ones have organization_id NULL.
CREATE TABLE roles (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT REFERENCES organizations (id),
	scope TEXT NOT NULL CHECK (scope IN ('organization', 'project')),
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	rank INTEGER NOT NULL,			-- nobody gives or touches a higher one
	system INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX roles_by_slug ON roles (COALESCE(organization_id, 0), scope, slug);

-- "product:action" or "product:part:action"; a trailing "*" stands for all that follows.
CREATE TABLE role_permissions (
	role_id BIGINT NOT NULL REFERENCES roles (id),
	permission TEXT NOT NULL,
	PRIMARY KEY (role_id, permission)
);

CREATE TABLE organization_members (
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	user_id BIGINT NOT NULL REFERENCES users (id),
	role_id BIGINT NOT NULL REFERENCES roles (id),
	created_at BIGINT NOT NULL,
	PRIMARY KEY (organization_id, user_id)
);

CREATE TABLE projects (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	slug TEXT NOT NULL UNIQUE,		-- never reused: rows are never deleted
	name TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'archived')),
	budget_cents BIGINT,			-- NULL: none set
	contact TEXT NOT NULL,			-- whom a refused person should ask
	sso_max_age BIGINT NOT NULL DEFAULT 0,	-- seconds; 0: not asked for
	gid_rw BIGINT NOT NULL UNIQUE,		-- p-SLUG; from posix_ids
	gid_ro BIGINT NOT NULL UNIQUE,		-- p-SLUG-ro
	created_by BIGINT NOT NULL REFERENCES users (id),
	created_at BIGINT NOT NULL,
	archived_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX projects_by_organization ON projects (organization_id);

-- One row a person and project, for ever: a removed member keeps it, and may come back into it.
CREATE TABLE memberships (
	id BIGINT PRIMARY KEY,
	project_id BIGINT NOT NULL REFERENCES projects (id),
	user_id BIGINT NOT NULL REFERENCES users (id),
	role_id BIGINT NOT NULL REFERENCES roles (id),
	state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'removed')),
	not_after BIGINT NOT NULL DEFAULT 0,	-- from then on it is expired; 0: no end
	joined_at BIGINT NOT NULL,
	joined_via TEXT NOT NULL CHECK (joined_via IN ('created', 'invitation', 'direct')),
	source_id BIGINT,			-- the invitation
	ended_at BIGINT NOT NULL DEFAULT 0,	-- since when suspended or removed
	ended_by BIGINT REFERENCES users (id),
	reason TEXT,
	UNIQUE (project_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- The register of user and group ids: one space of numbers, each given out once, never again.
CREATE TABLE posix_ids (
	number BIGINT PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind IN ('user', 'project-rw', 'project-ro')),
	object_id BIGINT NOT NULL,
	allocated_at BIGINT NOT NULL
);
-- Where to look for the next one: "uid", "gid". Only ever grows.
CREATE TABLE posix_id_next (
	range_name TEXT PRIMARY KEY,
	number BIGINT NOT NULL
);
-- Numbers that a host has seen in use for something local: never given to anybody.
CREATE TABLE burned_ids (
	number BIGINT PRIMARY KEY,
	host_id BIGINT,
	reported_at BIGINT NOT NULL
);

CREATE TABLE sessions (
	id BIGINT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	token_hash TEXT NOT NULL UNIQUE,
	how TEXT NOT NULL CHECK (how IN ('password', 'key', 'invitation')),
	peer TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE ssh_keys (
	id BIGINT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	fingerprint TEXT NOT NULL UNIQUE,	-- "SHA256:..."; a revoked key never comes back
	line TEXT NOT NULL,			-- "ssh-ed25519 AAAA...", without a comment
	origin TEXT NOT NULL CHECK (origin IN ('generated', 'imported')),
	state TEXT NOT NULL CHECK (state IN ('active', 'retiring', 'revoked')),
	created_at BIGINT NOT NULL,
	not_after BIGINT NOT NULL DEFAULT 0,	-- end of a retiring key's grace
	revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX ssh_keys_by_user ON ssh_keys (user_id);

-- Nonces of key proofs: each good once, for one person and purpose.
CREATE TABLE nonces (
	nonce_hash TEXT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	purpose TEXT NOT NULL CHECK (purpose IN ('login', 'register')),
	expires_at BIGINT NOT NULL
);
CREATE INDEX nonces_by_user ON nonces (user_id, expires_at);

CREATE TABLE invitations (
	id BIGINT PRIMARY KEY,
	project_id BIGINT NOT NULL REFERENCES projects (id),
	email TEXT NOT NULL,			-- as written
	canonical TEXT NOT NULL,		-- as compared
	role_id BIGINT NOT NULL REFERENCES roles (id),
	state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'declined', 'expired', 'revoked')),
	message TEXT NOT NULL DEFAULT '',
	token_hash TEXT NOT NULL UNIQUE,	-- SHA-256 of the secret part
	invited_by BIGINT NOT NULL REFERENCES users (id),
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	sent_at BIGINT NOT NULL,		-- the latest (re)sending
	resend_count INTEGER NOT NULL DEFAULT 0,
	answered_at BIGINT NOT NULL DEFAULT 0,	-- accepted, declined or revoked
	answered_by BIGINT REFERENCES users (id),
	reason TEXT
);
CREATE UNIQUE INDEX invitations_pending ON invitations (project_id, canonical)
	WHERE state = 'pending';
CREATE INDEX invitations_by_address ON invitations (canonical);
CREATE INDEX invitations_by_inviter ON invitations (invited_by, project_id);

-- The chain: hash = SHA-256(prev_hash || canonical bytes of the row), see audit.h.
CREATE TABLE audit (
	seq BIGINT PRIMARY KEY,			-- 1, 2, 3, ... without gaps
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,			-- "user:alice", "host:ws1", "system"
	action TEXT NOT NULL,			-- "invitation.accept"
	object TEXT NOT NULL,			-- "project:genomics"
	project_id BIGINT,
	request_id TEXT NOT NULL,
	peer TEXT NOT NULL,
	detail TEXT NOT NULL,			-- JSON, keys sorted
	prev_hash TEXT NOT NULL,
	hash TEXT NOT NULL
);
CREATE INDEX audit_by_project ON audit (project_id, seq);
-- The chain's end, so that cutting off its tail shows.
CREATE TABLE audit_head (
	id INTEGER PRIMARY KEY,			-- 1
	seq BIGINT NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0,
	'0000000000000000000000000000000000000000000000000000000000000000');

INSERT INTO roles (id, organization_id, scope, slug, name, rank, system) VALUES
	(1, NULL, 'project', 'owner', 'Owner', 40, 1),
	(2, NULL, 'project', 'admin', 'Admin', 30, 1),
	(3, NULL, 'project', 'member', 'Member', 20, 1),
	(4, NULL, 'project', 'viewer', 'Viewer', 10, 1),
	(11, NULL, 'organization', 'owner', 'Owner', 40, 1),
	(12, NULL, 'organization', 'admin', 'Admin', 30, 1),
	(13, NULL, 'organization', 'member', 'Member', 20, 1);

INSERT INTO role_permissions (role_id, permission) VALUES
	(1, 'projects:*'), (1, 'members:*'), (1, 'invites:*'), (1, 'budget:*'), (1, 'hosts:*'),
	(2, 'projects:view'), (2, 'projects:edit'), (2, 'members:*'), (2, 'invites:*'),
	(2, 'budget:view'), (2, 'budget:edit'), (2, 'hosts:view'), (2, 'hosts:launch'),
	(2, 'hosts:control'), (2, 'hosts:enrol'), (2, 'hosts:remove'), (2, 'hosts:login'),
	(2, 'hosts:sudo'), (2, 'hosts:data:read'), (2, 'hosts:data:write'), (2, 'hosts:data:attach'),
	(3, 'projects:view'), (3, 'members:view'), (3, 'invites:view'), (3, 'budget:view'),
	(3, 'hosts:view'), (3, 'hosts:launch'), (3, 'hosts:control'), (3, 'hosts:login'),
	(3, 'hosts:data:read'), (3, 'hosts:data:write'), (3, 'hosts:data:attach'),
	(4, 'projects:view'), (4, 'members:view'), (4, 'invites:view'), (4, 'budget:view'),
	(4, 'hosts:view'), (4, 'hosts:login'), (4, 'hosts:data:read'),
	(11, '*'),
	(12, 'orgs:view'), (12, 'projects:create'),
	(13, 'orgs:view'), (13, 'projects:create');
