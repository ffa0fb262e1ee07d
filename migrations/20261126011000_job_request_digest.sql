-- What was asked for with a key, so that another job sent with it is not taken for the first.
ALTER TABLE jobs ADD COLUMN request_digest bytea;
