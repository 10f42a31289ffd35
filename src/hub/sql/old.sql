-- NannyAPI's objects into the tables of documents. Their stamp is (at, '', -1): a document of the same
-- second wins, and they take a row from documents only when those have been silent for 900 s, three
-- of NannyAPI's intervals.

-- name: old_cluster
UPDATE clusters SET name = coalesce(PARSED($4) ->> 'name', name),
	config_version = CAST(PARSED($4) ->> 'version' AS BIGINT), quorate = FLAG(PARSED($4) ->> 'quorate'),
	clustered = 1, at = $3, node = '', seq = -1
WHERE org = $1 AND cluster = $2 AND (at = 0 OR (seq = -1 AND at <= $3) OR at < $3 - 900)
-- name: old_alone
-- A node whose agent has named no cluster is one.
UPDATE clusters SET at = $3, seq = -1
WHERE org = $1 AND cluster = $2 AND (at = 0 OR (seq = -1 AND at <= $3))
-- name: old_members
UPDATE clusters SET members = (SELECT CAST(ARRAY_OF(OBJECT('name', m.node, 'id', JSON(PARSED(m.body) -> 'node_id'),
		'ip', JSON(PARSED(m.body) -> 'ip'), 'online', JSON(PARSED(m.body) -> 'online'))) AS TEXT)
	FROM (SELECT o.node, o.body FROM nanny_objects AS o
		WHERE o.org = $1 AND o.kind = 'node' AND o.cluster = $2
		AND NOT EXISTS (SELECT 1 FROM nanny_objects AS x WHERE x.org = $1 AND x.kind = 'node'
			AND x.cluster = $2 AND x.node = o.node AND (x.at, x.id) > (o.at, o.id))
		ORDER BY o.node) AS m)
WHERE org = $1 AND cluster = $2 AND (seq = -1 OR at = 0)

-- name: old_node
INSERT INTO nodes (org, cluster, node, at, seq, instance, received_at, agent, version, data, wanted)
VALUES ($1, $2, $3, $4, -1, '', $5, $6, PARSED($7) ->> 'pve_version', $8, 0)
ON CONFLICT (org, cluster, node) DO UPDATE SET at = excluded.at, seq = -1, instance = '',
	received_at = CASE WHEN nodes.received_at BETWEEN excluded.received_at AND excluded.received_at + 900
		THEN nodes.received_at ELSE excluded.received_at END,
	agent = excluded.agent, version = excluded.version, data = excluded.data
WHERE nodes.at = 0 OR (nodes.seq = -1 AND nodes.at <= excluded.at) OR nodes.at < excluded.at - 900
-- name: old_spoken_for
SELECT count(*) FROM nodes
WHERE org = $1 AND cluster = $2 AND node = $3 AND seq >= 0 AND at > 0 AND at >= $4 - 900

-- name: old_guest_before
SELECT identity, node, status, seen_at, CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END
FROM guests WHERE org = $1 AND cluster = $2 AND vmid = $3
ORDER BY CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, seen_at DESC, identity LIMIT 1
-- name: old_guest
INSERT INTO guests (org, cluster, vmid, identity, type, fresh, node, name, status, locked, tags, template,
	backup, digest, data, live, first_at, seen_at, seen_node, seen_seq, closed_at)
VALUES ($1, $2, $3, $4, $5, '', PARSED($7) ->> 'node', coalesce(PARSED($7) ->> 'name', ''),
	coalesce(PARSED($7) ->> 'status', 'unknown'), PARSED($7) -> 'config' ->> 'lock',
	nullif(PARSED($7) ->> 'tags', ''),
	CASE CAST(PARSED($7) -> 'config' ->> 'template' AS TEXT) WHEN '1' THEN 1 WHEN 'true' THEN 1 ELSE 0 END,
	NULL, NULL, $8, $9, $6, $6, '', -1, 0)
ON CONFLICT (org, cluster, vmid, identity) DO UPDATE SET type = excluded.type, fresh = '', node = excluded.node,
	name = excluded.name, status = excluded.status, locked = excluded.locked, tags = excluded.tags,
	template = excluded.template, backup = NULL, digest = NULL, data = excluded.data, live = excluded.live,
	first_at = CASE WHEN guests.first_at < excluded.first_at THEN guests.first_at ELSE excluded.first_at END,
	seen_at = excluded.seen_at, seen_node = '', seen_seq = -1
