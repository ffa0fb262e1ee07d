-- Where no refresh token is held, none ends. The rows are locked in one order, lest two that change many wait for each
-- other; and no more than an UPDATE locks them, so that attempts of theirs can begin.
WITH held AS MATERIALIZED (
    SELECT id FROM connections WHERE NOT has_refresh_token AND refresh_expires_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE connections n SET refresh_expires_at = NULL FROM held WHERE n.id = held.id;
