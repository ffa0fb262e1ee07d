-- What customers did by their links is read together with what was done to the links. Whoever reads the newest of it is
-- not to walk past all else. By itself, since the audit log may be long and what changes connections is not to wait for that.
CREATE INDEX audit_by_relink ON audit (id DESC) WHERE actor_kind = 'relink';
