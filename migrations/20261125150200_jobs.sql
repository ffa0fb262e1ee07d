-- Work on many connections that outlives whoever asked for it, and connections that rest.

-- A paused connection is not refreshed by itself. When it would be is kept for its return, whoever says so.
ALTER TABLE connections ADD COLUMN paused_at timestamptz, ADD COLUMN resume_at timestamptz;
CREATE FUNCTION connections_rest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.resume_at := NEW.due_at;
    NEW.due_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER connections_rest BEFORE UPDATE ON connections FOR EACH ROW
    WHEN (NEW.paused_at IS NOT NULL AND NEW.due_at IS NOT NULL) EXECUTE FUNCTION connections_rest();

CREATE TABLE jobs (
    id           uuid PRIMARY KEY,
    action       text NOT NULL,
    -- What to tag or untag with.
    tag          text,
    -- Whether the provider is told of an end.
    revoke       boolean NOT NULL DEFAULT false,
    state        text NOT NULL DEFAULT 'running'
        CONSTRAINT jobs_state_known CHECK (state IN ('running', 'done', 'stopped')),
    total        bigint NOT NULL,
    done         bigint NOT NULL DEFAULT 0,
    skipped      bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    -- Up to which item all have their outcome.
    position     bigint NOT NULL DEFAULT 0,
    -- Why it was stopped.
    detail       text,
    actor_kind   text NOT NULL,
    actor_id     uuid NOT NULL,
    actor_label  text NOT NULL,
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    lease_id     uuid,
    leased_until timestamptz
);
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';

-- What a job was asked to work on when it was made, and what came of each.
CREATE TABLE job_items (
    job_id         uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number         bigint NOT NULL,
    connection_id  uuid NOT NULL,
    -- The names they had then.
    label          text NOT NULL,
    client         text NOT NULL,
    outcome        text
        CONSTRAINT job_items_outcome_known CHECK (outcome IN ('done', 'skipped', 'failed')),
    detail         text,
    -- A relink that was made.
    sealed_link    bytea,
    at             timestamptz,
    PRIMARY KEY (job_id, number)
);
