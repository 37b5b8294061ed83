-- A column each.
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at, inference_seconds,
                        crop_image_url, score)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[],
                     $8::float8[], $9::float8[], $10::bigint[], $11::float8[], $12::text[], $13::float8[])
