-- How many of the imported rows nobody can renew and no end is known of, and how many are over.
ALTER TABLE imports
    ADD COLUMN without_end bigint NOT NULL DEFAULT 0,
    ADD COLUMN expired bigint NOT NULL DEFAULT 0;
