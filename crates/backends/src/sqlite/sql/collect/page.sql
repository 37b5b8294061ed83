-- What becomes of each capture of a slice: its place in the order of dispatch, whether it has no URL, whether this
-- pipeline has processed it. $1 captures (JSON), $2 job, $3 fingerprint, $4 and $5 two seeds, $6 shuffle.
-- The order is a permutation of 0..2^31-2, twice: y -> y² or p - y² modulo a prime p = 3 (mod 4), so that equal
-- seeds give equal orders in every dialect without a hash function.
WITH page AS (
    SELECT c.id, c.url = '' AS no_url, (c.id + $4) % 2147483647 AS y FROM json_each($1) e CROSS JOIN captures c ON c.id = e.value
), once AS (
    SELECT id, no_url, (CASE WHEN 2 * y < 2147483647 THEN y * y % 2147483647
                             ELSE 2147483647 - y * y % 2147483647 END + $5) % 2147483647 AS y FROM page
)
SELECT id, no_url,
       CASE WHEN NOT $6 THEN id WHEN 2 * y < 2147483647 THEN y * y % 2147483647
            ELSE 2147483647 - y * y % 2147483647 END AS ord,
       EXISTS (SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id
               -- The spec by which the saved result was judged, which may be of another run than the job's last.
               JOIN run_specs s ON s.job_id = t.job_id AND s.run = coalesce(t.spec_run, t.run)
               WHERE t.capture_id = once.id AND t.state = 'processed' AND t.job_id <> $2
                 AND $3 <> '' AND s.fingerprint = $3 AND j.deleted_at IS NULL)
       -- A set that is completed by a later run meets tasks of its own: they are tasks, not skipped.
       AND NOT EXISTS (SELECT 1 FROM tasks own WHERE own.job_id = $2 AND own.capture_id = once.id) AS done
FROM once ORDER BY id
