-- Notes that a project has had a definition. $1 project, $2 pipeline.
INSERT INTO project_pipelines (project_id, pipeline_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
