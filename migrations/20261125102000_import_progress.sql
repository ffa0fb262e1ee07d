-- How far an import is, and whether anybody still works at it.
ALTER TABLE imports
    -- Bytes of the file that were read, and how many it has where the sender said so.
    ADD COLUMN read_bytes  bigint NOT NULL DEFAULT 0,
    ADD COLUMN total_bytes bigint,
    -- When the replica that runs it last showed that it lives.
    ADD COLUMN beat_at     timestamptz NOT NULL DEFAULT now();
-- Few at any time: those that may have been left behind.
CREATE INDEX imports_running ON imports (id) WHERE state = 'running';
