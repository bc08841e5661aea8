-- SPDX-License-Identifier: MIT
--
-- Secrets of organizations, sealed (secrets.h). As in 0001: times are UTC seconds.

-- The data key of each organization that has one: "v1." and base64, sealed by the master key that
-- is named, which is in no table.
CREATE TABLE organization_keys (
	organization_id BIGINT PRIMARY KEY REFERENCES organizations (id),
	key_id TEXT NOT NULL,
	wrapped TEXT NOT NULL,
	created_at BIGINT NOT NULL,		-- the data key
	wrapped_at BIGINT NOT NULL
);
CREATE INDEX organization_keys_by_key ON organization_keys (key_id);
