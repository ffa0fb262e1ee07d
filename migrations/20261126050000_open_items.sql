-- What has no outcome yet, wherever it lies among what has one.
CREATE INDEX job_items_open ON job_items (job_id, number) WHERE outcome IS NULL;
