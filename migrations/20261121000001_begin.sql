-- Every row of the hot tables (connections, token_sets, attempts) carries the connection's id, so
-- that they can be distributed by it. Ciphertext columns begin with sealed_.

-- Data keys, wrapped by the master key. The newest seals; all of them open.
CREATE TABLE data_keys (
    id          integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    sealed_key  bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    -- seal: opens and seals values; fingerprint: keys the hashes of refresh tokens.
    purpose     text NOT NULL CHECK (purpose IN ('seal', 'fingerprint')),
    -- How many values this key sealed, counted in steps: bounds random nonces (NIST SP 800-38D 8.3).
    uses        bigint NOT NULL DEFAULT 0
);

CREATE TABLE users (
    id             uuid PRIMARY KEY,
    email          text NOT NULL,
    password_hash  text NOT NULL,
    role           text NOT NULL CONSTRAINT users_role_known CHECK (role IN ('admin', 'support', 'auditor')),
    disabled_at    timestamptz,
    last_login_at  timestamptz,
    created_at     timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email_unique ON users (lower(email));

-- The one-time right to make the first admin.
CREATE TABLE setup_tokens (
    token_hash  bytea PRIMARY KEY,
    created_at  timestamptz NOT NULL
);

CREATE TABLE sessions (
    id          text PRIMARY KEY,
    user_id     uuid REFERENCES users (id) ON DELETE CASCADE,
    data        jsonb NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Failed logins by account and by address, for the limit.
CREATE TABLE login_failures (
    key  text NOT NULL,
    at   timestamptz NOT NULL
);
CREATE INDEX login_failures_key_at ON login_failures (key, at);
CREATE INDEX login_failures_at ON login_failures (at);

CREATE TABLE api_keys (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CONSTRAINT api_keys_name_filled CHECK (name <> ''),
    hint          text NOT NULL,
    key_hash      bytea NOT NULL CONSTRAINT api_keys_key_hash_unique UNIQUE,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    revoked_at    timestamptz
);

-- Custom providers; presets are files in the binary.
CREATE TABLE providers (
    slug        text PRIMARY KEY,
    profile     jsonb NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE clients (
    id                    uuid PRIMARY KEY,
    provider              text NOT NULL,
    name                  text NOT NULL,
    oauth_client_id       text NOT NULL,
    sealed_client_secret  bytea,
    -- Bound into the sealed secret, so that an old one can't be put back.
    secret_generation     bigint NOT NULL DEFAULT 0,
    secret_set_at         timestamptz,
    scopes                text[] NOT NULL DEFAULT '{}',
    variables             jsonb NOT NULL DEFAULT '{}',
    state                 text NOT NULL DEFAULT 'ready'
        CONSTRAINT clients_state_known CHECK (state IN ('ready', 'credentials_rejected', 'incident', 'disabled')),
    state_since           timestamptz NOT NULL,
    state_detail          text,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
);
CREATE UNIQUE INDEX clients_name_unique ON clients (lower(name));
CREATE INDEX clients_provider ON clients (provider);

CREATE TABLE connections (
    id                  uuid PRIMARY KEY,
    client_id           uuid NOT NULL CONSTRAINT connections_client_exists REFERENCES clients (id),
    label               text NOT NULL DEFAULT '',
    external_id         text,
    tags                text[] NOT NULL DEFAULT '{}',
    account_id          text,
    account_label       text,
    grant_type          text NOT NULL,
    state               text NOT NULL
        CONSTRAINT connections_state_known
        CHECK (state IN ('pending', 'active', 'retrying', 'in_doubt', 'needs_reauth', 'disconnected')),
    state_since         timestamptz NOT NULL,
    reason              text,
    -- Failed tries since the last success.
    failures            integer NOT NULL DEFAULT 0,
    -- The attempt whose answer was lost; kept until a success or a verdict.
    doubtful_attempt_id uuid,
    last_error          jsonb,
    generation          bigint NOT NULL DEFAULT 0,
    scopes_requested    text[] NOT NULL DEFAULT '{}',
    scopes_granted      text[] NOT NULL DEFAULT '{}',
    has_refresh_token   boolean NOT NULL DEFAULT false,
    -- When a person last consented: fixed refresh lifetimes count from here.
    consented_at        timestamptz,
    obtained_at         timestamptz,
    access_expires_at   timestamptz,
    refresh_expires_at  timestamptz,
    needs_human_by      timestamptz,
    -- When the worker is to act next; null: never.
    due_at              timestamptz,
    lease_id            uuid,
    leased_until        timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT connections_reason_iff_dead CHECK ((state = 'needs_reauth') = (reason IS NOT NULL))
);
-- What is due is found here, client by client, never by a scan.
CREATE INDEX connections_due ON connections (client_id, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX connections_external_id_unique ON connections (client_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX connections_state ON connections (state, client_id);
-- A key that is never null, so that pages can go on from it; what is not in sight comes last.
CREATE INDEX connections_needs_human_by
    ON connections (coalesce(needs_human_by, timestamptz '9999-01-01 00:00+00'), id);
CREATE INDEX connections_access_expires_at
    ON connections (coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00'), id);
CREATE INDEX connections_refresh_expires_at ON connections (refresh_expires_at) WHERE refresh_expires_at IS NOT NULL;
CREATE INDEX connections_label ON connections (lower(label), id);

-- One row a generation. Superseded ones keep their fingerprint and lose their tokens.
CREATE TABLE token_sets (
    connection_id         uuid NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    generation            bigint NOT NULL,
    sealed_access_token   bytea,
    sealed_refresh_token  bytea,
    -- What else the response held that the profile wants kept.
    sealed_extras         bytea,
    token_type            text NOT NULL,
    -- Keyed hash of the refresh token.
    fingerprint           text,
    obtained_at           timestamptz NOT NULL,
    superseded_at         timestamptz,
    PRIMARY KEY (connection_id, generation)
);
-- A refresh token belongs to one connection.
CREATE INDEX token_sets_fingerprint ON token_sets (fingerprint) WHERE superseded_at IS NULL;

CREATE TABLE attempts (
    id                  uuid NOT NULL,
    connection_id       uuid NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
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
);
-- Intents without a verdict.
CREATE INDEX attempts_open ON attempts (connection_id) WHERE verdict IS NULL;

CREATE TABLE relinks (
    id             uuid PRIMARY KEY,
    connection_id  uuid NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    token_hash     bytea NOT NULL CONSTRAINT relinks_token_hash_unique UNIQUE,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    opened_at      timestamptz,
    used_at        timestamptz
);
CREATE INDEX relinks_connection_id ON relinks (connection_id, created_at DESC);

-- Authorization requests on their way through a browser.
CREATE TABLE flows (
    id                    uuid PRIMARY KEY,
    connection_id         uuid NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    relink_id             uuid REFERENCES relinks (id) ON DELETE CASCADE,
    -- The one-time address that begins the flow, and binds it to the browser that opens it.
    start_hash            bytea NOT NULL CONSTRAINT flows_start_hash_unique UNIQUE,
    state_hash            bytea CONSTRAINT flows_state_hash_unique UNIQUE,
    browser_hash          bytea,
    sealed_code_verifier  bytea NOT NULL,
    nonce                 text NOT NULL,
    actor_kind            text NOT NULL,
    actor_id              uuid,
    actor_label           text NOT NULL,
    created_at            timestamptz NOT NULL,
    expires_at            timestamptz NOT NULL,
    used_at               timestamptz
);
CREATE INDEX flows_expires_at ON flows (expires_at);

-- The newest device authorization of each connection (RFC 8628), and what came of it.
CREATE TABLE device_codes (
    connection_id              uuid PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    -- Another one for each authorization, so that a late answer is known as such.
    id                         uuid NOT NULL,
    -- Gone once it is over.
    sealed_device_code         bytea,
    user_code                  text NOT NULL,
    verification_uri           text NOT NULL,
    verification_uri_complete  text,
    interval_seconds           integer NOT NULL,
    state                      text NOT NULL DEFAULT 'waiting'
        CONSTRAINT device_codes_state_known
        CHECK (state IN ('waiting', 'done', 'denied', 'expired', 'wrong_account', 'failed')),
    detail                     text,
    -- An answer, or its reader, was lost: the code may be spent.
    answer_lost                boolean NOT NULL DEFAULT false,
    actor_kind                 text NOT NULL,
    actor_id                   uuid,
    actor_label                text NOT NULL,
    created_at                 timestamptz NOT NULL,
    expires_at                 timestamptz NOT NULL,
    -- When the provider is asked next; null: it is over.
    due_at                     timestamptz,
    lease_id                   uuid,
    leased_until               timestamptz
);
CREATE INDEX device_codes_due ON device_codes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);

CREATE TABLE audit (
    id             uuid PRIMARY KEY,
    at             timestamptz NOT NULL,
    actor_kind     text NOT NULL,
    actor_id       uuid,
    actor_label    text NOT NULL,
    action         text NOT NULL,
    subject_id     text,
    subject_label  text NOT NULL DEFAULT '',
    detail         jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_subject ON audit (subject_id, id DESC);
CREATE INDEX audit_action ON audit (action text_pattern_ops, id DESC);

-- Imports of many connections, for their progress and their problems.
CREATE TABLE imports (
    id         uuid PRIMARY KEY,
    client_id  uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    dry_run    boolean NOT NULL,
    state      text NOT NULL CONSTRAINT imports_state_known CHECK (state IN ('running', 'done', 'broken')),
    rows       bigint NOT NULL DEFAULT 0,
    imported   bigint NOT NULL DEFAULT 0,
    skipped    bigint NOT NULL DEFAULT 0,
    failed     bigint NOT NULL DEFAULT 0,
    -- The first ones: row, external id, field, message. Never a token.
    problems   jsonb NOT NULL DEFAULT '[]',
    detail     text,
    begun_at   timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX imports_client ON imports (client_id, id DESC);
