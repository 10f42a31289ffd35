-- The first half of each list: store_list.c puts the columns of its order behind SELECT, and filters,
-- order and limit at the end. $1 is the tenant, $2 now.

-- name: list_clusters
SELECT OBJECT('cluster', c.cluster, 'name', c.name, 'config_version', c.config_version,
	'clustered', BOOL(c.clustered), 'quorate', BOOL(c.quorate), 'members', JSON(c.members),
	'collected_at', TIME(c.at), 'reporter', c.node, 'age', $2 - c.at,
	'nodes', (SELECT count(*) FROM nodes AS n WHERE n.org = $1 AND n.cluster = c.cluster),
	'guests', (SELECT count(*) FROM guests AS g WHERE g.org = $1 AND g.cluster = c.cluster AND g.closed_at IS NULL))
FROM clusters AS c WHERE c.org = $1
-- name: list_nodes
SELECT OBJECT('cluster', n.cluster, 'name', n.node, 'online', BOOL(n.online), 'version', n.version,
	'collected_at', CASE WHEN n.at > 0 THEN TIME(n.at) END, 'heard_at', CASE WHEN n.received_at > 0 THEN TIME(n.received_at) END,
	'age', CASE WHEN n.at > 0 THEN $2 - n.at END, 'agent', n.agent, 'details', JSON(n.data))
FROM (SELECT m.*, (SELECT FLAG(j.value ->> 'online') FROM clusters AS c, EACH(c.members, j)
		WHERE c.org = $1 AND c.cluster = m.cluster AND j.value ->> 'name' = m.node LIMIT 1) AS online
	FROM nodes AS m WHERE m.org = $1) AS n WHERE n.org = $1
-- name: list_guests
SELECT OBJECT('cluster', g.cluster, 'vmid', g.vmid, 'identity', g.identity, 'type', g.type, 'node', g.node,
	'name', g.name, 'status', g.status, 'lock', g.locked, 'tags', g.tags, 'template', BOOL(g.template),
	'backup', BOOL(g.backup), 'digest', g.digest, 'seen_at', TIME(coalesce(s.at, g.seen_at)),
	'seen_by', CASE WHEN g.seen_node = '' THEN g.node ELSE g.seen_node END,
	'age', $2 - coalesce(s.at, g.seen_at), 'first_seen_at', TIME(g.first_at),
	'closed_at', CASE WHEN g.closed_at > 0 THEN TIME(g.closed_at) END, 'details', JSON(g.data),
	'live', JSON(coalesce(split_part(split_part(s.live, NEWLINE || g.vmid || ' ', 2), NEWLINE, 1), g.live)))
FROM guests AS g LEFT JOIN samples AS s ON s.org = $1 AND s.cluster = g.cluster AND s.node = g.seen_node
	AND s.part = g.sampled AND g.sampled > 0
WHERE g.org = $1
-- name: list_storages
SELECT OBJECT('cluster', t.cluster, 'node', t.node, 'name', t.name, 'type', t.type,
	'collected_at', TIME(coalesce(s.at, t.at)), 'age', $2 - coalesce(s.at, t.at),
	'details', JSON(coalesce(split_part(s.live, NEWLINE, CAST(t.line AS INTEGER) + 1), t.data)))
FROM storages AS t LEFT JOIN samples AS s ON s.org = $1 AND s.cluster = t.cluster AND s.node = t.node
	AND s.part = 0 AND t.line > 0
WHERE t.org = $1
-- name: list_findings
SELECT OBJECT('cluster', f.cluster, 'node', f.node, 'part', f.part, 'class', f.class, 'severity', f.severity,
	'vmid', f.vmid, 'since', TIME(f.at), 'details', JSON(f.data))
FROM findings AS f WHERE f.org = $1
-- name: list_events
SELECT OBJECT('id', v.id, 'cluster', v.cluster, 'at', TIME(v.at), 'age', $2 - v.at, 'kind', v.kind,
	'node', v.node, 'vmid', v.vmid, 'details', JSON(v.data))
FROM events AS v WHERE v.org = $1

-- name: config_one
SELECT body FROM configs WHERE org = $1 AND cluster = $2 AND vmid = $3
-- name: parts_one
SELECT parts FROM nodes WHERE org = $1 AND cluster = $2 AND node = $3

-- name: history_node
SELECT OBJECT('at', TIME(slot), 'cpu', cpu, 'iowait', iowait, 'loadavg', loadavg, 'mem', mem, 'swap', swap,
	'disk', disk, 'netin', netin, 'netout', netout)
