-- A document into the tables. Everything is decided by stamps (at, node, seq), never by arrival.

-- name: cluster_add
INSERT INTO clusters (org, cluster, name, at, node, seq, closing_at) VALUES ($1, $2, '', 0, '', 0, 0)
ON CONFLICT DO NOTHING
-- name: cluster_lock
SELECT at FROM clusters WHERE org = $1 AND cluster = $2 LOCKED
-- name: cluster_touch
-- As little as can be written: how long it takes says how the database is.
UPDATE clusters SET at = at WHERE org = $1 AND cluster = $2
-- name: cluster_closing
SELECT closing_list, closing_at, members FROM clusters WHERE org = $1 AND cluster = $2
-- name: cluster_put
UPDATE clusters SET name = coalesce(PLAIN($6), name), config_version = CAST($7 AS BIGINT),
	clustered = $8, quorate = $9, members = $10, at = $3, node = $4, seq = $5
WHERE org = $1 AND cluster = $2 AND (at, node, seq) < ($3, $4, $5)
-- name: cluster_members
INSERT INTO nodes (org, cluster, node, at, seq, instance, received_at, agent, wanted)
SELECT $1, $2, j.value ->> 'name', 0, 0, '', 0, '', 0 FROM EACH($3, j)
WHERE j.value ->> 'name' IS NOT NULL
ON CONFLICT DO NOTHING
-- name: cluster_list
UPDATE clusters SET closing_list = $3, closing_at = CASE WHEN closing_at < $4 THEN $4 ELSE closing_at END
WHERE org = $1 AND cluster = $2

