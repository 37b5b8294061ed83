-- Whether there is a project.
SELECT EXISTS (SELECT 1 FROM projects)