WHERE guests.seen_at < excluded.seen_at OR (guests.seen_at = excluded.seen_at AND guests.seen_seq = -1)
-- name: old_config
INSERT INTO configs (org, cluster, vmid, at, node, seq, digest, body) VALUES ($1, $2, $3, $4, '', -1, NULL, $5)
ON CONFLICT (org, cluster, vmid) DO UPDATE SET at = excluded.at, node = '', seq = -1, digest = NULL,
	body = excluded.body
WHERE configs.at <= excluded.at
-- name: old_event
INSERT INTO events (org, cluster, at, id, doc, kind, node, vmid, data)
VALUES ($1, $2, $3, $4, 'n', $5, PARSED($7) ->> 'node', $6, CAST(OBJECT('name', JSON(PARSED($7) -> 'name'),
	'identity', $8, 'was', $9) AS TEXT))
ON CONFLICT DO NOTHING

-- An agent has named its cluster: all of "agent:ID" goes there, and what is there already stays.
-- name: old_move_nodes
UPDATE nodes SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM nodes AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.node = nodes.node AND t.at > 0)
-- name: old_move_guests
UPDATE guests SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM guests AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.vmid = guests.vmid)
-- name: old_move_configs
UPDATE configs SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM configs AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.vmid = configs.vmid)
-- name: old_move_events
UPDATE events SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM events AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.at = events.at AND t.id = events.id)
-- name: old_move_minutes
UPDATE node_minutes SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM node_minutes AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.node = node_minutes.node AND t.slot = node_minutes.slot)
-- name: old_move_hours
UPDATE hours SET cluster = $3 WHERE org = $1 AND cluster = $2 AND NOT EXISTS (SELECT 1 FROM hours AS t
	WHERE t.org = $1 AND t.cluster = $3 AND t.subject = hours.subject AND t.slot = hours.slot)
-- name: old_drop_placeholders
-- Members that a document has named, of which nothing was heard there but something here.
DELETE FROM nodes WHERE org = $1 AND cluster = $3 AND at = 0 AND EXISTS (SELECT 1 FROM nodes AS f
	WHERE f.org = $1 AND f.cluster = $2 AND f.node = nodes.node)
-- name: old_drop_nodes
DELETE FROM nodes WHERE org = $1 AND cluster = $2
-- name: old_drop_guests
DELETE FROM guests WHERE org = $1 AND cluster = $2
-- name: old_drop_configs
DELETE FROM configs WHERE org = $1 AND cluster = $2
-- name: old_drop_events
DELETE FROM events WHERE org = $1 AND cluster = $2
-- name: old_drop_minutes
DELETE FROM node_minutes WHERE org = $1 AND cluster = $2
-- name: old_drop_hours
DELETE FROM hours WHERE org = $1 AND cluster = $2
-- name: old_drop_cluster
DELETE FROM clusters WHERE org = $1 AND cluster = $2

-- A record is deleted: what stands of it in the tables of documents goes, unless a document said it.
-- name: old_delete_node
DELETE FROM nodes WHERE org = $1 AND seq = -1 AND (cluster, node) IN (SELECT o.cluster, o.node
	FROM nanny_objects AS o WHERE o.org = $1 AND o.id = $2 AND o.kind = $3 AND o.kind = 'node')
-- name: old_delete_guest
DELETE FROM guests WHERE org = $1 AND seen_seq = -1 AND (cluster, vmid) IN (
	SELECT o.cluster, CAST(PARSED(o.body) ->> 'vmid' AS BIGINT)
	FROM nanny_objects AS o WHERE o.org = $1 AND o.id = $2 AND o.kind = $3 AND o.kind IN ('lxc', 'qemu'))
-- name: old_delete_config
DELETE FROM configs WHERE org = $1 AND seq = -1 AND (cluster, vmid) IN (
	SELECT o.cluster, CAST(PARSED(o.body) ->> 'vmid' AS BIGINT)
	FROM nanny_objects AS o WHERE o.org = $1 AND o.id = $2 AND o.kind = $3 AND o.kind IN ('lxc', 'qemu'))
