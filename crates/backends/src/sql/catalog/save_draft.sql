-- A draft, or what is new of it. $1 set, $2 name, $3 report, $4 now.
INSERT INTO drafts (collection_id, name, report, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (collection_id) DO UPDATE SET name = excluded.name, report = excluded.report
