-- A relink may be followed with a code on another device, where a provider has no page for consent.
ALTER TABLE device_codes ADD COLUMN relink_id uuid REFERENCES relinks (id) ON DELETE CASCADE;
