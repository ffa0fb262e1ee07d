-- How far whoever holds a relink has come, so that the desk can help while they are on the telephone.
ALTER TABLE relinks
    -- When they last left for the provider, and came back from it.
    ADD COLUMN left_at      timestamptz,
    ADD COLUMN returned_at  timestamptz,
    -- What the last try came to, and what there is to say of it beside that.
    ADD COLUMN outcome      text,
    ADD COLUMN detail       text,
    -- Why it ended before its time.
    ADD COLUMN ended        text CHECK (ended IN ('replaced', 'revoked'));
UPDATE relinks SET outcome = 'done' WHERE used_at IS NOT NULL;

-- A link ends when it is used or when its time is over.
CREATE INDEX relinks_ends_at ON relinks (coalesce(used_at, expires_at));

-- Pages that show relinks are told that something became of one. A hint, which may be lost.
CREATE FUNCTION announce_relink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('regrant_live', 'relinks');
    RETURN NULL;
END $$;
CREATE TRIGGER relinks_announce AFTER INSERT OR UPDATE ON relinks
    FOR EACH ROW EXECUTE FUNCTION announce_relink();
