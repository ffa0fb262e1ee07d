-- What somebody looks for again and again, by a name of their own. They are a person's or an API key's.
CREATE TABLE saved_filters (
    id          uuid PRIMARY KEY,
    owner_id    uuid NOT NULL,
    name        text NOT NULL,
    filter      jsonb NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX saved_filters_name_unique ON saved_filters (owner_id, lower(name));
