-- name: schema_read
SELECT coalesce(max(version), 0) FROM schema_version
-- name: schema_add
INSERT INTO schema_version (version, name) VALUES ($1, $2)

-- name: org_find
SELECT org FROM orgs WHERE name = $1
-- name: org_add
INSERT INTO orgs (org, name) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: token_find
SELECT org, id, kind, agent, person, label, created_at, expires_at, revoked_at, used_at, hash
FROM tokens WHERE org = $1 AND hash = $2
-- name: token_add
INSERT INTO tokens (org, hash, id, kind, agent, person, label, created_at, expires_at, parent, revoked_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)
-- name: token_revoke
UPDATE tokens SET revoked_at = CASE WHEN revoked_at = 0 OR revoked_at > $3 THEN $3 ELSE revoked_at END
WHERE org = $1 AND id = $2
-- name: token_revoke_agent
UPDATE tokens SET revoked_at = $4
WHERE org = $1 AND agent = $2 AND (revoked_at = 0 OR revoked_at > $4) AND ($3 < 0 OR kind = $3)
-- name: token_revoke_sessions
UPDATE tokens SET revoked_at = $4
WHERE org = $1 AND person = $2 AND person <> '' AND kind = $3 AND (revoked_at = 0 OR revoked_at > $4)
-- name: token_take
UPDATE tokens SET used_at = CASE WHEN used_at = 0 THEN $3 ELSE used_at END
WHERE org = $1 AND hash = $2 AND (revoked_at = 0 OR revoked_at > $3)
-- name: token_drop_unused
UPDATE tokens SET revoked_at = $4
WHERE org = $1 AND parent = $2 AND parent <> '' AND kind = $3 AND used_at = 0 AND (revoked_at = 0 OR revoked_at > $4)
	AND NOT EXISTS (SELECT 1 FROM tokens AS c
		WHERE c.org = $1 AND c.parent = tokens.id AND c.parent <> '' AND c.used_at > 0)
-- name: token_drop_orphans
UPDATE tokens SET revoked_at = $4
WHERE org = $1 AND parent <> '' AND (revoked_at = 0 OR revoked_at > $4) AND parent IN (SELECT p.id FROM tokens AS p
	WHERE p.org = $1 AND p.parent = $2 AND p.parent <> '' AND p.kind = $3 AND p.revoked_at > 0 AND p.revoked_at <= $4)
-- name: token_successors
SELECT count(*) FROM tokens
WHERE org = $1 AND parent = $2 AND parent <> '' AND kind = $3 AND (revoked_at = 0 OR revoked_at > $4)
-- name: token_uses
SELECT count(*) FROM tokens WHERE org = $1 AND agent = $2 AND used_at > 0
-- name: token_used
UPDATE tokens SET used_at = $3 WHERE org = $1 AND hash = $2 AND used_at <= $4
-- name: token_each
SELECT t.org, t.id, t.kind, t.agent, t.person, t.label, t.created_at, t.expires_at, t.revoked_at, t.used_at, o.name
FROM tokens AS t JOIN orgs AS o ON o.org = t.org WHERE t.org = $1 ORDER BY t.created_at DESC, t.id DESC
-- name: token_each_org
SELECT t.org, t.id, t.kind, t.agent, t.person, t.label, t.created_at, t.expires_at, t.revoked_at, t.used_at, o.name
FROM tokens AS t JOIN orgs AS o ON o.org = t.org ORDER BY t.created_at DESC, t.id DESC

-- name: agent_add
INSERT INTO agents (org, id, hostname, version, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: user_find
SELECT org, name, password, created_at FROM users WHERE org = $1 AND name = $2
-- name: user_add
INSERT INTO users (org, name, password, created_at) VALUES ($1, $2, $3, $4)
-- name: user_put
INSERT INTO users (org, name, password, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (org, name) DO UPDATE SET password = excluded.password
-- name: user_lock
SELECT password FROM users WHERE org = $1 AND name = $2 LOCKED
-- name: user_remove
DELETE FROM users WHERE org = $1 AND name = $2
-- name: user_each
SELECT u.org, u.name, u.created_at, o.name FROM users AS u JOIN orgs AS o ON o.org = u.org
WHERE u.org = $1 ORDER BY u.name
-- name: user_each_org
SELECT u.org, u.name, u.created_at, o.name FROM users AS u JOIN orgs AS o ON o.org = u.org
ORDER BY o.name, u.name

-- name: device_expire
DELETE FROM devices WHERE expires_at <= $1
-- name: device_count
SELECT count(*), count(CASE WHEN network = $1 THEN 1 END) FROM devices WHERE used = 0
-- name: device_add
INSERT INTO devices (device_hash, user_hash, expires_at, org, person, used, peer, network, agent)
VALUES ($1, $2, $3, '', '', 0, $4, $5, '')
-- name: device_by_user_code
SELECT device_hash, user_hash, expires_at, org, person, used, peer
FROM devices WHERE user_hash = $1 AND expires_at > $2
-- name: device_approve
UPDATE devices SET org = $2, person = $3
WHERE user_hash = $1 AND expires_at > $4 AND used = 0 AND org = ''
-- name: device_refuse
DELETE FROM devices WHERE user_hash = $1 AND used = 0 AND org = ''
-- name: device_forget
DELETE FROM devices WHERE org = $1 AND person = $2
-- name: device_by_code
SELECT org, agent FROM devices WHERE device_hash = $1 AND expires_at > $2 AND (used = 0 OR agent <> '')
-- name: device_take
UPDATE devices SET used = 1 WHERE device_hash = $1 AND expires_at > $2 AND org = $3 AND (used = 0 OR agent <> '')
-- name: device_agent
UPDATE devices SET agent = $2 WHERE device_hash = $1
