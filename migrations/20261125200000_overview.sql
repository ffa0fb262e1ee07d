-- What the overview shows of the time ahead and of the day behind, at a cost that does not grow.

-- Refresh tokens by when they end, with a key that is never null, as the other times have it: so that the
-- list behind a bar of the timeline is in order, and pages can go on from it.
DROP INDEX connections_refresh_expires_at;
CREATE INDEX connections_refresh_expires_at
    ON connections (coalesce(refresh_expires_at, timestamptz '9999-01-01 00:00+00'), id);

-- How many attempts ended how, by the half hour: the history itself grows by millions a day. A row to each
-- process that ends them, so that none waits for another's commit.
CREATE TABLE attempt_windows (
    began_at  timestamptz NOT NULL,
    verdict   text NOT NULL,
    replica   text NOT NULL,
    attempts  bigint NOT NULL,
    PRIMARY KEY (began_at, verdict, replica)
) WITH (fillfactor = 50);
INSERT INTO attempt_windows
SELECT date_bin('30 minutes', finished_at, timestamptz '2000-01-01 00:00+00'), verdict, 'before', count(*)
FROM attempts
WHERE verdict IS NOT NULL AND finished_at > now() - interval '25 hours'
  -- The least UUIDv7 of a moment a little before.
  AND id >= (lpad(to_hex((extract(epoch FROM now() - interval '26 hours') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
GROUP BY 1, 2;

ANALYZE connections;
