-- How many codes for another device were asked for by a link: whoever holds it is a stranger, and each
-- code is a request to the provider.
ALTER TABLE relinks ADD COLUMN codes integer NOT NULL DEFAULT 0;
