-- A paused connection that ends, or that is given tokens which nothing refreshes, has no time to return to:
-- what it had would have a dead grant sent to its provider again.
CREATE OR REPLACE FUNCTION connections_rest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.resume_at := NEW.due_at;
    NEW.due_at := NULL;
    RETURN NEW;
END $$;
DROP TRIGGER connections_rest ON connections;
CREATE TRIGGER connections_rest BEFORE UPDATE ON connections FOR EACH ROW
    WHEN (NEW.paused_at IS NOT NULL
          AND (NEW.due_at IS NOT NULL OR NEW.generation <> OLD.generation
               OR NEW.state NOT IN ('active', 'retrying', 'in_doubt')))
    EXECUTE FUNCTION connections_rest();
UPDATE connections SET resume_at = NULL
WHERE resume_at IS NOT NULL AND state NOT IN ('active', 'retrying', 'in_doubt');

-- What was granted when somebody consented, as far as that is known: an import may not say. A refresh may ask for
-- it again, whatever the last answer named, and who consents again is held to it.
ALTER TABLE connections ADD COLUMN scopes_consented text[] NOT NULL DEFAULT '{}';
UPDATE connections SET scopes_consented = scopes_granted WHERE grant_type <> 'import' OR scopes_granted <> scopes_requested;
