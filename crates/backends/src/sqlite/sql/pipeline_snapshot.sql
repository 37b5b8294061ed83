-- The algorithms of a pipeline as a job keeps them, and what tells two runs that do the same work.
SELECT json_group_array(json_array(a.id, a.category_map_id)) AS algorithms,
       group_concat(a.key || '@' || a.version, ' ') AS fingerprint
FROM (SELECT a.* FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
      WHERE pa.pipeline_id = ?1 ORDER BY a.key, a.version) a
