-- Which workers registered a service: a sign of life of any of them is one of the service. One worker may register several
-- (one per project, or several machines behind one address), so `workers.service_id` is not used any more.
CREATE TABLE worker_services (
    worker_id  bigint NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    service_id bigint NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    PRIMARY KEY (worker_id, service_id)
);
CREATE INDEX worker_services_service ON worker_services (service_id, worker_id);

-- By strikes too: the sweep looks each second whether an active job has a free task whose budget is used up.
DROP INDEX tasks_struck;
CREATE INDEX tasks_struck ON tasks (job_id, strikes, capture_id) WHERE state = 'pending' AND strikes > 0;
