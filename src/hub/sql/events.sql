-- Events are what two neighbouring documents of a stream differ in. Streams: a node's complete
-- documents whose list is not empty (own), those with host figures (host), and the reporters' of a
-- cluster (members).

-- name: near_own
-- Older hubs wrote own of those without a list too.
SELECT * FROM (SELECT 0, node, instance, seq, at, own, list, ids FROM docs WHERE org = $1 AND cluster = $2 AND node = $3
	AND own IS NOT NULL AND list IS NOT NULL AND (at, seq, instance) < ($4, $5, $6)
	ORDER BY at DESC, seq DESC, instance DESC LIMIT 1) AS a
UNION ALL SELECT * FROM (SELECT 1, node, instance, seq, at, own, list, ids FROM docs WHERE org = $1 AND cluster = $2
	AND node = $3 AND own IS NOT NULL AND list IS NOT NULL AND (at, seq, instance) > ($4, $5, $6)
	ORDER BY at, seq, instance LIMIT 1) AS b
-- name: near_host
SELECT * FROM (SELECT 0, node, instance, seq, at, host, '', '' FROM docs WHERE org = $1 AND cluster = $2 AND node = $3
	AND host IS NOT NULL AND (at, seq, instance) < ($4, $5, $6)
	ORDER BY at DESC, seq DESC, instance DESC LIMIT 1) AS a
UNION ALL SELECT * FROM (SELECT 1, node, instance, seq, at, host, '', '' FROM docs WHERE org = $1 AND cluster = $2
	AND node = $3 AND host IS NOT NULL AND (at, seq, instance) > ($4, $5, $6)
	ORDER BY at, seq, instance LIMIT 1) AS b
-- name: near_members
SELECT * FROM (SELECT 0, node, instance, seq, at, members, '', '' FROM docs WHERE org = $1 AND cluster = $2
	AND members IS NOT NULL AND (at, node, seq, instance) < ($4, $3, $5, $6)
	ORDER BY at DESC, node DESC, seq DESC, instance DESC LIMIT 1) AS a
UNION ALL SELECT * FROM (SELECT 1, node, instance, seq, at, members, '', '' FROM docs WHERE org = $1 AND cluster = $2
	AND members IS NOT NULL AND (at, node, seq, instance) > ($4, $3, $5, $6)
	ORDER BY at, node, seq, instance LIMIT 1) AS b
-- name: events_drop
DELETE FROM events WHERE org = $1 AND cluster = $2 AND at = $3 AND doc = $4

-- name: events_own
-- $3 at, $4 doc, $5 node, $6 $7 own and list before, $8 $9 own and list now
INSERT INTO events (org, cluster, at, id, doc, kind, node, vmid, data)
WITH p AS MATERIALIZED (SELECT (j.value ->> 0) || '/' || (j.value ->> 1) AS guest, j.value ->> 0 AS vmid, j.value ->> 1 AS identity, j.value ->> 2 AS status,
		j.value ->> 3 AS digest, j.value ->> 4 AS name
		FROM views AS v, EACH(v.body, j) WHERE v.org = $1 AND v.cluster = $2 AND v.hash = $6),
	c AS MATERIALIZED (SELECT (j.value ->> 0) || '/' || (j.value ->> 1) AS guest, j.value ->> 0 AS vmid, j.value ->> 1 AS identity, j.value ->> 2 AS status,
		j.value ->> 3 AS digest, j.value ->> 4 AS name
		FROM views AS v, EACH(v.body, j) WHERE v.org = $1 AND v.cluster = $2 AND v.hash = $8),
	pl AS MATERIALIZED (SELECT j.value ->> 0 AS vmid, j.value ->> 2 AS node
		FROM views AS v, EACH(v.body, j) WHERE v.org = $1 AND v.cluster = $2 AND v.hash = $7),
	cl AS MATERIALIZED (SELECT j.value ->> 0 AS vmid
		FROM views AS v, EACH(v.body, j) WHERE v.org = $1 AND v.cluster = $2 AND v.hash = $9),
	came AS MATERIALIZED (SELECT c.vmid, c.identity, c.name FROM c
		WHERE c.guest NOT IN (SELECT p.guest FROM p)),
	went AS MATERIALIZED (SELECT p.vmid, p.identity, p.name FROM p
		WHERE p.guest NOT IN (SELECT c.guest FROM c)),
	-- By the number alone, each expanded once: a list has 50,000 of them.
	elsewhere AS MATERIALIZED (SELECT pl.vmid, min(pl.node) AS node FROM pl
		WHERE pl.vmid IN (SELECT came.vmid FROM came) AND pl.vmid NOT IN (SELECT p.vmid FROM p)
		AND pl.node <> $5 GROUP BY pl.vmid),
	both_now AS MATERIALIZED (SELECT c.vmid, c.identity, c.name, p.status AS was, c.status AS now,
		p.digest AS digest_was, c.digest AS digest_now
		FROM c JOIN p ON p.guest = c.guest),
	found AS (
		SELECT 'guest.created' AS kind, came.vmid, came.identity, came.name, NULL AS was FROM came
			WHERE came.vmid IN (SELECT p.vmid FROM p) OR came.vmid NOT IN (SELECT pl.vmid FROM pl)
		UNION ALL SELECT 'guest.moved', came.vmid, came.identity, came.name, elsewhere.node
			FROM came JOIN elsewhere ON elsewhere.vmid = came.vmid
		UNION ALL SELECT 'guest.destroyed', went.vmid, went.identity, went.name, NULL FROM went
			WHERE went.vmid IN (SELECT c.vmid FROM c) OR went.vmid NOT IN (SELECT cl.vmid FROM cl)
		UNION ALL SELECT CASE WHEN was = 'stopped' THEN 'guest.started' ELSE 'guest.stopped' END,
			vmid, identity, name, was FROM both_now
			WHERE was <> now AND (was = 'stopped' OR now = 'stopped')
			AND was NOT IN ('', 'unknown') AND now NOT IN ('', 'unknown')
		UNION ALL SELECT 'guest.changed', vmid, identity, name, NULL
			FROM both_now WHERE digest_was <> digest_now)
