-- The indexes that hold less take the places of those that hold all. Short, and with the lock that it needs from the
-- beginning.
LOCK TABLE connections IN ACCESS EXCLUSIVE MODE;
DROP INDEX connections_state;
ALTER INDEX connections_state_few RENAME TO connections_state;
DROP INDEX connections_needs_human_by;
ALTER INDEX connections_needs_human_by_some RENAME TO connections_needs_human_by;
DROP INDEX connections_refresh_expires_at;
ALTER INDEX connections_refresh_expires_at_some RENAME TO connections_refresh_expires_at;
