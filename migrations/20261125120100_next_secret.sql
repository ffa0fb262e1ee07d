-- A secret that is to take the place of a client's secret, once one refresh with it has worked.
ALTER TABLE clients
    ADD COLUMN sealed_next_secret      bytea,
    -- Bound into the sealed value; each next secret has another.
    ADD COLUMN next_secret_generation  bigint NOT NULL DEFAULT 0,
    ADD COLUMN next_secret_set_at      timestamptz,
    -- How often it was tried, and what the provider said when it refused it.
    ADD COLUMN rehearsals              integer NOT NULL DEFAULT 0,
    ADD COLUMN next_secret_detail      text,
    -- When it is tried next; null: not until somebody asks for it.
    ADD COLUMN rehearsal_at            timestamptz;
CREATE INDEX clients_rehearsal_at ON clients (rehearsal_at) WHERE rehearsal_at IS NOT NULL;
