-- Adds up what follows: the code adds counts of jobs, in brackets.
SELECT CAST(0 AS bigint)