FROM node_minutes WHERE org = $1 AND cluster = $2 AND node = $3 AND slot BETWEEN $4 AND $5
ORDER BY slot LIMIT 2000
-- name: history_storage
SELECT OBJECT('at', TIME(slot), 'used', used, 'total', total)
FROM storage_minutes WHERE org = $1 AND cluster = $2 AND node = $3 AND name = $6 AND slot BETWEEN $4 AND $5
ORDER BY slot LIMIT 2000
-- name: history_guest
SELECT OBJECT('at', TIME(slot), 'identity', identity, 'live', JSON(live))
FROM guest_slots WHERE org = $1 AND cluster = $2 AND vmid = CAST($3 AS BIGINT) AND slot BETWEEN $4 AND $5
ORDER BY slot, identity LIMIT 2000

-- Hours: those that were gathered, and the rest from the rows that were not yet.
-- name: hours_node
SELECT x.item FROM (SELECT slot, JSON(data) AS item FROM hours WHERE org = $1 AND cluster = $2
		AND subject = 'node/' || $3 AND slot BETWEEN $4 AND $5
	UNION ALL SELECT (slot / 3600) * 3600, OBJECT('at', TIME((slot / 3600) * 3600),
		'cpu', avg(cpu), 'cpu_max', max(cpu), 'iowait', avg(iowait), 'iowait_max', max(iowait),
		'loadavg', avg(loadavg), 'loadavg_max', max(loadavg), 'mem', avg(mem), 'mem_max', max(mem),
		'swap', avg(swap), 'swap_max', max(swap), 'disk', avg(disk), 'disk_max', max(disk),
		'netin', avg(netin), 'netin_max', max(netin), 'netout', avg(netout), 'netout_max', max(netout))
		FROM node_minutes WHERE org = $1 AND cluster = $2 AND node = $3 AND slot BETWEEN $4 AND $5
		AND NOT EXISTS (SELECT 1 FROM hours AS h WHERE h.org = $1 AND h.cluster = $2
			AND h.subject = 'node/' || $3 AND h.slot = (node_minutes.slot / 3600) * 3600)
		GROUP BY slot / 3600) AS x ORDER BY x.slot
-- name: hours_storage
SELECT x.item FROM (SELECT slot, JSON(data) AS item FROM hours WHERE org = $1 AND cluster = $2
		AND subject = 'storage/' || $3 || '/' || $6 AND slot BETWEEN $4 AND $5
	UNION ALL SELECT (slot / 3600) * 3600, OBJECT('at', TIME((slot / 3600) * 3600),
		'used', avg(used), 'used_max', max(used), 'total', max(total))
		FROM storage_minutes WHERE org = $1 AND cluster = $2 AND node = $3 AND name = $6
		AND slot BETWEEN $4 AND $5
		AND NOT EXISTS (SELECT 1 FROM hours AS h WHERE h.org = $1 AND h.cluster = $2
			AND h.subject = 'storage/' || $3 || '/' || $6 AND h.slot = (storage_minutes.slot / 3600) * 3600)
		GROUP BY slot / 3600) AS x ORDER BY x.slot
-- name: hours_guest
SELECT x.item FROM (SELECT slot, JSON(data) AS item FROM hours WHERE org = $1 AND cluster = $2
		AND subject = 'guest/' || $3 AND slot BETWEEN $4 AND $5
	UNION ALL SELECT (y.slot / 3600) * 3600, OBJECT('at', TIME((y.slot / 3600) * 3600),
		'cpu', avg(y.cpu), 'cpu_max', max(y.cpu), 'mem', avg(y.mem), 'mem_max', max(y.mem),
		'disk', avg(y.disk), 'disk_max', max(y.disk), 'netin', avg(y.netin), 'netin_max', max(y.netin),
		'netout', avg(y.netout), 'netout_max', max(y.netout))
		FROM (SELECT slot, REAL_OF(PARSED(live) ->> 'cpu') AS cpu, REAL_OF(PARSED(live) ->> 'mem') AS mem,
			REAL_OF(PARSED(live) ->> 'disk') AS disk, REAL_OF(PARSED(live) ->> 'netin') AS netin,
			REAL_OF(PARSED(live) ->> 'netout') AS netout
			FROM guest_slots WHERE org = $1 AND cluster = $2 AND vmid = CAST($3 AS BIGINT)
			AND slot BETWEEN $4 AND $5
			AND NOT EXISTS (SELECT 1 FROM hours AS h WHERE h.org = $1 AND h.cluster = $2
				AND h.subject = 'guest/' || $3 AND h.slot = (guest_slots.slot / 3600) * 3600)) AS y
		GROUP BY y.slot / 3600) AS x ORDER BY x.slot
