-- Ends a draft. $1 set.
DELETE FROM drafts WHERE collection_id = $1
