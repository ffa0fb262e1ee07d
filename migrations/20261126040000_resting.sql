-- What a person switched off, for the list of what is paused. Few are, and no refresh writes into this: what rests
-- is not refreshed.
CREATE INDEX connections_resting ON connections (client_id, id) WHERE paused_at IS NOT NULL;
