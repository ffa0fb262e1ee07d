-- Until when the worker leaves places at a client free for whoever waits for a token: somebody found none.
ALTER TABLE clients ADD COLUMN callers_until timestamptz;
