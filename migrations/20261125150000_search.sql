-- Finding connections by what people type, and showing lists of them, at a cost that does not grow with how
-- many there are.

-- Part of a text is found by the index of its trigrams. The extension is a trusted one: the owner of the
-- database may create it.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'Regrant needs the extension pg_trgm, and this role may not create it'
            USING HINT = 'Run CREATE EXTENSION pg_trgm in this database as a role that may, or make this role the owner of the database.';
    WHEN undefined_file OR feature_not_supported THEN
        RAISE EXCEPTION 'Regrant needs the extension pg_trgm, which this PostgreSQL does not have'
            USING HINT = 'It comes with PostgreSQL''s contrib modules: install the package postgresql-contrib.';
END $$;

-- What is searched stands apart from the connections, since these change with each refresh, and an index of
-- trigrams is dear to write. Each text begins with a blank, so that the beginning of a word is found too.
CREATE TABLE connection_search (
    connection_id  uuid PRIMARY KEY,
    text           text NOT NULL,
    tags           text[] NOT NULL
);
CREATE FUNCTION connection_search_text(VARIADIC texts text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(E'\n ' || array_to_string(texts, E'\n '));
INSERT INTO connection_search
SELECT id, connection_search_text(label, account_label, account_id, external_id), tags FROM connections;
CREATE INDEX connection_search_text ON connection_search USING gin (text gin_trgm_ops);
CREATE INDEX connection_search_tags ON connection_search USING gin (tags);

CREATE FUNCTION connection_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO connection_search
    SELECT id, connection_search_text(label, account_label, account_id, external_id), tags FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER connection_search_insert AFTER INSERT ON connections
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION connection_search_insert();

CREATE FUNCTION connection_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE connection_search
    SET text = connection_search_text(NEW.label, NEW.account_label, NEW.account_id, NEW.external_id),
        tags = NEW.tags
    WHERE connection_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER connection_search_update
    AFTER UPDATE OF label, account_label, account_id, external_id, tags ON connections FOR EACH ROW
    WHEN ((OLD.label, OLD.account_label, OLD.account_id, OLD.external_id, OLD.tags)
          IS DISTINCT FROM (NEW.label, NEW.account_label, NEW.account_id, NEW.external_id, NEW.tags))
    EXECUTE FUNCTION connection_search_update();

CREATE FUNCTION connection_search_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM connection_search s USING gone WHERE s.connection_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER connection_search_delete AFTER DELETE ON connections
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION connection_search_delete();

-- One client's connections, the newest last.
CREATE INDEX connections_client ON connections (client_id, id);
-- By when they were refreshed; never comes before all else.
CREATE INDEX connections_obtained_at
    ON connections (coalesce(obtained_at, timestamptz '0001-01-01 00:00+00'), id);

ANALYZE connections, connection_search;
