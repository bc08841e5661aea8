-- SPDX-License-Identifier: MIT
--
-- Whoever is asked whether an account's password is their own is told since when it is set.

ALTER TABLE users ADD COLUMN password_at BIGINT NOT NULL DEFAULT 0;	-- 0: not known, or none set