SELECT $1, $2, $3, $4 || '/' || kind || '/' || vmid || '/' || identity, $4, kind, $5, CAST(vmid AS BIGINT),
	CAST(OBJECT('name', name, 'identity', identity, 'was', was) AS TEXT) FROM found WHERE true
ON CONFLICT DO NOTHING

-- name: events_host
-- $3 at, $4 doc, $5 node, $6 before, $8 now
INSERT INTO events (org, cluster, at, id, doc, kind, node, vmid, data)
WITH p AS (SELECT body FROM views WHERE org = $1 AND cluster = $2 AND hash = $6),
	c AS (SELECT body FROM views WHERE org = $1 AND cluster = $2 AND hash = $8),
	b AS (SELECT PARSED(p.body) ->> 'boot_time' AS boot_p, PARSED(c.body) ->> 'boot_time' AS boot_c,
		PARSED(p.body) ->> 'version' AS v_p, PARSED(c.body) ->> 'version' AS v_c,
		PARSED(p.body) ->> 'quorate' AS q_p, PARSED(c.body) ->> 'quorate' AS q_c FROM p, c),
	found AS (SELECT 'node.rebooted' AS kind, boot_p AS was, boot_c AS now FROM b
			WHERE abs(UNIX(boot_c) - UNIX(boot_p)) > 30
		UNION ALL SELECT 'node.version', v_p, v_c FROM b WHERE v_p <> v_c
		UNION ALL SELECT CASE WHEN CAST(q_c AS TEXT) = '1' THEN 'quorum.regained' ELSE 'quorum.lost' END,
			NULL, NULL FROM b WHERE q_p <> q_c)
SELECT $1, $2, $3, $4 || '/' || kind, $4, kind, $5, NULL,
	CAST(OBJECT('was', was, 'now', now) AS TEXT) FROM found WHERE true
ON CONFLICT DO NOTHING

-- name: events_members
-- $3 at, $4 doc, $5 the reporter, $6 before, $8 now
INSERT INTO events (org, cluster, at, id, doc, kind, node, vmid, data)
WITH p AS (SELECT body FROM views WHERE org = $1 AND cluster = $2 AND hash = $6),
	c AS (SELECT body FROM views WHERE org = $1 AND cluster = $2 AND hash = $8),
	pn AS (SELECT j.value ->> 'name' AS name, FLAG(j.value ->> 'online') AS online
		FROM p, EACH(PARSED(p.body) -> 'nodes', j)),
	cn AS (SELECT j.value ->> 'name' AS name, FLAG(j.value ->> 'online') AS online
		FROM c, EACH(PARSED(c.body) -> 'nodes', j)),
	b AS (SELECT PARSED(p.body) ->> 'config_version' AS v_p, PARSED(c.body) ->> 'config_version' AS v_c FROM p, c),
	found AS (SELECT 'config.version' AS kind, NULL AS node, CAST(v_p AS TEXT) AS was,
			CAST(v_c AS TEXT) AS now FROM b WHERE v_p <> v_c
		UNION ALL SELECT CASE cn.online WHEN 1 THEN 'node.online' ELSE 'node.offline' END, cn.name, NULL, NULL
			FROM cn JOIN pn ON pn.name = cn.name WHERE pn.online <> cn.online
		UNION ALL SELECT 'node.added', cn.name, NULL, NULL FROM cn
			WHERE NOT EXISTS (SELECT 1 FROM pn WHERE pn.name = cn.name)
		UNION ALL SELECT 'node.removed', pn.name, NULL, NULL FROM pn
			WHERE NOT EXISTS (SELECT 1 FROM cn WHERE pn.name = cn.name))
SELECT $1, $2, $3, $4 || '/' || kind || '/' || coalesce(node, ''), $4, kind, coalesce(node, $5), NULL,
	CAST(OBJECT('was', was, 'now', now) AS TEXT) FROM found WHERE EXISTS (SELECT 1 FROM p)
ON CONFLICT DO NOTHING
