-- Keys and versions of all algorithms that a project ever had. $1 project.
SELECT DISTINCT a.key, a.version
FROM project_pipelines pp
JOIN pipeline_algorithms pa ON pa.pipeline_id = pp.pipeline_id
JOIN algorithms a ON a.id = pa.algorithm_id
WHERE pp.project_id = $1
