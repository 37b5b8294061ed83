-- Notes what a slice added. $1 job, $2 tasks.
UPDATE jobs SET total = total + $2 WHERE id = $1
