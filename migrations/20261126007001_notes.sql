-- What a form made, on its way to the page that follows it. In rows of their own: a session is written as a
-- whole, and pages that are open beside it would write over what is in there.
CREATE TABLE notes (
    id           uuid PRIMARY KEY,
    session_id   text NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- What it is, and of what.
    kind         text NOT NULL,
    about        uuid,
    sealed_note  bytea NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX notes_session_id ON notes (session_id, kind);
CREATE INDEX notes_expires_at ON notes (expires_at);
