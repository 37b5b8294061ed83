-- A stored classification. A column each, in their order.
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, score, scores, logits, at,
    inference_seconds, labels)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
