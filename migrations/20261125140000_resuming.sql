-- Since when what came due while a client was refused is being spread, a batch at a time: whoever ends
-- the trouble waits for none of it. Until it is done the worker claims none of the client's connections.
ALTER TABLE clients ADD COLUMN resuming_since timestamptz;
CREATE INDEX clients_resuming ON clients (id) WHERE resuming_since IS NOT NULL;
