-- How the house shows itself to people outside of it, on the page behind a relink. One row at most.
CREATE TABLE brand (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    name        text NOT NULL,
    color       text,
    contact     text,
    logo        bytea CHECK (octet_length(logo) <= 102400),
    logo_type   text,
    updated_at  timestamptz NOT NULL,
    CHECK ((logo IS NULL) = (logo_type IS NULL))
);
