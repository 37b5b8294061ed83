-- A column each.
INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, score, scores, logits, at,
                             inference_seconds, labels)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::float8[], $7::bytea[],
                     $8::bytea[], $9::bigint[], $10::float8[], $11::text[])
