-- The history is kept by age: a partition to each week, made ahead and dropped as a whole. What is there so
-- far becomes one partition that ends with next week, so that the default one, which is looked through whenever
-- a week is added, is empty again.
DO $$
DECLARE
    until_at  timestamptz := date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '14 days';
    -- The least UUIDv7 of that moment.
    until_id  uuid := lpad(to_hex((extract(epoch FROM until_at) * 1000)::bigint), 12, '0') || repeat('0', 20);
BEGIN
    IF NOT EXISTS (SELECT FROM attempts) THEN
        RETURN;
    END IF;
    ALTER TABLE attempts DETACH PARTITION attempts_default;
    ALTER TABLE attempts_default RENAME TO attempts_before;
    ALTER INDEX attempts_default_pkey RENAME TO attempts_before_pkey;
    CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
    WITH later AS (DELETE FROM attempts_before WHERE id >= until_id RETURNING *)
    INSERT INTO attempts SELECT * FROM later;
    EXECUTE format('ALTER TABLE attempts ATTACH PARTITION attempts_before FOR VALUES FROM (MINVALUE) TO (%L)', until_id);
END $$;
