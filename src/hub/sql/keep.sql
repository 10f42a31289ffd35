-- What time brings, a cluster at a time. $1 org, $2 cluster, $3 the first slot that stays.

-- name: retain_next
SELECT org, cluster FROM clusters WHERE (org, cluster) > ($1, $2) ORDER BY org, cluster LIMIT 1
-- name: retain_oldest
-- The first minute that is still there: looked up for each name, as the indexes have it.
SELECT min(x.slot) FROM (
	SELECT (SELECT min(m.slot) FROM node_minutes AS m WHERE m.org = $1 AND m.cluster = $2
		AND m.node = n.node) AS slot FROM nodes AS n WHERE n.org = $1 AND n.cluster = $2
	UNION ALL SELECT (SELECT min(t.slot) FROM storage_minutes AS t WHERE t.org = $1 AND t.cluster = $2
		AND t.node = n.node) FROM nodes AS n WHERE n.org = $1 AND n.cluster = $2
	UNION ALL SELECT (SELECT min(h.slot) FROM guest_slots AS h WHERE h.org = $1 AND h.cluster = $2
		AND h.vmid = g.vmid) FROM guests AS g WHERE g.org = $1 AND g.cluster = $2
	UNION ALL SELECT (SELECT min(d.at) FROM docs AS d WHERE d.org = $1 AND d.cluster = $2)) AS x
-- What came late for an hour is added to what is there of it, each minute once, however often it comes.
-- name: gather_nodes
INSERT INTO hours (org, cluster, subject, slot, data, taken, counts)
SELECT $1, $2, 'node/' || m.node, (m.slot / 3600) * 3600, CAST(OBJECT('at', TIME((m.slot / 3600) * 3600),
	'cpu', avg(cpu), 'cpu_max', max(cpu), 'iowait', avg(iowait), 'iowait_max', max(iowait),
	'loadavg', avg(loadavg), 'loadavg_max', max(loadavg), 'mem', avg(mem), 'mem_max', max(mem),
	'swap', avg(swap), 'swap_max', max(swap), 'disk', avg(disk), 'disk_max', max(disk),
	'netin', avg(netin), 'netin_max', max(netin), 'netout', avg(netout), 'netout_max', max(netout)) AS TEXT),
	CAST(sum(MINUTE_OF(m.slot)) AS BIGINT),
	count(cpu) || ' ' || count(iowait) || ' ' || count(loadavg) || ' ' || count(mem) || ' ' ||
	count(swap) || ' ' || count(disk) || ' ' || count(netin) || ' ' || count(netout)
FROM node_minutes AS m JOIN nodes AS n ON n.org = $1 AND n.cluster = $2 AND n.node = m.node
LEFT JOIN hours AS h ON h.org = $1 AND h.cluster = $2 AND h.subject = 'node/' || m.node
	AND h.slot = (m.slot / 3600) * 3600
WHERE m.org = $1 AND m.cluster = $2 AND m.slot < $3 AND (coalesce(h.taken, 0) & MINUTE_OF(m.slot)) = 0
GROUP BY m.node, m.slot / 3600
ON CONFLICT (org, cluster, subject, slot) DO UPDATE SET taken = hours.taken + excluded.taken,
	counts = COUNTED(cpu, 1) || ' ' || COUNTED(iowait, 2) || ' ' || COUNTED(loadavg, 3) || ' ' || COUNTED(mem, 4) || ' ' ||
		COUNTED(swap, 5) || ' ' || COUNTED(disk, 6) || ' ' || COUNTED(netin, 7) || ' ' || COUNTED(netout, 8),
	data = CAST(OBJECT('at', PARSED(hours.data) ->> 'at',
	MERGED(cpu, 1), MERGED(iowait, 2), MERGED(loadavg, 3), MERGED(mem, 4), MERGED(swap, 5), MERGED(disk, 6),
	MERGED(netin, 7), MERGED(netout, 8)) AS TEXT)
-- name: gather_storages
INSERT INTO hours (org, cluster, subject, slot, data, taken, counts)
SELECT $1, $2, 'storage/' || m.node || '/' || m.name, (m.slot / 3600) * 3600,
	CAST(OBJECT('at', TIME((m.slot / 3600) * 3600),
	'used', avg(used), 'used_max', max(used), 'total', max(total)) AS TEXT),
	CAST(sum(MINUTE_OF(m.slot)) AS BIGINT), CAST(count(used) AS TEXT)
FROM storage_minutes AS m JOIN nodes AS n ON n.org = $1 AND n.cluster = $2 AND n.node = m.node
LEFT JOIN hours AS h ON h.org = $1 AND h.cluster = $2 AND h.subject = 'storage/' || m.node || '/' || m.name
	AND h.slot = (m.slot / 3600) * 3600
WHERE m.org = $1 AND m.cluster = $2 AND m.slot < $3 AND (coalesce(h.taken, 0) & MINUTE_OF(m.slot)) = 0
GROUP BY m.node, m.name, m.slot / 3600
ON CONFLICT (org, cluster, subject, slot) DO UPDATE SET taken = hours.taken + excluded.taken,
	counts = CAST(COUNTED(used, 1) AS TEXT),
	data = CAST(OBJECT('at', PARSED(hours.data) ->> 'at',
	MERGED(used, 1), 'total', LARGER_OF(total)) AS TEXT)
