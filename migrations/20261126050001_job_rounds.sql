-- A job goes round: what was put off is not looked at again before all that comes after it had its turn. By
-- itself, since whoever makes a job writes its row before its items, and whoever works at one after them.
ALTER TABLE jobs ADD COLUMN seen bigint NOT NULL DEFAULT 0;
