-- Which minutes of its hour a row is made of, a bit each, and of how many of them each of its means is. All
-- of them: of a row from before, which takes in nothing more.
ALTER TABLE hours ADD COLUMN taken BIGINT NOT NULL DEFAULT -1;
ALTER TABLE hours ADD COLUMN counts TEXT NOT NULL DEFAULT '';
