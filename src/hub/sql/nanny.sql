-- NannyAPI's objects.

-- name: nanny_put
INSERT INTO nanny_objects (org, id, kind, agent, cluster, node, at, recorded_at, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (org, id) DO UPDATE SET agent = excluded.agent, cluster = excluded.cluster, node = excluded.node,
	at = excluded.at, recorded_at = excluded.recorded_at, body = excluded.body
WHERE nanny_objects.at <= excluded.at
-- name: nanny_join
INSERT INTO nanny_agents_of (org, agent, cluster, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (org, agent) DO UPDATE SET cluster = excluded.cluster, at = excluded.at
WHERE nanny_agents_of.at <= excluded.at
-- name: nanny_forget
DELETE FROM nanny_objects WHERE org = $1 AND agent = $2 AND cluster = $3 AND kind <> 'node'
-- name: nanny_move
UPDATE nanny_objects SET cluster = $4 WHERE org = $1 AND agent = $2 AND cluster = $3
-- name: nanny_cluster_of
SELECT cluster FROM nanny_agents_of WHERE org = $1 AND agent = $2
-- name: nanny_node
SELECT node FROM nanny_objects WHERE org = $1 AND agent = $2 AND kind = 'node' AND node = $3
-- name: nanny_delete
DELETE FROM nanny_objects WHERE org = $1 AND id = $2 AND kind = $3
-- name: nanny_count
SELECT count(*) FROM nanny_objects AS o WHERE o.org = $1 AND o.kind = $2
	AND ($3 IS NULL OR o.cluster = (SELECT c.cluster FROM nanny_objects AS c WHERE c.org = $1 AND c.id = $3))
	AND ($4 IS NULL OR EXISTS (SELECT 1 FROM nanny_objects AS n WHERE n.org = $1 AND n.id = $4
		AND n.cluster = o.cluster AND n.node = o.node))
	AND ($5 IS NULL OR o.id = $5)
-- name: nanny_clusters
SELECT OBJECT('id', o.id, 'cluster_name', JSON(PARSED(o.body) -> 'name'), 'nodes', JSON(PARSED(o.body) -> 'nodes'), 'quorate', JSON(PARSED(o.body) -> 'quorate'), 'version', JSON(PARSED(o.body) -> 'version'), 'px_cluster_id', JSON(PARSED(o.body) -> 'id'), 'recorded_at', TIME(o.recorded_at))
FROM nanny_objects AS o WHERE o.org = $1 AND o.kind = $2
	AND ($3 IS NULL OR o.cluster = (SELECT c.cluster FROM nanny_objects AS c WHERE c.org = $1 AND c.id = $3))
	AND ($4 IS NULL OR EXISTS (SELECT 1 FROM nanny_objects AS n WHERE n.org = $1 AND n.id = $4
		AND n.cluster = o.cluster AND n.node = o.node))
	AND ($5 IS NULL OR o.id = $5)
ORDER BY o.id LIMIT $6 OFFSET $7
-- name: nanny_nodes
SELECT OBJECT('id', o.id, 'agent_id', o.agent, 'cluster_id', (SELECT min(c.id) FROM nanny_objects AS c WHERE c.org = $1
		AND c.kind = 'cluster' AND c.cluster = o.cluster), 'ip', JSON(PARSED(o.body) -> 'ip'), 'level', JSON(PARSED(o.body) -> 'level'), 'local', JSON(PARSED(o.body) -> 'local'), 'name', JSON(PARSED(o.body) -> 'name'), 'pve_version', JSON(PARSED(o.body) -> 'pve_version'), 'px_node_id', JSON(PARSED(o.body) -> 'node_id'), 'online', JSON(PARSED(o.body) -> 'online'), 'recorded_at', TIME(o.recorded_at))
FROM nanny_objects AS o WHERE o.org = $1 AND o.kind = $2
	AND ($3 IS NULL OR o.cluster = (SELECT c.cluster FROM nanny_objects AS c WHERE c.org = $1 AND c.id = $3))
	AND ($4 IS NULL OR EXISTS (SELECT 1 FROM nanny_objects AS n WHERE n.org = $1 AND n.id = $4
		AND n.cluster = o.cluster AND n.node = o.node))
	AND ($5 IS NULL OR o.id = $5)
ORDER BY o.id LIMIT $6 OFFSET $7
-- name: nanny_lxc
SELECT OBJECT('id', o.id, 'agent_id', o.agent, 'cluster_id', (SELECT min(c.id) FROM nanny_objects AS c WHERE c.org = $1
		AND c.kind = 'cluster' AND c.cluster = o.cluster), 'node_id', (SELECT min(n.id) FROM nanny_objects AS n WHERE n.org = $1 AND n.kind = 'node'
		AND n.cluster = o.cluster AND n.node = o.node), 'lxc_id', 'lxc/' || (PARSED(o.body) ->> 'vmid'), 'name', JSON(PARSED(o.body) -> 'name'), 'status', JSON(PARSED(o.body) -> 'status'), 'uptime', JSON(PARSED(o.body) -> 'uptime'), 'vmid', JSON(PARSED(o.body) -> 'vmid'), 'node', JSON(PARSED(o.body) -> 'node'), 'ostype', JSON(PARSED(o.body) -> 'ostype'), 'cpu_cores', JSON(PARSED(o.body) -> 'cpu_cores'), 'memory_mb', JSON(PARSED(o.body) -> 'memory_mb'), 'tags', replace(PARSED(o.body) ->> 'tags', ';', ','), 'config', JSON(PARSED(o.body) -> 'config'),
	'rootfs', JSON(PARSED(o.body) -> 'rootfs'), 'swap_mb', JSON(PARSED(o.body) -> 'swap_mb'), 'net0', JSON(PARSED(o.body) -> 'net0'),
	'arch', JSON(PARSED(o.body) -> 'arch'), 'hostname', JSON(PARSED(o.body) -> 'hostname'), 'searchdomain', JSON(PARSED(o.body) -> 'searchdomain'),
	'nameserver', JSON(PARSED(o.body) -> 'nameserver'), 'features', JSON(PARSED(o.body) -> 'features'), 'unprivileged', JSON(PARSED(o.body) -> 'unprivileged'),
	'protection', JSON(PARSED(o.body) -> 'protection'), 'timezone', JSON(PARSED(o.body) -> 'timezone'), 'recorded_at', TIME(o.recorded_at))
FROM nanny_objects AS o WHERE o.org = $1 AND o.kind = $2
	AND ($3 IS NULL OR o.cluster = (SELECT c.cluster FROM nanny_objects AS c WHERE c.org = $1 AND c.id = $3))
	AND ($4 IS NULL OR EXISTS (SELECT 1 FROM nanny_objects AS n WHERE n.org = $1 AND n.id = $4
		AND n.cluster = o.cluster AND n.node = o.node))
	AND ($5 IS NULL OR o.id = $5)
ORDER BY o.id LIMIT $6 OFFSET $7
-- name: nanny_qemu
SELECT OBJECT('id', o.id, 'agent_id', o.agent, 'cluster_id', (SELECT min(c.id) FROM nanny_objects AS c WHERE c.org = $1
		AND c.kind = 'cluster' AND c.cluster = o.cluster), 'node_id', (SELECT min(n.id) FROM nanny_objects AS n WHERE n.org = $1 AND n.kind = 'node'
		AND n.cluster = o.cluster AND n.node = o.node), 'qemu_id', 'qemu/' || (PARSED(o.body) ->> 'vmid'), 'name', JSON(PARSED(o.body) -> 'name'), 'status', JSON(PARSED(o.body) -> 'status'), 'uptime', JSON(PARSED(o.body) -> 'uptime'), 'vmid', JSON(PARSED(o.body) -> 'vmid'), 'node', JSON(PARSED(o.body) -> 'node'), 'ostype', JSON(PARSED(o.body) -> 'ostype'), 'cpu_cores', JSON(PARSED(o.body) -> 'cpu_cores'), 'memory_mb', JSON(PARSED(o.body) -> 'memory_mb'), 'tags', replace(PARSED(o.body) ->> 'tags', ';', ','), 'config', JSON(PARSED(o.body) -> 'config'), 'kvm', JSON(PARSED(o.body) -> 'kvm'), 'host_cpu', JSON(PARSED(o.body) -> 'cpu'), 'boot', JSON(PARSED(o.body) -> 'boot'), 'vmgenid', JSON(PARSED(o.body) -> 'vmgenid'), 'recorded_at', TIME(o.recorded_at))
FROM nanny_objects AS o WHERE o.org = $1 AND o.kind = $2
	AND ($3 IS NULL OR o.cluster = (SELECT c.cluster FROM nanny_objects AS c WHERE c.org = $1 AND c.id = $3))
	AND ($4 IS NULL OR EXISTS (SELECT 1 FROM nanny_objects AS n WHERE n.org = $1 AND n.id = $4
		AND n.cluster = o.cluster AND n.node = o.node))
	AND ($5 IS NULL OR o.id = $5)
ORDER BY o.id LIMIT $6 OFFSET $7
