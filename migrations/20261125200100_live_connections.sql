-- Pages that show how connections and clients stand are told when that changes. A refresh that goes well
-- changes nothing of it and says nothing; what is said many times in one transaction is said once. A hint,
-- which may be lost.
CREATE FUNCTION announce_live() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('regrant_live', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE TRIGGER connections_announce AFTER UPDATE ON connections FOR EACH ROW
    WHEN ((OLD.state, OLD.reason, OLD.paused_at) IS DISTINCT FROM (NEW.state, NEW.reason, NEW.paused_at))
    EXECUTE FUNCTION announce_live('connections');
CREATE TRIGGER connections_announce_more AFTER INSERT OR DELETE ON connections FOR EACH STATEMENT
    EXECUTE FUNCTION announce_live('connections');

CREATE TRIGGER clients_announce AFTER UPDATE ON clients FOR EACH ROW
    WHEN ((OLD.state, OLD.name) IS DISTINCT FROM (NEW.state, NEW.name))
    EXECUTE FUNCTION announce_live('clients');
CREATE TRIGGER clients_announce_more AFTER INSERT OR DELETE ON clients FOR EACH STATEMENT
    EXECUTE FUNCTION announce_live('clients');
