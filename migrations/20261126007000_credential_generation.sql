-- A session carries under which password its person signed in, as a number: one that was being made while
-- the password was replaced opens nothing.
ALTER TABLE users ADD COLUMN credential_generation bigint NOT NULL DEFAULT 1;
