-- Campaigns: jobs of relinks that are watched until the customers are done, not only until the links
-- are made.

ALTER TABLE jobs
    ADD COLUMN name          text,
    -- Its links ask for what the client asks for by then, not only for what the connection did.
    ADD COLUMN client_scopes boolean NOT NULL DEFAULT false,
    -- The job whose stragglers it works on.
    ADD COLUMN stragglers_of uuid REFERENCES jobs (id) ON DELETE SET NULL;
CREATE INDEX jobs_stragglers_of ON jobs (stragglers_of) WHERE stragglers_of IS NOT NULL;
CREATE INDEX jobs_relinks ON jobs (id) WHERE action = 'relink';

-- The link that was made. It goes with its connection; what the job did stays.
ALTER TABLE job_items ADD COLUMN relink_id uuid;
CREATE INDEX job_items_relink_id ON job_items (relink_id) WHERE relink_id IS NOT NULL;

-- What consent the link asks for; null: for what its connection does.
ALTER TABLE relinks ADD COLUMN scopes text[];
-- Of a customer's links the newest counts.
CREATE INDEX relinks_newest ON relinks (connection_id, id);

-- How far a relink is, as the domain says it too (domain/relink/stage.rs; a test holds them together).
CREATE FUNCTION relink_stage(used_at timestamptz, ended text, expires_at timestamptz, outcome text,
                             returned_at timestamptz, left_at timestamptz, opened_at timestamptz,
                             as_of timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN used_at IS NOT NULL THEN 'done'
        WHEN ended IS NOT NULL THEN ended
        WHEN expires_at <= as_of THEN 'expired'
        WHEN outcome = 'expired' THEN 'took_too_long'
        WHEN outcome IS NOT NULL THEN outcome
        WHEN as_of - returned_at > interval '2 minutes' THEN 'failed'
        WHEN returned_at IS NOT NULL THEN 'consented'
        WHEN left_at IS NOT NULL THEN 'away'
        WHEN opened_at IS NOT NULL THEN 'opened'
        ELSE 'sent'
    END
$$;

-- The customers of a job who were given a link, by their newest one. Whoever is busy at the provider
-- (whose page waits for half an hour) would be thrown out by another.
CREATE FUNCTION job_customers(of_job uuid, as_of timestamptz)
RETURNS TABLE (number bigint, connection_id uuid, relink_id uuid, stage text, is_busy boolean)
LANGUAGE sql STABLE AS $$
    SELECT i.number, i.connection_id, r.id,
           relink_stage(r.used_at, r.ended, r.expires_at, r.outcome, r.returned_at, r.left_at,
                        r.opened_at, as_of),
           r.used_at IS NULL AND r.expires_at > as_of AND r.outcome IS NULL
               AND coalesce(r.returned_at > as_of - interval '2 minutes',
                            r.left_at > as_of - interval '30 minutes', false)
    FROM job_items i
    JOIN LATERAL (SELECT * FROM relinks
                  WHERE relinks.connection_id = i.connection_id AND relinks.id >= i.relink_id
                  ORDER BY relinks.id DESC LIMIT 1) r ON true
    WHERE i.job_id = of_job
$$;
