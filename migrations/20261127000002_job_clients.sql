-- The clients that a job has items of; each is looked at by itself. They are noted when the job is made: to step from
-- client to client through the index of open items would, at each look, pass over all that ended since the last
-- vacuum. By itself, since whoever makes a job writes its row before its items, and whoever works at one after them.
ALTER TABLE jobs ADD COLUMN clients uuid[] NOT NULL DEFAULT '{}';
