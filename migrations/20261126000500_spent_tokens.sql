-- By which attempt a refresh token was replaced: who imports it once more would have it sent again, and a strict server
-- would end the grant that came of it.
CREATE INDEX attempts_spent ON attempts (fingerprint_before) WHERE verdict = 'refreshed';
