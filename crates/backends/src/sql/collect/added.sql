-- Notes what a slice added. $1 job, $2 how many captures of the set are skipped, $3 tasks that were added.
UPDATE jobs SET skipped = $2, total = total + $3 WHERE id = $1
