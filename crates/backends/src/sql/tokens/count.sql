-- How many tokens there are.
SELECT count(*) FROM tokens
