-- Lists of connections that cost the same however many are dead, and however common what is searched is.

-- The dead come first in these orders, since their times are behind them. With the state at the end of the index
-- they are passed over without a look at their rows when another state is asked for. They take the old ones'
-- places by the next migration: who only reads the connections is not to wait for this one, and a lock that is
-- made stronger while others work beside it ends in a deadlock.
CREATE INDEX connections_needs_human_by_state
    ON connections (coalesce(needs_human_by, timestamptz '9999-01-01 00:00+00'), id, state);
CREATE INDEX connections_access_expires_at_state
    ON connections (coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00'), id, state);
CREATE INDEX connections_refresh_expires_at_state
    ON connections (coalesce(refresh_expires_at, timestamptz '9999-01-01 00:00+00'), id, state);

-- Whose label or whose account holds a text is told by these; the text finds them, and a second look at the
-- connections is spared. The table is filled anew: rows that change would be written into its indexes one by one.
DROP INDEX connection_search_text;
DROP INDEX connection_search_tags;
TRUNCATE connection_search;
ALTER TABLE connection_search ADD COLUMN label text NOT NULL, ADD COLUMN owner text NOT NULL;
CREATE FUNCTION connection_search_owner(account_label text, account_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(coalesce(account_label, '') || E'\n' || coalesce(account_id, ''));
INSERT INTO connection_search (connection_id, text, tags, label, owner)
SELECT id, connection_search_text(label, account_label, account_id, external_id), tags, lower(label),
       connection_search_owner(account_label, account_id)
FROM connections;
CREATE INDEX connection_search_text ON connection_search USING gin (text gin_trgm_ops);
CREATE INDEX connection_search_tags ON connection_search USING gin (tags);

CREATE OR REPLACE FUNCTION connection_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO connection_search (connection_id, text, tags, label, owner)
    SELECT id, connection_search_text(label, account_label, account_id, external_id), tags, lower(label),
           connection_search_owner(account_label, account_id)
    FROM added;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION connection_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE connection_search
    SET text = connection_search_text(NEW.label, NEW.account_label, NEW.account_id, NEW.external_id),
        tags = NEW.tags, label = lower(NEW.label),
        owner = connection_search_owner(NEW.account_label, NEW.account_id)
    WHERE connection_id = NEW.id;
    RETURN NULL;
END $$;

ANALYZE connections, connection_search;
