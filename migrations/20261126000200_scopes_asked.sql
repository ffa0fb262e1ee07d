-- Which scopes connections of a client were ever asked for. They are few, so whose differ from what the client
-- asks for today is found without a look at every connection. What no connection has any more stays: it costs a
-- look in vain.
CREATE TABLE scopes_asked (
    client_id  uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- Lists may be longer than an index takes.
    digest     uuid NOT NULL,
    scopes     text[] NOT NULL,
    PRIMARY KEY (client_id, digest)
);

CREATE FUNCTION scopes_digest(scopes text[]) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN md5(array_to_string(scopes, ' '))::uuid;

INSERT INTO scopes_asked
SELECT client_id, scopes_digest(scopes_requested), scopes_requested
FROM (SELECT DISTINCT client_id, scopes_requested FROM connections) AS asked;

CREATE FUNCTION scopes_asked_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO scopes_asked
    SELECT client_id, scopes_digest(scopes_requested), scopes_requested
    FROM (SELECT DISTINCT client_id, scopes_requested FROM added) AS asked
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER scopes_asked_insert AFTER INSERT ON connections
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION scopes_asked_insert();

CREATE FUNCTION scopes_asked_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO scopes_asked
    VALUES (NEW.client_id, scopes_digest(NEW.scopes_requested), NEW.scopes_requested)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER scopes_asked_update AFTER UPDATE OF scopes_requested ON connections FOR EACH ROW
    WHEN (OLD.scopes_requested IS DISTINCT FROM NEW.scopes_requested)
    EXECUTE FUNCTION scopes_asked_update();

ANALYZE scopes_asked;
