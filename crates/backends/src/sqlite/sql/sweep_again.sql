-- When grants are looked at again. $1 [[grant, time], …] (JSON).
UPDATE grants SET due_at = e.value->>1 FROM json_each($1) e WHERE grants.id = e.value->>0
