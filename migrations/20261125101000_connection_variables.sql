-- What each connection fills into the templates of its provider's profile: its shop, its subdomain.
ALTER TABLE connections ADD COLUMN variables jsonb NOT NULL DEFAULT '{}';
