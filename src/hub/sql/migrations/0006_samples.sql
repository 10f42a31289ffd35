-- What a node shows with every sample, in as few rows as can be: part 0 is of its storages, the others
-- are of 64 guests each.
CREATE TABLE samples (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	part BIGINT NOT NULL,
	at BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	-- "\nVMID {live}\nVMID {live}\n"; of storages "\n{all}\n{all}\n"
	live TEXT NOT NULL,
	-- [vmid, fresh, part] of all of them, in the first part, [] in the others; of storages names and types.
	known TEXT NOT NULL,
	PRIMARY KEY (org, cluster, node, part)
) WITHOUT_ROWID;
-- The part that has seen_at, seen_seq and live; 0: they are here.
ALTER TABLE guests ADD COLUMN sampled BIGINT NOT NULL DEFAULT 0;
-- The line of part 0 that has its data; 0: it is here.
ALTER TABLE storages ADD COLUMN line BIGINT NOT NULL DEFAULT 0;
SIZES_OF_SAMPLES
