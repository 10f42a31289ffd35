-- What the four NannyAPI endpoints take: the newest of each object, and the cluster of each agent.
CREATE TABLE nanny_objects (
	org TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	agent TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	node TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (org, id)
) WITHOUT_ROWID;
CREATE INDEX nanny_kinds ON nanny_objects (org, kind, cluster, id);
CREATE INDEX nanny_agents ON nanny_objects (org, agent, kind, node);
CREATE TABLE nanny_agents_of (
	org TEXT NOT NULL,
	agent TEXT NOT NULL,
	cluster TEXT BINARY_ORDER NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (org, agent)
) WITHOUT_ROWID;
