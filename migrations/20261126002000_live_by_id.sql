-- A page that shows one connection is told what became of it, by its id; refreshes announce themselves, many
-- in one word. A hint, which may be lost.
CREATE FUNCTION announce_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('regrant_live', 'connections');
    PERFORM pg_notify('regrant_connections', NEW.id::text);
    RETURN NULL;
END $$;
DROP TRIGGER connections_announce ON connections;
CREATE TRIGGER connections_announce AFTER UPDATE ON connections FOR EACH ROW
    WHEN ((OLD.state, OLD.reason, OLD.paused_at, OLD.label, OLD.external_id, OLD.tags, OLD.consented_at)
        IS DISTINCT FROM
        (NEW.state, NEW.reason, NEW.paused_at, NEW.label, NEW.external_id, NEW.tags, NEW.consented_at))
    EXECUTE FUNCTION announce_connection();

-- Its relinks stand on its page.
CREATE OR REPLACE FUNCTION announce_relink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('regrant_live', 'relinks');
    PERFORM pg_notify('regrant_connections', NEW.connection_id::text);
    RETURN NULL;
END $$;

-- What a client's page shows of its trouble.
DROP TRIGGER clients_announce ON clients;
CREATE TRIGGER clients_announce AFTER UPDATE ON clients FOR EACH ROW
    WHEN ((OLD.state, OLD.name, OLD.paused_until) IS DISTINCT FROM (NEW.state, NEW.name, NEW.paused_until))
    EXECUTE FUNCTION announce_live('clients');
CREATE TRIGGER incidents_announce AFTER UPDATE ON incidents FOR EACH ROW
    EXECUTE FUNCTION announce_live('clients');
