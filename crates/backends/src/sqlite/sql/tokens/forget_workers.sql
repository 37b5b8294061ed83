-- What the workers of a token run, when it is removed. $1 token.
UPDATE workers SET pipelines = '[]' WHERE token_id = $1
