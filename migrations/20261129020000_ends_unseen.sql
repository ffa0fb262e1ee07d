-- What works while nothing renews it and no end of it is known can be over before anybody is told. The overview counts
-- it and the list finds it by this one rule; `Connection::may_end_unseen` is the same for one connection.
CREATE FUNCTION ends_unseen(
    state text, access_expires_at timestamptz, has_refresh_token boolean, grant_type text
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN state = 'active' AND access_expires_at IS NULL AND NOT has_refresh_token
           AND grant_type <> 'client_credentials';

-- Most connections are renewed: a refresh of those writes nothing into it.
CREATE INDEX connections_ends_unseen ON connections (client_id, id)
    WHERE ends_unseen(state, access_expires_at, has_refresh_token, grant_type);
