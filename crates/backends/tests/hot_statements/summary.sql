-- What the summary of a job holds.
INSERT INTO labels (id, text) VALUES (7, 'l') ON CONFLICT DO NOTHING;
INSERT INTO label_index (job_id, label_id, rank, capture_id, n) SELECT job_id, 7, 2000000, capture_id, n FROM detections WHERE job_id = {job};
INSERT INTO label_counts (job_id, label_id, bin, n) SELECT {job}, label, bin, label FROM generate_series(1, 500) label, generate_series(-1, 20) bin;
INSERT INTO activity (job_id, label_id, half_hour, n) SELECT {job}, label, at, 1 FROM generate_series(1, 20) label, generate_series(0, 999) at;
INSERT INTO taken_index (job_id, half_hour, capture_id) SELECT {job}, c % 1000, c FROM generate_series({from} + 1, {from} + {n}) c;
INSERT INTO summaries (job_id, run, version, phase, at_ord, at_capture, at_n, seen, images_1, images_2, images_6, images_21, as_of)
VALUES ({job}, 1, 1, 'detections', -1, 0, 0, 0, 0, 0, 0, 0, 1);
