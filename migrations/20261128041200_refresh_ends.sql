-- Where no refresh token is held, none ends.
UPDATE connections SET refresh_expires_at = NULL WHERE NOT has_refresh_token AND refresh_expires_at IS NOT NULL;
