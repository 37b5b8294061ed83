-- The labels that `scores` are of, as a JSON list; NULL if they are those of the algorithm's category map.
ALTER TABLE classifications ADD COLUMN labels TEXT;
