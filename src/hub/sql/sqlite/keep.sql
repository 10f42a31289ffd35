-- Nodes are gone through once, not once for each agent.

-- name: drop_agents
DELETE FROM agents WHERE created_at < $1
	AND NOT EXISTS (SELECT 1 FROM tokens AS t WHERE t.org = agents.org AND t.agent = agents.id
		AND (t.revoked_at = 0 OR t.revoked_at > $2) AND (t.expires_at = 0 OR t.expires_at > $2))
	AND NOT EXISTS (SELECT 1 FROM nanny_objects AS o WHERE o.org = agents.org AND o.agent = agents.id)
	AND (org, id) NOT IN (SELECT org, agent FROM nodes)
