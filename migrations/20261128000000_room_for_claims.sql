-- A claim changes no indexed column and stays on its page while there is room: then it writes one row, else an
-- entry of every index besides. What was imported together lies together and is claimed together, so that a page
-- takes a second version of most of its rows at once. Pages that are full already get theirs with time.
ALTER TABLE connections SET (fillfactor = 60);
