-- Until when workers were charged. $1 workers, $2 times.
UPDATE workers w SET charged_until = e.at FROM unnest($1::bigint[], $2::bigint[]) AS e (id, at) WHERE w.id = e.id
