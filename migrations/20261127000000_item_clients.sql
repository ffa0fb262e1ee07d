-- Whose each item is, so that a look for what is open passes by a client that waits at once, however many items it
-- has. Null: an older version wrote it, before this or beside it; such items are found by themselves. They are not
-- filled in here, since whoever works at a job holds some items while this would hold others.
ALTER TABLE job_items ADD COLUMN client_id uuid;
-- Its successor is built by itself, so that items can be read meanwhile; until then the primary key serves.
DROP INDEX job_items_open;
