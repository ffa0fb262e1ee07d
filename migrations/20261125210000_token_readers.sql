-- Who or what read a connection's token, and when: one row for each reader, counted up. No read waits for
-- it: each process counts in memory and adds here every few seconds.
CREATE TABLE token_readers (
    connection_id uuid NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    -- An API key or a user. It is named here as it was called, so that one that is gone is still named.
    reader_id     uuid NOT NULL,
    kind          text NOT NULL CONSTRAINT token_readers_kind_known CHECK (kind IN ('api_key', 'user')),
    name          text NOT NULL,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    reads         bigint NOT NULL,
    PRIMARY KEY (connection_id, reader_id)
) WITH (fillfactor = 80);
