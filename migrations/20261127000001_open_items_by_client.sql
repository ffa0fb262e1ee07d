-- What has no outcome yet, each client's in order.
CREATE INDEX job_items_open_by_client ON job_items (job_id, client_id, number) WHERE outcome IS NULL;
