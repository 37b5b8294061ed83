-- How large all thumbnails are together. A size without one counts too: they are many, and go as thumbnails go. $1 bytes of such a one.
SELECT CAST(coalesce(sum(CASE length(jpeg) WHEN 0 THEN $1 ELSE length(jpeg) END), 0) AS bigint) FROM thumbnails
