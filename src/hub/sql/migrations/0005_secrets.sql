-- From which network a code was asked for, and to which agent it led; of which refresh token a token came.
ALTER TABLE devices ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN parent TEXT NOT NULL DEFAULT '';
CREATE INDEX tokens_parent ON tokens (org, parent) WHERE parent <> '';
CREATE INDEX tokens_person ON tokens (org, person) WHERE person <> '';
