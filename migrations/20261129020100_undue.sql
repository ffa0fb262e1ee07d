-- Where few are active among many that are gone, a list of the active looked at all. An index of all that is active
-- would be written into by each refresh; what is due has one already, and this holds the rest, which nothing refreshes.
CREATE INDEX connections_undue ON connections (client_id, id) WHERE state = 'active' AND due_at IS NULL;
