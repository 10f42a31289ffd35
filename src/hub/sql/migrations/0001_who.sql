-- Who may speak. orgs, devices and schema_version are the only tables without a tenant.
CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL) WITHOUT_ROWID;
CREATE TABLE orgs (
	org TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) WITHOUT_ROWID;
CREATE TABLE devices (
	device_hash TEXT NOT NULL PRIMARY KEY,
	user_hash TEXT NOT NULL UNIQUE,
	expires_at BIGINT NOT NULL,
	org TEXT NOT NULL,
	person TEXT NOT NULL,
	used BIGINT NOT NULL,
	peer TEXT NOT NULL
) WITHOUT_ROWID;
CREATE INDEX devices_expiry ON devices (expires_at);
CREATE TABLE tokens (
	org TEXT NOT NULL,
	hash TEXT NOT NULL,
	id TEXT NOT NULL,
	kind BIGINT NOT NULL,
	agent TEXT NOT NULL,
	person TEXT NOT NULL,
	label TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	PRIMARY KEY (org, hash),
	UNIQUE (org, id)
) WITHOUT_ROWID;
CREATE INDEX tokens_agent ON tokens (org, agent, kind);
CREATE INDEX tokens_expiry ON tokens (expires_at) WHERE expires_at > 0;
CREATE TABLE users (
	org TEXT NOT NULL,
	name TEXT NOT NULL,
	password TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (org, name)
) WITHOUT_ROWID;
CREATE TABLE agents (
	org TEXT NOT NULL,
	id TEXT NOT NULL,
	hostname TEXT NOT NULL,
	version TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (org, id)
) WITHOUT_ROWID;
