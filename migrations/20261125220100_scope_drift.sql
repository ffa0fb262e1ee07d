-- What of the scopes that are asked for a provider tells to have granted: many keep quiet about those
-- that ask for a refresh token or an id token.
CREATE FUNCTION scopes_told(scopes text[])
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(array_remove(scopes, 'offline_access'), 'openid')
$$;
