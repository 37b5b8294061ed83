-- Removes a token. $1 token.
DELETE FROM tokens WHERE id = $1
