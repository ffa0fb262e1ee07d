-- Whether scopes drift is asked of what a connection asked for, not of what its provider told.
DROP FUNCTION scopes_told(text[]);
