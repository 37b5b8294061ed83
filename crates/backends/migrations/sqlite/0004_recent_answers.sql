-- Which older reservations of a worker live on because it answered something no later lately:
-- [[when it was reserved, until when that counts], …], both growing. Nodes that do not know of it go by extend_from alone.
ALTER TABLE workers ADD COLUMN recent_answers TEXT NOT NULL DEFAULT '[]';
-- The job for whose last tries it is kept free of anything else, how many of these it got in a row, and until when batches
-- have their turn again.
ALTER TABLE workers ADD COLUMN waits_for INTEGER;
ALTER TABLE workers ADD COLUMN last_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN batches_until INTEGER;
-- Its grants up to this one hold nothing any more.
ALTER TABLE workers ADD COLUMN idle_grant INTEGER NOT NULL DEFAULT 0;
-- Whether nothing else was with its worker, and nothing is given to it, while this grant holds its one task.
ALTER TABLE grants ADD COLUMN exclusive INTEGER NOT NULL DEFAULT 0;
