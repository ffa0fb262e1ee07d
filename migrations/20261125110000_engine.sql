-- The refresh engine takes and gives back many leases in one statement, keeps its history by time,
-- and keeps each client's limits over all replicas.

-- History is partitioned by time: the ids are UUIDv7, so a range of ids is a span of time, and what is
-- too old leaves as a table. The worker makes partitions ahead; until it has, rows go to the default one.
-- No foreign key: each row would cost a look at its connection, which the same transaction has just locked.
ALTER TABLE attempts RENAME TO attempts_before;
ALTER INDEX attempts_pkey RENAME TO attempts_before_pkey;
DROP INDEX attempts_open;
CREATE TABLE attempts (
    id                  uuid NOT NULL,
    connection_id       uuid NOT NULL,
    client_id           uuid NOT NULL,
    lease_id            uuid NOT NULL,
    trigger             text NOT NULL,
    actor               text NOT NULL,
    started_at          timestamptz NOT NULL,
    finished_at         timestamptz,
    verdict             text,
    error_class         text,
    status              integer,
    error_code          text,
    error_description   text,
    generation_before   bigint NOT NULL,
    generation_after    bigint,
    fingerprint_before  text,
    fingerprint_after   text,
    replica             text NOT NULL,
    PRIMARY KEY (connection_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
INSERT INTO attempts
SELECT a.id, a.connection_id, n.client_id, a.lease_id, a.trigger, a.actor, a.started_at, a.finished_at, a.verdict,
       a.error_class, a.status, a.error_code, a.error_description, a.generation_before, a.generation_after,
       a.fingerprint_before, a.fingerprint_after, a.replica
FROM attempts_before a JOIN connections n ON n.id = a.connection_id;
DROP TABLE attempts_before;
-- Intents without a verdict: what each client has under way, over all replicas.
CREATE INDEX attempts_open ON attempts (client_id, connection_id) WHERE verdict IS NULL;

-- One row a connection, replaced in place: what came before is known by the fingerprints in the history.
DELETE FROM token_sets t USING connections n
WHERE n.id = t.connection_id AND t.generation < n.generation
  AND EXISTS (SELECT FROM token_sets later
              WHERE later.connection_id = t.connection_id AND later.generation > t.generation);
ALTER TABLE token_sets DROP CONSTRAINT token_sets_pkey;
ALTER TABLE token_sets ADD PRIMARY KEY (connection_id);

-- A client's limits: the provider asked for a pause until then; and when the next request would come, were
-- they evenly spread (the generic cell rate algorithm).
ALTER TABLE clients ADD COLUMN paused_until timestamptz, ADD COLUMN next_request_at timestamptz;

-- A claim changes no indexed column, so it stays on its page while there is room.
ALTER TABLE connections SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE token_sets SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
