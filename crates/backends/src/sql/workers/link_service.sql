-- Links a worker to a service that it registered, unless that was removed meanwhile. $1 worker, $2 service.
INSERT INTO worker_services (worker_id, service_id) SELECT $1, id FROM services WHERE id = $2
ON CONFLICT DO NOTHING
