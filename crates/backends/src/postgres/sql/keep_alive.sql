-- $1 workers, $2 seen at, $3 extend from, $4 extended until (NULL where nothing was answered), $5 slugs as JSON lists.
UPDATE workers w SET
    last_seen      = greatest(w.last_seen, e.seen_at),
    extend_from    = coalesce(e.extend_from, w.extend_from),
    extended_until = coalesce(e.extended_until, w.extended_until),
    pipelines      = CASE WHEN e.slugs = '[]' THEN w.pipelines
                          ELSE ARRAY (SELECT json_array_elements_text(e.slugs::json)) END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
     AS e (id, seen_at, extend_from, extended_until, slugs)
WHERE w.id = e.id
