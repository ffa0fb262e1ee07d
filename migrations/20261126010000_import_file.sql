-- What the file of an import is called where it came from, for people to know it again.
ALTER TABLE imports ADD COLUMN file_name text;
