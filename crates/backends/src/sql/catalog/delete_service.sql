-- Removes a service. $1 service.
DELETE FROM services WHERE id = $1
