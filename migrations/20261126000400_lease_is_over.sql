-- A lease is prolonged for 45 seconds at a time. One that seems to last longer than a minute was given before the
-- database's clock was set back, and whoever lives prolongs theirs within seconds by the new time.
CREATE FUNCTION lease_is_over(leased_until timestamptz, now timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN leased_until <= now OR leased_until > now + interval '1 minute';