-- name: doc_add
INSERT INTO docs (org, cluster, node, instance, seq, at, received_at, ids, list, own, host, members, storages)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING
-- name: view_add
INSERT INTO views (org, cluster, hash, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- When it came: the latest, but for what a hub's clock said that was far ahead.
-- name: node_put
INSERT INTO nodes (org, cluster, node, at, seq, instance, received_at, agent, version, data, findings, wanted, parts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, PLAIN($9), $10, $11, 0, $12)
ON CONFLICT (org, cluster, node) DO UPDATE SET at = excluded.at, seq = excluded.seq,
	instance = excluded.instance, agent = excluded.agent,
	received_at = CASE WHEN nodes.received_at BETWEEN excluded.received_at AND excluded.received_at + 900
		THEN nodes.received_at ELSE excluded.received_at END,
	version = excluded.version, data = excluded.data,
	findings = excluded.findings, parts = excluded.parts
WHERE (nodes.at, nodes.seq, nodes.instance) < (excluded.at, excluded.seq, excluded.instance)
-- name: node_heard
UPDATE nodes SET received_at = $4 WHERE org = $1 AND cluster = $2 AND node = $3
	AND received_at NOT BETWEEN $4 AND $4 + 900
-- name: node_before
SELECT findings, wanted FROM nodes WHERE org = $1 AND cluster = $2 AND node = $3
-- name: node_wanted
-- Looked up for each guest: no planner makes a loop over all configs of that.
UPDATE nodes SET wanted = CASE WHEN EXISTS (SELECT 1 FROM guests AS g
	WHERE g.org = $1 AND g.cluster = $2 AND g.node = $3 AND g.closed_at IS NULL AND g.digest IS NOT NULL
		AND CASE WHEN (SELECT c.digest FROM configs AS c WHERE c.org = $1 AND c.cluster = $2
			AND c.vmid = g.vmid) = g.digest THEN 0 ELSE 1 END = 1) THEN 1 ELSE 0 END
WHERE org = $1 AND cluster = $2 AND node = $3

-- A node that shows the guests it showed before, none of which is news, changes one row of its own:
-- samples has when they were seen and what changes with every sample, and while guests.sampled names
-- one of its parts, seen_at, seen_seq and live of the guest's row do not count. Such guests are open
-- and seen_node showed them last. Before anything else is said of them, their row gets it all back.
-- name: samples_put
UPDATE samples SET at = $4, seq = $5, live = $7
WHERE org = $1 AND cluster = $2 AND node = $3 AND part = $6 AND known = $8 AND (at, seq) < ($4, $5)
-- name: samples_add
INSERT INTO samples (org, cluster, node, at, seq, part, live, known) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (org, cluster, node, part) DO UPDATE SET at = excluded.at, seq = excluded.seq, live = excluded.live,
	known = excluded.known
-- name: samples_of
SELECT g.seen_node FROM EACH($3, j) CROSS JOIN guests AS g WHERE g.org = $1 AND g.cluster = $2
	AND g.vmid = CAST(j.value ->> 0 AS BIGINT) AND g.sampled > 0 LIMIT 1
-- name: samples_of_others
SELECT seen_node FROM guests WHERE org = $1 AND cluster = $2 AND closed_at IS NULL AND sampled > 0
	AND vmid NOT IN (SELECT CAST(j.value ->> 0 AS BIGINT) FROM EACH($3, j)) LIMIT 1
-- name: samples_of_cluster
SELECT node FROM samples WHERE org = $1 AND cluster = $2 AND part = 1 LIMIT 1
-- name: samples_settle
WITH x AS MATERIALIZED (SELECT CAST(j.value ->> 0 AS BIGINT) AS vmid, s.part, s.at, s.seq,
		split_part(split_part(s.live, NEWLINE || (j.value ->> 0) || ' ', 2), NEWLINE, 1) AS live
	FROM samples AS k CROSS JOIN EACH(k.known, j) CROSS JOIN samples AS s
	WHERE k.org = $1 AND k.cluster = $2 AND k.node = $3 AND k.part = 1 AND s.org = $1 AND s.cluster = $2
		AND s.node = $3 AND s.part = CAST(j.value ->> 2 AS BIGINT))
UPDATE guests AS g SET seen_at = x.at, seen_seq = x.seq, live = x.live, sampled = 0 FROM x
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = x.vmid
	AND CASE WHEN g.seen_node = $3 AND g.sampled = x.part THEN 1 ELSE 0 END = 1
-- name: samples_drop
DELETE FROM samples WHERE org = $1 AND cluster = $2 AND node = $3 AND part > 0

-- name: guests_known
-- The hash is of the identity as well.
SELECT count(*) FROM EACH($6, j) CROSS JOIN guests AS g
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = CAST(j.value ->> 0 AS BIGINT)
	AND CASE WHEN g.fresh = j.value ->> 1 AND g.closed_at IS NULL AND g.seen_node = $4
		AND (g.seen_at, g.seen_seq) < ($3, $5) THEN 1 ELSE 0 END = 1
-- name: guests_sampled
UPDATE guests AS g SET sampled = CAST(d.value ->> 2 AS BIGINT)
FROM EACH($4, d)
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = CAST(d.value ->> 0 AS BIGINT)
	AND CASE WHEN g.fresh = d.value ->> 1 AND g.closed_at IS NULL AND g.seen_node = $3 THEN 1 ELSE 0 END = 1
-- name: guests_put
INSERT INTO guests (org, cluster, vmid, identity, type, fresh, node, name, status, locked, tags, template,
	backup, digest, data, live, first_at, seen_at, seen_node, seen_seq, closed_at)
SELECT $1, $2, CAST(j.value ->> 0 AS BIGINT), j.value ->> 2, j.value ->> 1, j.value ->> 3, j.value ->> 4,
	j.value ->> 5, j.value ->> 6, j.value ->> 7, j.value ->> 8, CAST(j.value ->> 9 AS BIGINT),
	CAST(j.value ->> 10 AS BIGINT), j.value ->> 11, j.value ->> 12, j.value ->> 13, $3, $3, $4, $5, 0
FROM EACH($6, j) WHERE true
ON CONFLICT (org, cluster, vmid, identity) DO UPDATE SET type = excluded.type, fresh = excluded.fresh,
	node = excluded.node, name = excluded.name, status = excluded.status, locked = excluded.locked,
	tags = excluded.tags, template = excluded.template, backup = excluded.backup,
	digest = excluded.digest, data = excluded.data, live = excluded.live,
	seen_at = excluded.seen_at, seen_node = excluded.seen_node, seen_seq = excluded.seen_seq
WHERE (guests.seen_at, guests.seen_node, guests.seen_seq)
	< (excluded.seen_at, excluded.seen_node, excluded.seen_seq)
-- name: guests_first
UPDATE guests AS g SET first_at = $3
FROM (SELECT CAST(j.value ->> 0 AS BIGINT) AS vmid, j.value ->> 1 AS identity FROM EACH($4, j)) AS d
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = d.vmid AND g.identity = d.identity AND g.first_at > $3
-- name: guests_reopen
-- Those that are new or were closed before this sighting: what has later documents said of them?
-- Each later list is taken apart once, and only for these guests (n).
WITH n AS MATERIALIZED (SELECT g.vmid, g.identity FROM EACH($6, j) CROSS JOIN guests AS g
		WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = CAST(j.value ->> 0 AS BIGINT)
		AND g.identity = j.value ->> 1 AND g.closed_at <= $3
		AND g.seen_at = $3 AND g.seen_node = $4 AND g.seen_seq = $5),
	l AS MATERIALIZED (SELECT d.list AS hash, min(d.at) AS at FROM docs AS d WHERE d.org = $1 AND d.cluster = $2
		AND d.at > $3 AND d.list IS NOT NULL AND EXISTS (SELECT 1 FROM n) GROUP BY d.list),
	i AS MATERIALIZED (SELECT d.ids AS hash, min(d.at) AS at FROM docs AS d WHERE d.org = $1 AND d.cluster = $2
		AND d.at > $3 AND EXISTS (SELECT 1 FROM n) GROUP BY d.ids),
	listed AS MATERIALIZED (SELECT l.hash, CAST(k.value ->> 0 AS BIGINT) AS vmid
		FROM l CROSS JOIN EACH((SELECT v.body FROM views AS v
			WHERE v.org = $1 AND v.cluster = $2 AND v.hash = l.hash), k)
		WHERE CAST(k.value ->> 0 AS BIGINT) IN (SELECT n.vmid FROM n)),
	shown AS MATERIALIZED (SELECT i.at, CAST(k.value ->> 0 AS BIGINT) AS vmid, k.value ->> 1 AS identity
		FROM i CROSS JOIN EACH((SELECT v.body FROM views AS v
			WHERE v.org = $1 AND v.cluster = $2 AND v.hash = i.hash), k)
		WHERE CAST(k.value ->> 0 AS BIGINT) IN (SELECT n.vmid FROM n)
		AND (k.value ->> 0) || '/' || (k.value ->> 1) NOT IN (SELECT n.vmid || '/' || n.identity FROM n)),
	ends AS MATERIALIZED (SELECT CAST(j.value ->> 0 AS BIGINT) AS vmid, j.value ->> 1 AS identity,
			CAST(NULL AS BIGINT) AS at FROM EACH($6, j)
		UNION ALL SELECT n.vmid, NULL, l.at FROM n CROSS JOIN l
			WHERE l.hash || n.vmid NOT IN (SELECT listed.hash || listed.vmid FROM listed)
		UNION ALL SELECT shown.vmid, NULL, shown.at FROM shown)
UPDATE guests AS g SET closed_at = x.at
FROM (SELECT ends.vmid, max(ends.identity) AS identity, min(ends.at) AS at FROM ends GROUP BY ends.vmid) AS x
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = x.vmid AND g.identity = x.identity AND g.closed_at <= $3
	AND g.seen_at = $3 AND g.seen_node = $4 AND g.seen_seq = $5
-- name: guests_replace
-- Another identity of the same number ends the others; they look again at their next sighting.
UPDATE guests AS g SET fresh = '',
	closed_at = CASE WHEN g.seen_at < $3 AND (g.closed_at IS NULL OR g.closed_at > $3) THEN $3 ELSE g.closed_at END
FROM (SELECT CAST(j.value ->> 0 AS BIGINT) AS vmid, j.value ->> 1 AS identity FROM EACH($4, j)) AS d
WHERE g.org = $1 AND g.cluster = $2 AND g.vmid = d.vmid AND g.identity <> d.identity
	AND CASE WHEN g.fresh <> '' OR (g.seen_at < $3 AND (g.closed_at IS NULL OR g.closed_at > $3)) THEN 1 ELSE 0 END = 1
-- name: guests_close
UPDATE guests SET closed_at = $3
WHERE org = $1 AND cluster = $2 AND seen_at < $3 AND (closed_at IS NULL OR closed_at > $3)
	AND vmid NOT IN (SELECT CAST(j.value ->> 0 AS BIGINT) FROM EACH($4, j))
-- name: guests_strayed
SELECT count(*) FROM guests WHERE org = $1 AND cluster = $2 AND closed_at IS NULL
	AND vmid NOT IN (SELECT CAST(j.value ->> 0 AS BIGINT) FROM EACH($3, j))

-- name: configs_put
INSERT INTO configs (org, cluster, vmid, at, node, seq, digest, body)
SELECT $1, $2, CAST(j.value ->> 'vmid' AS BIGINT), $3, $4, $5, j.value ->> 'digest', CAST(j.value AS TEXT)
FROM EACH_AS_WRITTEN($6, j) WHERE true
ON CONFLICT (org, cluster, vmid) DO UPDATE SET at = excluded.at, node = excluded.node,
	seq = excluded.seq, digest = excluded.digest, body = excluded.body
WHERE (configs.at, configs.node, configs.seq) < (excluded.at, excluded.node, excluded.seq)

-- name: storages_newer
SELECT count(*) FROM docs WHERE org = $1 AND cluster = $2 AND node = $3 AND storages = 1
	AND (at, seq, instance) > ($4, $5, $6)
-- name: storages_put
-- Only where one came, went or is of another type; the others' data stands in samples anyway.
INSERT INTO storages (org, cluster, node, name, at, seq, type, data, line)
SELECT $1, $2, $3, j.value ->> 'name', $4, $5, j.value ->> 'type', CAST(j.value AS TEXT), row_number() OVER ()
FROM EACH_AS_WRITTEN($6, j) WHERE true
ON CONFLICT (org, cluster, node, name) DO UPDATE SET at = excluded.at, seq = excluded.seq,
	type = excluded.type, data = excluded.data, line = excluded.line
-- name: storages_gone
DELETE FROM storages WHERE org = $1 AND cluster = $2 AND node = $3 AND (at, seq) < ($4, $5)

-- name: findings_clear
DELETE FROM findings WHERE org = $1 AND cluster = $2 AND node = $3
-- name: findings_dm
INSERT INTO findings (org, cluster, node, part, number, at, class, severity, vmid, data)
SELECT $1, $2, $3, 'dm', row_number() OVER (), $4, j.value ->> 'class', j.value ->> 'severity',
	CAST(j.value ->> 'vmid' AS BIGINT), CAST(j.value AS TEXT) FROM EACH_AS_WRITTEN($5, j)
-- name: findings_watch
INSERT INTO findings (org, cluster, node, part, number, at, class, severity, vmid, data)
SELECT $1, $2, $3, 'watch', row_number() OVER (), $4, j.value ->> 'state',
	CASE WHEN j.value ->> 'state' IN ('exhausted', 'stuck') THEN 'critical' ELSE 'warning' END,
	CAST(j.value ->> 'vmid' AS BIGINT), CAST(j.value AS TEXT) FROM EACH_AS_WRITTEN($5, j)
WHERE j.value ->> 'state' NOT IN ('serving', 'off', 'booting', 'starting', 'stopping')

-- name: node_minute
INSERT INTO node_minutes (org, cluster, node, slot, at, seq, cpu, iowait, loadavg, mem, swap, disk, netin, netout)
VALUES ($1, $2, $3, $4, $5, $6, REAL_OF($7), REAL_OF($8), REAL_OF($9), REAL_OF($10), REAL_OF($11), REAL_OF($12),
	REAL_OF($13), REAL_OF($14))
ON CONFLICT (org, cluster, node, slot) DO UPDATE SET at = excluded.at, seq = excluded.seq,
	cpu = excluded.cpu, iowait = excluded.iowait, loadavg = excluded.loadavg, mem = excluded.mem,
	swap = excluded.swap, disk = excluded.disk, netin = excluded.netin, netout = excluded.netout
WHERE (node_minutes.at, node_minutes.seq) > (excluded.at, excluded.seq)
-- name: storage_minute
INSERT INTO storage_minutes (org, cluster, node, slot, name, at, seq, used, total)
SELECT $1, $2, $3, $4, j.value ->> 'name', $5, $6, REAL_OF(j.value ->> 'used'), REAL_OF(j.value ->> 'total')
FROM EACH($7, j) WHERE true
ON CONFLICT (org, cluster, node, slot, name) DO UPDATE SET at = excluded.at, seq = excluded.seq,
	used = excluded.used, total = excluded.total
WHERE (storage_minutes.at, storage_minutes.seq) > (excluded.at, excluded.seq)
-- name: slot_taken
SELECT count(*) FROM docs WHERE org = $1 AND cluster = $2 AND node = $3 AND at >= $4
	AND (at, seq, instance) < ($5, $6, $7) AND ids = $8
-- name: guest_slot
INSERT INTO guest_slots (org, cluster, vmid, slot, identity, at, node, seq, live)
SELECT $1, $2, CAST(j.value ->> 0 AS BIGINT), $3, j.value ->> 2, $4, $5, $6, j.value ->> 13
FROM EACH($7, j) WHERE true
ON CONFLICT (org, cluster, vmid, slot, identity) DO UPDATE SET at = excluded.at, node = excluded.node,
	seq = excluded.seq, live = excluded.live
WHERE (guest_slots.at, guest_slots.node, guest_slots.seq) > (excluded.at, excluded.node, excluded.seq)
-- name: guest_slot_late
-- Of guests that are known: who is not is never looked for when time has come to gather.
INSERT INTO guest_slots (org, cluster, vmid, slot, identity, at, node, seq, live)
SELECT $1, $2, CAST(j.value ->> 0 AS BIGINT), $3, j.value ->> 2, $4, $5, $6, j.value ->> 13
FROM EACH($7, j) WHERE EXISTS (SELECT 1 FROM guests AS g WHERE g.org = $1 AND g.cluster = $2
	AND g.vmid = CAST(j.value ->> 0 AS BIGINT))
ON CONFLICT (org, cluster, vmid, slot, identity) DO UPDATE SET at = excluded.at, node = excluded.node,
	seq = excluded.seq, live = excluded.live
WHERE (guest_slots.at, guest_slots.node, guest_slots.seq) > (excluded.at, excluded.node, excluded.seq)

-- name: answer
SELECT m.name, CASE WHEN n.received_at > $4 AND n.received_at <= $5 + 900 AND n.instance <> '' THEN 1 ELSE 0 END
FROM (SELECT j.value ->> 'name' AS name, CAST(j.value ->> 'id' AS BIGINT) AS id FROM EACH($3, j)) AS m
LEFT JOIN nodes AS n ON n.org = $1 AND n.cluster = $2 AND n.node = m.name
WHERE m.name IS NOT NULL ORDER BY m.id, m.name
