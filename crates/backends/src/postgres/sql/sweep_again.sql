-- When grants are looked at again. $1 grants, $2 times.
UPDATE grants g SET due_at = e.at FROM unnest($1::bigint[], $2::bigint[]) AS e (id, at) WHERE g.id = e.id
