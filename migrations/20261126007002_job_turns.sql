-- Jobs take turns: whoever was worked at the longest ago is next, and what was never worked at comes first.
CREATE SEQUENCE job_turns;
ALTER TABLE jobs ADD COLUMN turn bigint NOT NULL DEFAULT 0;
