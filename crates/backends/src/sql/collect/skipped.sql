-- Notes how many captures of a set are no tasks, when all others are: a collect that is taken over counts them anew. $1 job, $2 captures.
UPDATE jobs SET skipped = $2 WHERE id = $1
