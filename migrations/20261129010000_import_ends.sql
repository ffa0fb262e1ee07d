-- How many of the imported rows need a person when their access tokens end, and when that begins and is over; and how
-- many name an account that nobody but the provider is believed.
ALTER TABLE imports
    ADD COLUMN ending bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_end_at timestamptz,
    ADD COLUMN last_end_at timestamptz,
    ADD COLUMN unverified bigint NOT NULL DEFAULT 0;
