-- A column each.
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, score, scores,
                             logits, at, inference_seconds, labels)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                     $8::boolean[], $9::float8[], $10::bytea[], $11::bytea[], $12::bigint[], $13::float8[],
                     $14::text[])
