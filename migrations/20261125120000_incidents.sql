-- When an unusual share of a client's connections is refused at once, verdicts wait until it is known what
-- happened. What happens is counted by rows, so that all replicas see the same.

-- How many connections of a client were refreshed in a minute; a row to each process that saved them, so that
-- none waits for another's commit.
CREATE TABLE client_windows (
    client_id  uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    minute     timestamptz NOT NULL,
    replica    text NOT NULL,
    refreshed  bigint NOT NULL,
    PRIMARY KEY (client_id, minute, replica)
) WITH (fillfactor = 50);
CREATE INDEX client_windows_minute ON client_windows (minute);

-- Connections that were refused of late, and what they were before.
CREATE TABLE suspects (
    connection_id        uuid PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    client_id            uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    generation           bigint NOT NULL,
    attempt_id           uuid NOT NULL,
    reason               text NOT NULL,
    refused_at           timestamptz NOT NULL,
    doubtful_attempt_id  uuid,
    needs_human_by       timestamptz,
    -- When it was last tried as a canary.
    tried_at             timestamptz,
    -- condemned: can be given back. held: its verdict waits. last_try: the next refusal is final.
    standing             text NOT NULL
        CONSTRAINT suspects_standing_known CHECK (standing IN ('condemned', 'held', 'last_try'))
);
CREATE INDEX suspects_client ON suspects (client_id, refused_at);
CREATE INDEX suspects_refused_at ON suspects (refused_at);

-- What is known of a client whose state is incident.
CREATE TABLE incidents (
    client_id       uuid PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    began_at        timestamptz NOT NULL,
    -- What was counted when it began.
    refused         bigint NOT NULL,
    refreshed       bigint NOT NULL,
    window_seconds  bigint NOT NULL,
    -- Canaries that were tried, and those of them that were refused again.
    tried           integer NOT NULL DEFAULT 0,
    confirmed       integer NOT NULL DEFAULT 0,
    canary_at       timestamptz NOT NULL
);
