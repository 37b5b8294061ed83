-- The oldest draft that was begun before a time. $1 time.
SELECT collection_id FROM drafts WHERE created_at < $1 ORDER BY created_at LIMIT 1
