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

-- The scopes that the provider named when somebody consented; none where it named none. A refresh may ask for these
-- again, whatever the last answer named, and who consents again is held to them. Where all that was asked for
-- stands as granted, it may have been named or not.
ALTER TABLE connections ADD COLUMN scopes_consented text[] NOT NULL DEFAULT '{}';
UPDATE connections SET scopes_consented = scopes_granted WHERE scopes_granted <> scopes_requested;
