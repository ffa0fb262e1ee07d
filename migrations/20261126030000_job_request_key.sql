-- A job that is asked for twice with one key is made once.
ALTER TABLE jobs ADD COLUMN request_key uuid;
CREATE UNIQUE INDEX jobs_request_key_unique ON jobs (actor_id, request_key);
