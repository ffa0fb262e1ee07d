-- Each refresh changes a row of connections in several of its indexes' columns, and so writes into all indexes that
-- hold the row, most of them at places that have nothing to do with each other. These hold fewer: what is not active;
-- and what has such a time at all, which few providers give. They take the old ones' places by the next migration:
-- who only reads the connections is not to wait for this one.
CREATE INDEX connections_state_few ON connections (state, client_id) WHERE state <> 'active';
CREATE INDEX connections_needs_human_by_some ON connections (needs_human_by, id, state)
    WHERE needs_human_by IS NOT NULL;
CREATE INDEX connections_refresh_expires_at_some ON connections (refresh_expires_at, id, state)
    WHERE refresh_expires_at IS NOT NULL;
ANALYZE connections;
