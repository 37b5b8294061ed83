-- Signs of life. $1 workers, $2 seen at, $3 extend from, $4 extended until, $5 recent answers as JSON (NULL where nothing was answered), $6 slugs
-- as JSON lists.
UPDATE workers w SET
    last_seen      = greatest(w.last_seen, e.seen_at),
    extend_from    = coalesce(e.extend_from, w.extend_from),
    extended_until = coalesce(e.extended_until, w.extended_until),
    recent_answers = coalesce(e.recent_answers, w.recent_answers),
    pipelines      = CASE WHEN e.slugs = '[]' THEN w.pipelines
                          ELSE ARRAY (SELECT json_array_elements_text(e.slugs::json)) END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
     AS e (id, seen_at, extend_from, extended_until, recent_answers, slugs)
WHERE w.id = e.id
