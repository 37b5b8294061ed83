-- Until when workers were charged. $1 [[worker, time], …] (JSON).
UPDATE workers SET charged_until = e.value->>1 FROM json_each($1) e WHERE workers.id = e.value->>0
