-- Has the summaries of a project's jobs looked at again that are done. $1 project.
UPDATE summaries SET phase = 'detections', version = version + 1
WHERE phase = 'done' AND job_id IN (SELECT id FROM jobs WHERE project_id = $1)
