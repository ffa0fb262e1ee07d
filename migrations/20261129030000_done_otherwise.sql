-- Whoever consented otherwise since they were given a link (an admin authorized it again, say) is done as well, if that
-- covers what the link asks for: nobody is to write to them.
CREATE OR REPLACE FUNCTION job_customers(of_job uuid, as_of timestamptz)
RETURNS TABLE (number bigint, connection_id uuid, relink_id uuid, stage text, is_busy boolean)
LANGUAGE sql STABLE AS $$
    SELECT i.number, i.connection_id, r.id,
           CASE WHEN n.consented_at > r.created_at AND n.state IN ('active', 'retrying', 'in_doubt')
                     AND coalesce(n.scopes_requested @> r.scopes, true)
                THEN 'done'
                ELSE relink_stage(r.used_at, r.ended, r.expires_at, r.outcome, r.returned_at, r.left_at,
                                  r.opened_at, as_of)
           END,
           r.used_at IS NULL AND r.expires_at > as_of AND r.outcome IS NULL
               AND coalesce(r.returned_at > as_of - interval '2 minutes',
                            r.left_at > as_of - interval '30 minutes', false)
    FROM job_items i
    JOIN LATERAL (SELECT * FROM relinks
                  WHERE relinks.connection_id = i.connection_id AND relinks.id >= i.relink_id
                  ORDER BY relinks.id DESC LIMIT 1) r ON true
    JOIN connections n ON n.id = i.connection_id
    WHERE i.job_id = of_job
$$;
