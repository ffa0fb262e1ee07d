-- Flows are looked for by their connection: when it is taken over, disconnected or deleted.
CREATE INDEX flows_connection ON flows (connection_id);
