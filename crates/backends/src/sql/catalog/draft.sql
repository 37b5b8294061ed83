-- The draft of a set. $1 set.
SELECT collection_id, name, report, created_at FROM drafts WHERE collection_id = $1
