-- How large all thumbnails are together.
SELECT CAST(coalesce(sum(length(jpeg)), 0) AS bigint) FROM thumbnails
