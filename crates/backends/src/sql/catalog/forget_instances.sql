-- Removes what processes of a service registered that were not heard of since. $1 service, $2 since.
DELETE FROM service_registrations WHERE service_id = $1 AND instance <> '' AND at < $2
