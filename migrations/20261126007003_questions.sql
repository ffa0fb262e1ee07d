-- A question about a client, which is no refresh of any connection, holds one of the places that the client
-- has at its provider. There is one at a time.
ALTER TABLE clients ADD COLUMN question_id uuid, ADD COLUMN question_until timestamptz;
