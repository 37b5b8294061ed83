-- Notes what a slice added. $1 job, $2 skipped, $3 tasks.
UPDATE jobs SET skipped = skipped + $2, total = total + $3 WHERE id = $1
