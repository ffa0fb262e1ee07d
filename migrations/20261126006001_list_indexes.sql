-- The indexes that know the state take the places of those that don't. Short, and with the lock that it needs from
-- the beginning.
LOCK TABLE connections IN ACCESS EXCLUSIVE MODE;
DROP INDEX connections_needs_human_by;
ALTER INDEX connections_needs_human_by_state RENAME TO connections_needs_human_by;
DROP INDEX connections_access_expires_at;
ALTER INDEX connections_access_expires_at_state RENAME TO connections_access_expires_at;
DROP INDEX connections_refresh_expires_at;
ALTER INDEX connections_refresh_expires_at_state RENAME TO connections_refresh_expires_at;
