-- Of what came without an end, those that are refreshed far from now: brought forward once their provider's profile
-- asks for it. Only what has no known end is written into it.
CREATE INDEX connections_without_end ON connections (client_id, due_at)
    WHERE state = 'active' AND access_expires_at IS NULL AND due_at IS NOT NULL;
