-- Which older reservations of a worker live on because it answered something no later lately:
-- [[when it was reserved, until when that counts], …], both growing. Nodes that do not know of it go by extend_from alone.
ALTER TABLE workers ADD COLUMN recent_answers TEXT NOT NULL DEFAULT '[]';
