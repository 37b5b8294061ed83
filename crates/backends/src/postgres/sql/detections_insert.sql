-- A column each. The rows come back with their keys, because RETURNING promises no order.
INSERT INTO detections (job_id, capture_id, algorithm_id, x1, y1, x2, y2, at, inference_seconds, crop_image_url,
                        score)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
                     $8::bigint[], $9::float8[], $10::text[], $11::float8[])
RETURNING id, job_id, capture_id, algorithm_id, x1, y1, x2, y2