-- name: gather_guests
INSERT INTO hours (org, cluster, subject, slot, data, taken, counts)
SELECT $1, $2, 'guest/' || y.vmid, (y.slot / 3600) * 3600, CAST(OBJECT('at', TIME((y.slot / 3600) * 3600),
	'cpu', avg(y.cpu), 'cpu_max', max(y.cpu), 'mem', avg(y.mem), 'mem_max', max(y.mem),
	'disk', avg(y.disk), 'disk_max', max(y.disk), 'netin', avg(y.netin), 'netin_max', max(y.netin),
	'netout', avg(y.netout), 'netout_max', max(y.netout)) AS TEXT),
	CAST(sum(DISTINCT MINUTE_OF(y.slot)) AS BIGINT),
	count(y.cpu) || ' ' || count(y.mem) || ' ' || count(y.disk) || ' ' || count(y.netin) || ' ' || count(y.netout)
FROM (SELECT m.vmid, m.slot, REAL_OF(PARSED(m.live) ->> 'cpu') AS cpu, REAL_OF(PARSED(m.live) ->> 'mem') AS mem,
	REAL_OF(PARSED(m.live) ->> 'disk') AS disk, REAL_OF(PARSED(m.live) ->> 'netin') AS netin,
	REAL_OF(PARSED(m.live) ->> 'netout') AS netout
	FROM (SELECT DISTINCT vmid FROM guests WHERE org = $1 AND cluster = $2) AS g
	JOIN guest_slots AS m ON m.org = $1 AND m.cluster = $2 AND m.vmid = g.vmid AND m.slot < $3
	LEFT JOIN hours AS h ON h.org = $1 AND h.cluster = $2 AND h.subject = 'guest/' || m.vmid
		AND h.slot = (m.slot / 3600) * 3600
	WHERE (coalesce(h.taken, 0) & MINUTE_OF(m.slot)) = 0) AS y
GROUP BY y.vmid, y.slot / 3600
ON CONFLICT (org, cluster, subject, slot) DO UPDATE SET taken = hours.taken + excluded.taken,
	counts = COUNTED(cpu, 1) || ' ' || COUNTED(mem, 2) || ' ' || COUNTED(disk, 3) || ' ' || COUNTED(netin, 4) || ' ' ||
		COUNTED(netout, 5),
	data = CAST(OBJECT('at', PARSED(hours.data) ->> 'at',
	MERGED(cpu, 1), MERGED(mem, 2), MERGED(disk, 3), MERGED(netin, 4), MERGED(netout, 5)) AS TEXT)
-- name: drop_nodes
DELETE FROM node_minutes WHERE org = $1 AND cluster = $2 AND slot < $3
-- name: drop_storages
DELETE FROM storage_minutes WHERE org = $1 AND cluster = $2 AND slot < $3
-- name: drop_guests
DELETE FROM guest_slots WHERE org = $1 AND cluster = $2 AND slot < $3
	AND vmid IN (SELECT g.vmid FROM guests AS g WHERE g.org = $1 AND g.cluster = $2)
-- name: drop_docs
DELETE FROM docs WHERE org = $1 AND cluster = $2 AND at < $3
-- name: drop_views
DELETE FROM views WHERE org = $1 AND cluster = $2 AND hash NOT IN (
	SELECT ids FROM docs WHERE org = $1 AND cluster = $2
	UNION SELECT list FROM docs WHERE org = $1 AND cluster = $2 AND list IS NOT NULL
	UNION SELECT own FROM docs WHERE org = $1 AND cluster = $2 AND own IS NOT NULL
	UNION SELECT host FROM docs WHERE org = $1 AND cluster = $2 AND host IS NOT NULL
	UNION SELECT members FROM docs WHERE org = $1 AND cluster = $2 AND members IS NOT NULL)
-- name: drop_hours
DELETE FROM hours WHERE org = $1 AND cluster = $2 AND slot < $3
-- name: drop_tokens
DELETE FROM tokens WHERE expires_at > 0 AND expires_at < $1
-- name: drop_agents
DELETE FROM agents WHERE created_at < $1
	AND NOT EXISTS (SELECT 1 FROM tokens AS t WHERE t.org = agents.org AND t.agent = agents.id
		AND (t.revoked_at = 0 OR t.revoked_at > $2) AND (t.expires_at = 0 OR t.expires_at > $2))
	AND NOT EXISTS (SELECT 1 FROM nanny_objects AS o WHERE o.org = agents.org AND o.agent = agents.id)
	AND NOT EXISTS (SELECT 1 FROM nodes AS n WHERE n.org = agents.org AND n.agent = agents.id)

-- name: counts
SELECT (SELECT count(*) FROM docs), (SELECT count(*) FROM clusters), (SELECT count(*) FROM nodes),
	(SELECT count(*) FROM guests WHERE closed_at IS NULL), (SELECT count(*) FROM events)
