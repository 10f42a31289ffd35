-- What agents say. The tenant is first in every key; (at, node, seq) is the stamp of a document.
CREATE TABLE docs (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	instance TEXT BINARY_ORDER NOT NULL,
	seq BIGINT NOT NULL,
	at BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	-- What it said, as hashes of views; NULL if it says nothing about that.
	ids TEXT NOT NULL,
	list TEXT,
	own TEXT,
	host TEXT,
	members TEXT,
	storages BIGINT NOT NULL,
	PRIMARY KEY (org, cluster, node, instance, seq)
) WITHOUT_ROWID;
CREATE INDEX docs_node ON docs (org, cluster, node, at, seq, instance);
CREATE INDEX docs_members ON docs (org, cluster, at, node, seq, instance) WHERE members IS NOT NULL;
CREATE INDEX docs_cluster ON docs (org, cluster, at);
CREATE TABLE views (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	hash TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (org, cluster, hash)
) WITHOUT_ROWID;
CREATE TABLE clusters (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	name TEXT BINARY_ORDER NOT NULL,
	config_version BIGINT,
	clustered BIGINT,
	quorate BIGINT,
	members TEXT,
	at BIGINT NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	seq BIGINT NOT NULL,
	-- All open guests are in the list of this hash; closings were looked for up to that time.
	closing_list TEXT,
	closing_at BIGINT NOT NULL,
	nanny TEXT,
	PRIMARY KEY (org, cluster)
) WITHOUT_ROWID;
CREATE INDEX clusters_name ON clusters (org, name, cluster);
CREATE TABLE nodes (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	instance TEXT BINARY_ORDER NOT NULL,
	received_at BIGINT NOT NULL,
	agent TEXT NOT NULL,
	version TEXT,
	data TEXT,
	findings TEXT,
	wanted BIGINT NOT NULL,
	nanny TEXT,
	parts TEXT,
	PRIMARY KEY (org, cluster, node)
) WITHOUT_ROWID;
CREATE INDEX nodes_name ON nodes (org, node, cluster);
CREATE TABLE guests (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	vmid BIGINT NOT NULL,
	identity TEXT BINARY_ORDER NOT NULL,
	seen_at BIGINT NOT NULL,
	seen_node TEXT BINARY_ORDER NOT NULL,
	seen_seq BIGINT NOT NULL,
	closed_at BIGINT,
	first_at BIGINT NOT NULL,
	fresh TEXT NOT NULL,
	type TEXT NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	name TEXT BINARY_ORDER NOT NULL,
	status TEXT NOT NULL,
	locked TEXT,
	tags TEXT,
	template BIGINT,
	backup BIGINT,
	digest TEXT,
	data TEXT NOT NULL,
	live TEXT NOT NULL,
	nanny TEXT,
	PRIMARY KEY (org, cluster, vmid, identity)
) WITHOUT_ROWID;
CREATE INDEX guests_name ON guests (org, name, cluster, vmid, identity) WHERE closed_at IS NULL;
CREATE INDEX guests_vmid ON guests (org, vmid, cluster, identity) WHERE closed_at IS NULL;
CREATE INDEX guests_node ON guests (org, node, cluster, vmid, identity) WHERE closed_at IS NULL;
CREATE TABLE configs (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	vmid BIGINT NOT NULL,
	at BIGINT NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	seq BIGINT NOT NULL,
	digest TEXT,
	body TEXT NOT NULL,
	PRIMARY KEY (org, cluster, vmid)
) WITHOUT_ROWID;
CREATE TABLE storages (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	name TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	type TEXT,
	data TEXT NOT NULL,
	PRIMARY KEY (org, cluster, node, name)
) WITHOUT_ROWID;
CREATE TABLE findings (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	part TEXT BINARY_ORDER NOT NULL,
	number BIGINT NOT NULL,
	at BIGINT NOT NULL,
	class TEXT,
	severity TEXT,
	vmid BIGINT,
	data TEXT NOT NULL,
	PRIMARY KEY (org, cluster, node, part, number)
) WITHOUT_ROWID;
CREATE TABLE events (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	id TEXT BINARY_ORDER NOT NULL,
	doc TEXT NOT NULL,
	kind TEXT NOT NULL,
	node TEXT,
	vmid BIGINT,
	data TEXT NOT NULL,
	PRIMARY KEY (org, cluster, at, id)
) WITHOUT_ROWID;
CREATE INDEX events_at ON events (org, at, cluster, id);
CREATE TABLE node_minutes (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	slot BIGINT NOT NULL,
	at BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	cpu DOUBLE PRECISION,
	iowait DOUBLE PRECISION,
	loadavg DOUBLE PRECISION,
	mem DOUBLE PRECISION,
	swap DOUBLE PRECISION,
	disk DOUBLE PRECISION,
	netin DOUBLE PRECISION,
	netout DOUBLE PRECISION,
	PRIMARY KEY (org, cluster, node, slot)
) WITHOUT_ROWID;
CREATE TABLE storage_minutes (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	slot BIGINT NOT NULL,
	name TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	used DOUBLE PRECISION,
	total DOUBLE PRECISION,
	PRIMARY KEY (org, cluster, node, slot, name)
) WITHOUT_ROWID;
CREATE TABLE guest_slots (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	vmid BIGINT NOT NULL,
	slot BIGINT NOT NULL,
	identity TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	seq BIGINT NOT NULL,
	live TEXT NOT NULL,
	PRIMARY KEY (org, cluster, vmid, slot, identity)
) WITHOUT_ROWID;
CREATE TABLE hours (
	org TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	subject TEXT BINARY_ORDER NOT NULL,
	slot BIGINT NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (org, cluster, subject, slot)
) WITHOUT_ROWID;
CREATE INDEX hours_slot ON hours (org, cluster, slot);
